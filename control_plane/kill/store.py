"""The kill switch in the database: one row, beside the table and no part of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import KillRow

CHANNEL = "figway_revision"
"""The one that revisions are notified on: who hears it asks for both."""


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


async def put(database: Database, connection: AsyncConnection, kill: Kill) -> int:
    """Write a press; its number, one more than the newest. Safe beside another press: the row is
    locked by the first write."""
    values = {
        "on": kill.on,
        "changed_ms": kill.changed_ms,
        "actor": kill.actor[:200],
        "reason": kill.reason,
    }
    statement = database.insert(KillRow).values(id=1, number=kill.number, **values)
    # Above what this control plane has told the proxies already, and above what another has.
    newest = KillRow.number + 1
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={**values, "number": _larger(newest, statement.excluded.number)},
        )
    )
    if database.is_postgres:
        await connection.execute(text("SELECT pg_notify(:channel, 'kill')"), {"channel": CHANNEL})
    return (await load(connection)).number


def _larger(left: ColumnElement[int], right: ColumnElement[int]) -> ColumnElement[int]:
    return case((left > right, left), else_=right)
