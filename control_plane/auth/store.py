"""Keys in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.auth.keys import ApiKey
from control_plane.auth.roles import Role
from control_plane.db.engine import Database
from control_plane.db.models import KeyRow, SessionRow


async def find(connection: AsyncConnection, prefix: str) -> Row[tuple[KeyRow]] | None:
    """The row of a key."""
    rows = await connection.execute(select(KeyRow.__table__).where(KeyRow.prefix == prefix))
    return rows.one_or_none()


async def usable(connection: AsyncConnection, limit: int) -> Sequence[Row[tuple[KeyRow]]]:
    """Keys that were not revoked, those used last first."""
    query = select(KeyRow.__table__).where(KeyRow.revoked_ms.is_(None))
    rows = await connection.execute(query.order_by(KeyRow.last_used_ms.desc()).limit(limit))
    return rows.all()


async def add(
    database: Database,
    connection: AsyncConnection,
    key: ApiKey,
    *,
    name: str,
    role: Role,
    by: str,
    now: int,
    expires_ms: int | None = None,
) -> bool:
    """Store the hash of a key; False if it is there already."""
    row = {
        "prefix": key.prefix,
        "hash": key.hash,
        "name": name,
        "role": role.value,
        "created_ms": now,
        "created_by": by,
        "expires_ms": expires_ms,
    }
    insert = database.insert(KeyRow).values(row).on_conflict_do_nothing()
    return bool((await connection.execute(insert)).rowcount)


async def page(connection: AsyncConnection, after: str, limit: int) -> Sequence[Row[tuple[KeyRow]]]:
    """Keys in the order of their prefixes, without their hashes being of use to anyone."""
    rows = await connection.execute(
        select(KeyRow.__table__).where(KeyRow.prefix > after).order_by(KeyRow.prefix).limit(limit)
    )
    return rows.all()


async def revoke(connection: AsyncConnection, prefix: str, now: int) -> bool:
    """Revoke a key; False if there is none that is not revoked."""
    done = await connection.execute(
        update(KeyRow)
        .where(KeyRow.prefix == prefix, KeyRow.revoked_ms.is_(None))
        .values(revoked_ms=now)
    )
    return bool(done.rowcount)


async def touch(connection: AsyncConnection, prefix: str, now: int) -> None:
    """Note that a key was used."""
    await connection.execute(update(KeyRow).where(KeyRow.prefix == prefix).values(last_used_ms=now))


async def count(connection: AsyncConnection, role: Role | None, now: int) -> int:
    """How many valid keys there are of a role; of any, used up or not, when it is None."""
    query = select(func.count()).select_from(KeyRow)
    if role is not None:
        query = query.where(
            KeyRow.role == role.value,
            KeyRow.revoked_ms.is_(None),
            or_(KeyRow.expires_ms.is_(None), KeyRow.expires_ms > now),
        )
    return int((await connection.execute(query)).scalar_one())


async def end_sessions(connection: AsyncConnection, prefix: str) -> None:
    """End the console sessions, and the links, that a key began."""
    await connection.execute(delete(SessionRow).where(SessionRow.prefix == prefix))
