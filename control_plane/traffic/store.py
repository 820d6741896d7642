"""Traffic in the database: buckets of ten seconds and of a minute, merged as reports arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import EventRow, ReportRow, TrafficRow
from control_plane.traffic.schemas import EventIn
from control_plane.traffic.sums import Sums

RECENT_S = 10
MINUTE_S = 60
ALL = "*"
"""Stands for all routes together; kept beside them, so that the whole is read without them."""

Key = tuple[str, str, str]
"""Route, side, backend."""
_LOCK = 0x46_69_67_77_54
_KEYS = ("step_s", "bucket_ms", "route", "side", "backend")
_FEW = 400  # routes that are worth naming in a query


async def first_time(
    database: Database, connection: AsyncConnection, boot: str, sequence: int, now: int
) -> bool:
    """Note a report; False if it was noted before."""
    if database.is_postgres:
        # Merging reads, then writes: one control plane at a time, or counts would be lost.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    statement = database.insert(ReportRow).values(boot=boot, sequence=sequence, at_ms=now)
    return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


async def merge(
    database: Database,
    connection: AsyncConnection,
    step_s: int,
    bucket_ms: int,
    sums: Mapping[Key, Sums],
) -> None:
    """Add to one bucket of time."""
    query = select(TrafficRow.__table__).where(
        TrafficRow.step_s == step_s, TrafficRow.bucket_ms == bucket_ms
    )
    routes = {key[0] for key in sums}
    if len(routes) <= _FEW:
        query = query.where(TrafficRow.route.in_(routes))
    known = {
        (row.route, row.side, row.backend): row for row in (await connection.execute(query)).all()
    }
    rows = []
    for key, found in sums.items():
        total = found
        if key in known:
            total = Sums()
            total.add_row(known[key])
            total.add(found)
        rows.append(dict(zip(_KEYS, (step_s, bucket_ms, *key), strict=True)) | total.columns())
    if not rows:
        return
    statement = database.insert(TrafficRow)
    columns = [name for name in rows[0] if name not in _KEYS]
    upsert = statement.on_conflict_do_update(
        index_elements=list(_KEYS), set_={name: statement.excluded[name] for name in columns}
    )
    await connection.execute(upsert, rows)


async def rows(
    connection: AsyncConnection, *, step_s: int, from_ms: int, to_ms: int, route: str | None
) -> AsyncIterator[Row[Any]]:
    """Buckets, as they come from the database, so that memory does not grow with their number."""
    query = select(TrafficRow.__table__).where(
        TrafficRow.step_s == step_s, TrafficRow.bucket_ms >= from_ms, TrafficRow.bucket_ms < to_ms
    )
    if route is not None:
        query = query.where(TrafficRow.route == route)
    async with connection.stream(query) as result:
        async for part in result.partitions(1_000):
            for row in part:
                yield row


async def add_events(connection: AsyncConnection, instance: str, events: Sequence[EventIn]) -> None:
    """Keep events."""
    if events:
        await connection.execute(
            insert(EventRow), [{**entry.model_dump(), "instance": instance} for entry in events]
        )


async def event_page(
    connection: AsyncConnection, *, before: int | None, limit: int, equal: Mapping[str, str]
) -> Sequence[Row[Any]]:
    """Events, newest first."""
    query = select(EventRow.__table__).order_by(EventRow.id.desc()).limit(limit)
    for name, value in equal.items():
        if value:
            query = query.where(getattr(EventRow, name) == value)
    if before is not None:
        query = query.where(EventRow.id < before)
    return (await connection.execute(query)).all()


async def trim(
    connection: AsyncConnection,
    *,
    recent_before: int,
    minutes_before: int,
    events_before: int,
    reports_before: int,
) -> None:
    """Delete what is older than it is kept."""
    for step_s, before in ((RECENT_S, recent_before), (MINUTE_S, minutes_before)):
        await connection.execute(
            delete(TrafficRow).where(TrafficRow.step_s == step_s, TrafficRow.bucket_ms < before)
        )
    await connection.execute(delete(EventRow).where(EventRow.at_ms < events_before))
    await connection.execute(delete(ReportRow).where(ReportRow.at_ms < reports_before))
