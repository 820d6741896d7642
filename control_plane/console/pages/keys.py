"""API keys: who has one, new ones, the end of old ones."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import ValidationError

from control_plane.auth.api import delete_key, list_keys, make_key
from control_plane.auth.roles import Role
from control_plane.auth.schemas import KeyIn, KeyMade
from control_plane.clock import now_ms
from control_plane.console.access import Administering, Visit, seeing
from control_plane.http.problems import ApiProblem, invalid

router = APIRouter()


@router.get("/keys")
async def show(visit: Annotated[Visit, Depends(seeing(Role.ADMIN))]) -> Response:
    """Every key."""
    return await _page(visit)


@router.post("/keys")
async def make(visit: Administering) -> Response:
    """Make a key, and show it this one time."""
    form = visit.form
    days = form.get("days", "").strip()
    try:
        if days and not days.isdecimal():
            raise invalid("days", "give a whole number of days, or nothing for never")
        body = _key(form.get("name", "").strip(), form.get("role", ""), int(days) if days else None)
        made = await make_key(body, visit.actor, visit.services)
    except ApiProblem as error:
        return await _page(visit, problem=error, status=error.status)
    return await _page(visit, made=made)


@router.post("/sessions/{session_id}/end")
async def end(session_id: str, visit: Administering) -> Response:
    """End somebody's session."""
    entry = visit.actor.entry("session.end", f"session {session_id}", "from the console")
    await visit.services.sessions.end_id(session_id, entry)
    return await _page(visit)


@router.post("/keys/{prefix}/revoke")
async def revoke(prefix: str, visit: Administering) -> Response:
    """End a key, and the sessions that were begun with it."""
    try:
        await delete_key(prefix, visit.actor, visit.services, visit.reason(needed=False))
    except ApiProblem as error:
        return await _page(visit, problem=error, status=error.status)
    return await _page(visit, said=f"Revoked {prefix}. Its sessions have ended.")


def _key(name: str, role: str, days: int | None) -> KeyIn:
    try:
        return KeyIn(name=name, role=Role(role), expires_in_days=days)
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(str(first["loc"][0] if first["loc"] else "key"), str(first["msg"])) from None
    except ValueError:
        raise invalid("role", "choose a role") from None


async def _page(
    visit: Visit,
    *,
    made: KeyMade | None = None,
    problem: ApiProblem | None = None,
    said: str = "",
    status: int = 200,
) -> Response:
    found = await list_keys(visit.actor, visit.services, limit=1_000)
    return await visit.page(
        "keys.html",
        status,
        keys=sorted(found.items, key=lambda key: (key.revoked_ms is not None, -key.created_ms)),
        roles=list(Role),
        made=made,
        problem=problem,
        said=said,
        now=now_ms(),
        sessions=await visit.services.sessions.listed(),
    )
