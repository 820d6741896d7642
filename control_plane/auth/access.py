"""What an endpoint asks for to know who is calling: `Viewer`, `Operator`, `Admin`, `Proxy`,
`Anyone`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from control_plane.auth.roles import Role
from control_plane.auth.service import Actor
from control_plane.http.problems import ApiProblem
from control_plane.http.still_asked import still_asked
from control_plane.services import Svc

_bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="An API key: `fgw_<prefix>_<secret>`."
)
_SOURCE = re.compile(r"[a-z-]{1,20}")


async def anyone(
    request: Request,
    services: Svc,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    figway_source: Annotated[
        str,
        Header(
            max_length=200,
            description="What the call was made with (`cli`, `console`, `ci`); kept with it.",
        ),
    ] = "api",
) -> Actor:
    """The caller, of whatever role. Raises `ApiProblem` 401 or 429."""
    address = request.client.host if request.client else ""
    token = credentials.credentials if credentials else ""
    source = figway_source if _SOURCE.fullmatch(figway_source) else "api"
    return await services.auth.authenticate(token, address, source)


Anyone = Annotated[Actor, Depends(anyone)]


def _needs(role: Role) -> Callable[[Actor, Request], Awaitable[Actor]]:
    async def allowed(actor: Anyone, request: Request) -> Actor:
        if not actor.role.may(role):
            raise ApiProblem(
                403,
                "forbidden",
                "Not allowed",
                f"this takes a key of role {role.value}; {actor.name!r} is {actor.role.value}",
            )
        if role in (Role.OPERATOR, Role.ADMIN):
            await request.body()  # kept for the endpoint
            await still_asked(request)
        return actor

    return allowed


Viewer = Annotated[Actor, Depends(_needs(Role.VIEWER))]
Operator = Annotated[Actor, Depends(_needs(Role.OPERATOR))]
Admin = Annotated[Actor, Depends(_needs(Role.ADMIN))]
Proxy = Annotated[Actor, Depends(_needs(Role.PROXY))]
