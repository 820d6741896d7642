"""The kill switch in the database: one row, beside the table and no part of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import KillRow

CHANNEL = "figway_revision"
"""The one that revisions are notified on: who hears it asks for both."""


MOST_NUMBER = 2**53
"""The highest press that a proxy is believed."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Where the switch stands, since when, by whom and why."""

    on: bool = False
    number: int = 0
    changed_ms: int = 0
    actor: str = ""
    reason: str = ""


async def load(connection: AsyncConnection) -> Kill:
    """Where it stands."""
    row = (await connection.execute(select(KillRow.__table__))).one_or_none()
    if row is None:
        return Kill()
    return Kill(row.on, row.number, row.changed_ms, row.actor, row.reason)


async def put(
    database: Database, connection: AsyncConnection, kill: Kill, expected: int | None = None
) -> int:
    """Write a press; its number, one more than the newest. Safe beside another press: the row is
    locked by the first write. With `expected`, 0 and nothing written where another press than that
    one was the newest."""
    values = {
        "on": kill.on,
        "changed_ms": kill.changed_ms,
        "actor": kill.actor[:200],
        "reason": kill.reason,
    }
    statement = database.insert(KillRow).values(id=1, number=kill.number, **values)
    # Above what this control plane has told the proxies already, and above what another has.
    newest = KillRow.number + 1
    done = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={**values, "number": _larger(newest, statement.excluded.number)},
            where=None if expected is None else KillRow.number == expected,
        )
    )
    if not done.rowcount:
        return 0
    if database.is_postgres:
        await connection.execute(text("SELECT pg_notify(:channel, 'kill')"), {"channel": CHANNEL})
    return (await load(connection)).number


async def put_back(database: Database, connection: AsyncConnection, kill: Kill) -> bool:
    """Write a press that is in effect and that the database does not have; False where it has a
    newer one. Safe beside another press, as `put`."""
    values = {
        "on": kill.on,
        "number": kill.number,
        "changed_ms": kill.changed_ms,
        "actor": kill.actor[:200],
        "reason": kill.reason,
    }
    done = await connection.execute(
        database.insert(KillRow)
        .values(id=1, **values)
        .on_conflict_do_update(
            index_elements=["id"], set_=values, where=KillRow.number < kill.number
        )
    )
    if done.rowcount and database.is_postgres:
        await connection.execute(text("SELECT pg_notify(:channel, 'kill')"), {"channel": CHANNEL})
    return bool(done.rowcount)


def _larger(left: ColumnElement[int], right: ColumnElement[int]) -> ColumnElement[int]:
    return case((left > right, left), else_=right)
