"""Keys over HTTP."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from control_plane.auth import store
from control_plane.auth.access import Admin, Anyone
from control_plane.auth.schemas import KeyIn, KeyMade, KeyOut, Me, SessionOut
from control_plane.auth.service import create_key, revoke_key
from control_plane.clock import now_ms
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, documented, invalid, not_found
from control_plane.publishing.changed import Reason
from control_plane.services import Svc

router = APIRouter(tags=["keys"], responses=documented(*COMMON))


@router.get("/me")
async def who_am_i(actor: Anyone) -> Me:
    """Name and role of the key that asks."""
    return Me(name=actor.name, prefix=actor.prefix, role=actor.role)


@router.get("/keys")
async def list_keys(
    _: Admin, services: Svc, limit: Limit = 100, cursor: Cursor = ""
) -> Page[KeyOut]:
    """Every key, revoked ones too, by prefix."""
    after = paging.decode(cursor, str) or ""
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await store.page(connection, after, limit + 1), limit, lambda row: row.prefix
        )
    return Page(items=[KeyOut(**row._mapping) for row in rows], next=following)


@router.post("/keys", status_code=201)
async def make_key(body: KeyIn, actor: Admin, services: Svc) -> KeyMade:
    """Make a key. The answer shows it; nothing ever shows it again."""
    now = now_ms()
    expires = None if body.expires_in_days is None else now + body.expires_in_days * 86_400_000
    entry = actor.entry("key.create", f"key {body.name}", body.reason)
    key = await create_key(
        services.database, name=body.name, role=body.role, entry=entry, expires_ms=expires
    )
    async with services.database.read() as connection:
        row = await store.find(connection, key.prefix)
    if row is None:
        raise not_found("key", key.prefix)
    return KeyMade(**row._mapping, key=str(key))


@router.delete("/keys/{prefix}", status_code=204, responses=documented(404, 409))
async def delete_key(prefix: str, actor: Admin, services: Svc, reason: Reason = "") -> None:
    """Revoke a key: at once here, within five seconds at other control planes. Its
    console sessions end with it."""
    entry = actor.entry("key.revoke", f"key {prefix}", reason)
    await revoke_key(services.database, prefix, entry)
    services.auth.forget(prefix)
    services.sessions.forget_key(prefix)


@router.get("/sessions")
async def list_sessions(
    _: Admin, services: Svc, limit: Limit = 100, cursor: Cursor = ""
) -> Page[SessionOut]:
    """Console sessions that last, newest first. They end with their key."""
    found = await services.sessions.listed(_before(cursor), limit + 1)
    shown, following = paging.cut(found, limit, lambda line: [line.created_ms, line.id])
    return Page(items=[SessionOut(**asdict(line)) for line in shown], next=following)


def _before(cursor: str) -> tuple[int, str] | None:
    """When the last session of the page before began, and its id. Raises `ApiProblem`."""
    match paging.decode(cursor, list):
        case None:
            return None
        case [int(began), str(session)] if 0 <= began < 2**63:
            return began, session
        case _:
            raise invalid("cursor", "this is not a cursor of this list")


@router.delete("/sessions/{session_id}", status_code=204, responses=documented(404))
async def end_session(session_id: str, actor: Admin, services: Svc, reason: Reason = "") -> None:
    """End a console session: at once here, within a second at other control planes."""
    entry = actor.entry("session.end", f"session {session_id}", reason)
    if not await services.sessions.end_id(session_id, entry):
        raise not_found("session", session_id)
