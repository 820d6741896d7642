"""Keys straight in the database, for the command line on the control plane's own host.

For the day that the last admin key is lost: who can write the database may make one anyway. Each
function opens the database, migrates it if it must, and closes it. They raise `SettingsError`,
`DatabaseUnreachable` and `NewerDatabase`, whose messages are one clear line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from control_plane.audit.entry import AuditEntry
from control_plane.auth import service, store
from control_plane.auth.roles import Role
from control_plane.clock import now_ms
from control_plane.db.engine import Database, database_url
from control_plane.db.migrate import prepared
from control_plane.settings import Settings

_DAY_MS = 86_400_000


async def create(
    settings: Settings, *, name: str, role: Role, days: int | None = None, reason: str = ""
) -> str:
    """Make a key and return it; nothing ever shows it again."""
    entry = AuditEntry("command line", "", "key.create", f"key {name}", reason)
    expires = None if days is None else now_ms() + days * _DAY_MS
    async with _opened(settings) as database:
        key = await service.create_key(
            database, name=name, role=role, entry=entry, expires_ms=expires
        )
        return str(key)


async def keys(settings: Settings) -> list[dict[str, Any]]:
    """Every key, without its hash."""
    async with _opened(settings) as database, database.read() as connection:
        rows = await store.page(connection, "", 10_000)
    return [{k: v for k, v in row._mapping.items() if k != "hash"} for row in rows]


async def revoke(settings: Settings, prefix: str, *, reason: str = "") -> None:
    """Revoke a key. Raises `ApiProblem` too: 404, or 409 for the last admin key."""
    entry = AuditEntry("command line", "", "key.revoke", f"key {prefix}", reason)
    async with _opened(settings) as database:
        await service.revoke_key(database, prefix, entry)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    database = Database(database_url(settings), pool=2)
    try:
        async with prepared(database):
            pass
        yield database
    finally:
        await database.close()
