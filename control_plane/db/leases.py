"""Leases: of several control planes, one does a job."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.clock import shared_ms
from control_plane.db.engine import Database
from control_plane.db.rollout_models import LeaseRow


async def take(
    database: Database, connection: AsyncConnection, name: str, owner: str, ms: int
) -> bool:
    """Take or keep a lease for `ms`, by the clock of the database; False while somebody else holds
    it.

    A lease that reaches further than anybody could have taken it was taken by a clock that was
    ahead: it counts for nothing.
    """
    now = shared_ms(connection)
    free: ColumnElement[bool] = or_(
        LeaseRow.owner == owner, LeaseRow.until_ms < now, LeaseRow.until_ms > now + 2 * ms
    )
    statement = database.insert(LeaseRow).values(name=name, owner=owner, until_ms=now + ms)
    done = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": owner, "until_ms": now + ms},
            where=free,
        )
    )
    return bool(done.rowcount)


async def release(connection: AsyncConnection, name: str, owner: str) -> None:
    """Let go of a lease, so that another need not wait for its end."""
    await connection.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))
