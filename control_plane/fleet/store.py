"""Proxies in the database, so that every control plane sees all of them."""

from __future__ import annotations

from collections.abc import Sequence
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


async def page(connection: AsyncConnection, after: str, limit: int) -> Sequence[Row[Any]]:
    """Proxies by name."""
    query = select(InstanceRow.__table__).where(InstanceRow.instance > after)
    return (await connection.execute(query.order_by(InstanceRow.instance).limit(limit))).all()


async def live(connection: AsyncConnection, since_ms: int) -> Sequence[Row[Any]]:
    """Proxies that were heard of since then and are not stopping."""
    query = select(InstanceRow.__table__).where(
        InstanceRow.seen_ms >= since_ms, InstanceRow.stopping.is_(False)
    )
    return (await connection.execute(query.order_by(InstanceRow.instance))).all()


async def last_live(connection: AsyncConnection, span_ms: int) -> Sequence[Row[Any]]:
    """Proxies that were live when any was last heard of: within `span_ms` of the newest word."""
    query = select(func.max(InstanceRow.seen_ms))
    newest = (await connection.execute(query)).scalar_one_or_none()
    return [] if newest is None else await live(connection, newest - span_ms)


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop proxies that were not heard of since then."""
    await connection.execute(delete(InstanceRow).where(InstanceRow.seen_ms < before_ms))
