"""Who looks, and what they may do: the same roles as in the API, by session instead of by key."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from control_plane.auth.roles import Role
from control_plane.auth.service import Actor
from control_plane.auth.sessions import Session, Sessions
from control_plane.console import render
from control_plane.console.burn_up import BurnUp
from control_plane.console.fragment_cache import FragmentCache
from control_plane.console.live_state import LiveSnapshot, LiveState
from control_plane.http.preconditions import quoted
from control_plane.http.problems import ApiProblem, invalid
from control_plane.http.still_asked import still_asked
from control_plane.plain_text import is_plain
from control_plane.publishing.edit import Edit
from control_plane.publishing.service import Confirm
from control_plane.services import Services

COOKIE = "figway_session"


class LoggedOut(Exception):
    """There is no session, or it is over."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("the session has expired" if expired else "not logged in")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of the console."""

    services: Services
    sessions: Sessions
    live_state: LiveState
    burn_up: BurnUp
    shared: FragmentCache


def console(request: Request) -> Console:
    """The console that got this request."""
    return cast(Console, request.app.state.console)


@dataclass(frozen=True, slots=True)
class Onlooker:
    """All that a shared part may know of who looks at it."""

    role: Role

    def may(self, role: str) -> bool:
        """Does the role include `role`?"""
        return self.role.may(Role(role))


@dataclass(slots=True)
class Visit:
    """One request of somebody who has logged in."""

    request: Request
    console: Console
    session: Session
    actor: Actor
    form: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        """The parts of the control plane."""
        return self.console.services

    def may(self, role: str) -> bool:
        """Does the session's role include `role`?"""
        return self.actor.role.may(Role(role))

    def edit(self, etag: str = "*", reason: str = "") -> Edit:
        """A change of the table by whoever looks; `etag` is that of the form, or `*`."""
        confirm = Confirm(self.form.get("confirm", ""))
        if_match = etag if etag == "*" else quoted(etag)
        return Edit(self.services, self.actor, if_match, reason, confirm=confirm)

    def reason(self, name: str = "reason", *, needed: bool = True) -> str:
        """Why, as it was typed. Raises `ApiProblem` 422, where there is none that may be kept."""
        typed = self.form.get(name, "").strip()
        if len(typed) > 500 or (needed and not typed):
            raise invalid(name, "say why, in at most 500 characters")
        if not is_plain(typed):
            raise invalid(name, "it holds a character that acts instead of showing")
        return typed

    async def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A page, with the state of the whole in its head."""
        live: LiveSnapshot = await self.console.live_state.snapshot()
        return render.page(
            self.request,
            template,
            {"visit": self, "live": live, "csrf": self.session.csrf, **context},
            status,
        )

    async def shared(
        self, template: str, what: Hashable, make: Callable[[], Awaitable[dict[str, Any]]]
    ) -> HTMLResponse:
        """A part that all who look at `what` with the same role share; `make` makes its context.

        The template gets an `Onlooker` as its visit: it cannot show one visitor to another.
        """
        live = await self.console.live_state.snapshot()
        role = self.actor.role

        async def rendered() -> str:
            return render.part(template, visit=Onlooker(role), live=live, **await make())

        return render.answer(
            await self.console.shared.get((template, what, role), live.version, rendered)
        )


async def visit(request: Request) -> Visit:
    """Whoever has a session. Raises `LoggedOut`; `ApiProblem` 403 for a machine's."""
    found = console(request)
    token = request.cookies.get(COOKIE, "")
    session = await found.sessions.find(token)
    if session is None:
        raise LoggedOut(expired=bool(token))
    address = request.client.host if request.client else ""
    made = Visit(request, found, session, session.actor(address))
    _need(made, Role.VIEWER)
    return made


def acting(role: Role) -> Callable[..., Awaitable[Visit]]:
    """Whoever may change things as `role` does, and shows that the form is our own.

    Raises `LoggedOut`, and `ApiProblem` 403.
    """

    async def allowed(found: Annotated[Visit, Depends(visit)]) -> Visit:
        async with found.request.form() as form:
            found.form = {name: value for name, value in form.items() if isinstance(value, str)}
        given = found.request.headers.get("x-csrf-token") or found.form.get("csrf", "")
        if not own_origin(found.request) or not hmac.compare_digest(
            given.encode(), found.session.csrf.encode()
        ):
            raise ApiProblem(
                403,
                "csrf",
                "Not from this console",
                "The form was not sent by a page of this session, and nothing was changed. "
                "Reload the page and try again",
            )
        _need(found, role)
        await still_asked(found.request)
        return found

    return allowed


def own_origin(request: Request) -> bool:
    """Was the request made by a page of ours, as far as the browser says?"""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # no URL at all
        return False


def _need(found: Visit, role: Role) -> None:
    if not found.actor.role.may(role):
        raise ApiProblem(
            403,
            "forbidden",
            "Not allowed",
            f"this takes the role {role.value}; {found.actor.name!r} is {found.actor.role.value}",
        )


def seeing(role: Role) -> Callable[..., Awaitable[Visit]]:
    """Whoever may see what only `role` sees. Raises `LoggedOut`, and `ApiProblem` 403."""

    async def allowed(found: Annotated[Visit, Depends(visit)]) -> Visit:
        _need(found, role)
        return found

    return allowed


Viewing = Annotated[Visit, Depends(visit)]
Operating = Annotated[Visit, Depends(acting(Role.OPERATOR))]
Administering = Annotated[Visit, Depends(acting(Role.ADMIN))]
Leaving = Annotated[Visit, Depends(acting(Role.VIEWER))]
