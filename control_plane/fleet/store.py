"""Proxies in the database, so that every control plane sees all of them.

Times are written by the clock of the database, and told by that of who asks: whichever control
plane heard of a proxy, all agree on how long ago that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.db.clock import shared_ms
from control_plane.db.engine import Database
from control_plane.db.models import InstanceRow
from control_plane.fleet.schemas import AckIn


async def put(database: Database, connection: AsyncConnection, ack: AckIn) -> None:
    """Keep what a proxy said."""
    now = shared_ms(connection)
    statement = database.insert(InstanceRow).values(
        instance=ack.instance,
        boot=ack.boot,
        revision=ack.revision,
        etag=ack.etag,
        since_ms=now,
        first_seen_ms=now,
        seen_ms=now,
        stopping=ack.stopping,
        document=ack.model_dump_json(),
    )
    new = statement.excluded
    same = and_(
        InstanceRow.boot == new.boot,
        InstanceRow.revision == new.revision,
        InstanceRow.etag == new.etag,
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["instance"],
            set_={
                "since_ms": case((same, InstanceRow.since_ms), else_=new.since_ms),
                **{
                    name: new[name]
                    for name in ("boot", "revision", "etag", "seen_ms", "stopping", "document")
                },
            },
        )
    )


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """A proxy as it last described itself."""

    ack: AckIn
    since_ms: int
    """When it was first heard to serve what it serves."""
    first_seen_ms: int
    seen_ms: int
    word: int = 0
    """Names the last thing that it said: the same however often it is read."""


async def page(connection: AsyncConnection, after: str, limit: int) -> list[StoredInstance]:
    """Proxies by name."""
    query = _instances(connection).where(InstanceRow.instance > after)
    rows = await connection.execute(query.order_by(InstanceRow.instance).limit(limit))
    return _stored(rows.all())


async def heard_since(connection: AsyncConnection, since_ms: int) -> list[StoredInstance]:
    """Proxies that were heard of since then and are not stopping."""
    query = _instances(connection).where(
        InstanceRow.seen_ms >= shared_ms(connection) - (now_ms() - since_ms),
        InstanceRow.stopping.is_(False),
    )
    rows = await connection.execute(query.order_by(InstanceRow.instance))
    return _stored(rows.all())


async def last_live(connection: AsyncConnection, span_ms: int) -> list[StoredInstance]:
    """Proxies that were live when any was last heard of: within `span_ms` of the newest word."""
    query = select(func.max(InstanceRow.seen_ms))
    newest = (await connection.execute(query)).scalar_one_or_none()
    if newest is None:
        return []
    live = _instances(connection).where(
        InstanceRow.seen_ms >= newest - span_ms, InstanceRow.stopping.is_(False)
    )
    return _stored((await connection.execute(live)).all())


def _instances(connection: AsyncConnection) -> Select[Any]:
    return select(InstanceRow.__table__, shared_ms(connection).label("shared_ms"))


def _stored(rows: Sequence[Row[Any]]) -> list[StoredInstance]:
    return [_instance(row, now_ms() - row.shared_ms) for row in rows]


def _instance(row: Row[Any], behind_ms: int) -> StoredInstance:
    """A row whose times are `behind_ms` behind our clock."""
    return StoredInstance(
        AckIn.model_validate_json(row.document),
        row.since_ms + behind_ms,
        row.first_seen_ms + behind_ms,
        row.seen_ms + behind_ms,
        word=row.seen_ms,
    )


async def drop(connection: AsyncConnection, instance: str) -> bool:
    """Forget one proxy; False if there is none."""
    done = await connection.execute(delete(InstanceRow).where(InstanceRow.instance == instance))
    return bool(done.rowcount)


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop proxies that were not heard of since then."""
    before = shared_ms(connection) - (now_ms() - before_ms)
    await connection.execute(delete(InstanceRow).where(InstanceRow.seen_ms < before))
