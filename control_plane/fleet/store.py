"""Proxies in the database, so that every control plane sees all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import InstanceRow
from control_plane.fleet.schemas import AckIn


async def put(database: Database, connection: AsyncConnection, ack: AckIn, now: int) -> None:
    """Keep what a proxy said."""
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


async def page(connection: AsyncConnection, after: str, limit: int) -> list[StoredInstance]:
    """Proxies by name."""
    query = select(InstanceRow.__table__).where(InstanceRow.instance > after)
    rows = await connection.execute(query.order_by(InstanceRow.instance).limit(limit))
    return [_stored(row) for row in rows.all()]


async def heard_since(connection: AsyncConnection, since_ms: int) -> list[StoredInstance]:
    """Proxies that were heard of since then and are not stopping."""
    query = select(InstanceRow.__table__).where(
        InstanceRow.seen_ms >= since_ms, InstanceRow.stopping.is_(False)
    )
    rows = await connection.execute(query.order_by(InstanceRow.instance))
    return [_stored(row) for row in rows.all()]


async def last_live(connection: AsyncConnection, span_ms: int) -> list[StoredInstance]:
    """Proxies that were live when any was last heard of: within `span_ms` of the newest word."""
    query = select(func.max(InstanceRow.seen_ms))
    newest = (await connection.execute(query)).scalar_one_or_none()
    if newest is None:
        return []
    live = select(InstanceRow.__table__).where(
        InstanceRow.seen_ms >= newest - span_ms, InstanceRow.stopping.is_(False)
    )
    return [_stored(row) for row in (await connection.execute(live)).all()]


def _stored(row: Row[Any]) -> StoredInstance:
    ack = AckIn.model_validate_json(row.document)
    return StoredInstance(ack, row.since_ms, row.first_seen_ms, row.seen_ms)


async def drop(connection: AsyncConnection, instance: str) -> bool:
    """Forget one proxy; False if there is none."""
    done = await connection.execute(delete(InstanceRow).where(InstanceRow.instance == instance))
    return bool(done.rowcount)


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop proxies that were not heard of since then."""
    await connection.execute(delete(InstanceRow).where(InstanceRow.seen_ms < before_ms))
