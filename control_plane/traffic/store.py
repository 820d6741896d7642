"""Traffic in the database: buckets of ten seconds, a minute, and ten minutes, merged as reports
arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import EventRow, ReportRow, TrafficRow
from control_plane.traffic.recent import Key, Stamp
from control_plane.traffic.schemas import EventIn
from control_plane.traffic.sums import Sums, of_row

RECENT_S = 10
MINUTE_S = 60
COARSE_S = 600
"""What long times are read from: a week of a route is a thousand rows and not ten thousand."""
ALL = "*"
"""Stands for all routes together; kept beside them, so that the whole is read without them."""

_LOCK = 0x46_69_67_77_54
_KEYS = ("step_s", "bucket_ms", "route", "side", "backend")
_FEW = 400  # routes that are worth naming in a query
_TABLE = TrafficRow.__table__


class Span(NamedTuple):
    """A stretch of time, and the buckets to read it from."""

    step_s: int
    from_ms: int
    to_ms: int


async def first_time(
    database: Database,
    connection: AsyncConnection,
    boot: str,
    sequence: int,
    now: int,
    serves: str = "",
) -> bool:
    """Note a report; False if it was noted before. `serves` is the table of a sandbox."""
    if database.is_postgres:
        # Merging reads, then writes: one control plane at a time, or counts would be lost.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    statement = database.insert(ReportRow).values(
        boot=boot, sequence=sequence, at_ms=now, serves=serves or None
    )
    return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


async def sandboxes(connection: AsyncConnection, since_ms: int, until_ms: int) -> dict[str, int]:
    """The sandboxes of functions that were heard of between the two moments: how many serve which
    table (ETag), by the newest report of each."""
    turn = func.row_number().over(partition_by=ReportRow.boot, order_by=ReportRow.sequence.desc())
    told = (
        select(ReportRow.serves, turn.label("turn"))
        .where(
            ReportRow.at_ms >= since_ms,
            ReportRow.at_ms <= until_ms,
            ReportRow.serves.is_not(None),
        )
        .subquery()
    )
    query = select(told.c.serves, func.count()).where(told.c.turn == 1).group_by(told.c.serves)
    return {row[0]: row[1] for row in await connection.execute(query)}


# -- single buckets ----------------------------------------------------------------------------


async def stamps(
    connection: AsyncConnection, step_s: int, from_ms: int, to_ms: int
) -> dict[int, Stamp]:
    """What the buckets that begin between the two moments hold for everything together."""
    query = select(_TABLE).where(
        TrafficRow.route == ALL,
        TrafficRow.step_s == step_s,
        TrafficRow.bucket_ms >= from_ms,
        TrafficRow.bucket_ms < to_ms,
    )
    found: dict[int, list[tuple[object, ...]]] = defaultdict(list)
    for row in (await connection.execute(query)).all():
        found[row.bucket_ms].append(tuple(row)[3:])
    return {bucket: tuple(sorted(parts)) for bucket, parts in found.items()}


def stamp_after(before: Stamp, totals: Mapping[Key, Sums]) -> Stamp:
    """The stamp that a bucket has when `totals` are written."""
    parts = {part[:2]: part for part in before}
    for (route, side, backend), total in totals.items():
        if route == ALL:
            parts[side, backend] = (side, backend, *total.columns().values())
    return tuple(sorted(parts.values()))


async def bucket(
    connection: AsyncConnection,
    step_s: int,
    bucket_ms: int,
    routes: Collection[str] | None = None,
) -> dict[Key, Sums]:
    """One bucket of time: all of it, or no less than some routes."""
    query = select(_TABLE).where(TrafficRow.step_s == step_s, TrafficRow.bucket_ms == bucket_ms)
    if routes is not None and len(routes) <= _FEW:
        query = query.where(TrafficRow.route.in_(routes))
    found = {}
    async with connection.stream(query) as result:
        async for part in result.partitions(1_000):
            found.update({(row.route, row.side, row.backend): of_row(row) for row in part})
    return found


async def put(
    database: Database,
    connection: AsyncConnection,
    step_s: int,
    bucket_ms: int,
    totals: Mapping[Key, Sums],
) -> None:
    """Write rows of one bucket of time, whatever was there."""
    if not totals:
        return
    rows = [
        dict(zip(_KEYS, (step_s, bucket_ms, *key), strict=True)) | total.columns()
        for key, total in totals.items()
    ]
    statement = database.insert(TrafficRow)
    columns = [name for name in rows[0] if name not in _KEYS]
    upsert = statement.on_conflict_do_update(
        index_elements=list(_KEYS), set_={name: statement.excluded[name] for name in columns}
    )
    await connection.execute(upsert, rows)


# -- stretches of time -------------------------------------------------------------------------


async def spans(connection: AsyncConnection, step_s: int, from_ms: int, to_ms: int) -> list[Span]:
    """What to read for points of `step_s` seconds: the coarsest buckets that hold just that.

    Coarse buckets began with a release; what is older, and the last that is cut off by `to_ms`,
    is in minutes.
    """
    if step_s % COARSE_S:
        return [Span(RECENT_S if step_s < MINUTE_S else MINUTE_S, from_ms, to_ms)]
    whole = to_ms - to_ms % (COARSE_S * 1_000)
    begins = await coarse_since(connection)
    middle = whole if begins is None else min(max(begins, from_ms), whole)
    parts = (
        Span(MINUTE_S, from_ms, middle),
        Span(COARSE_S, middle, whole),
        Span(MINUTE_S, max(whole, from_ms), to_ms),
    )
    return [part for part in parts if part.from_ms < part.to_ms]


async def coarse_since(connection: AsyncConnection) -> int | None:
    """From when on coarse buckets are whole; None before the first."""
    query = select(func.min(TrafficRow.bucket_ms)).where(TrafficRow.step_s == COARSE_S)
    first = (await connection.execute(query)).scalar_one()
    # Minutes may have come before the first of them.
    return None if first is None else int(first) + COARSE_S * 1_000


def _within(query: Any, span: Span, route: str) -> Any:
    return query.where(
        TrafficRow.step_s == span.step_s,
        TrafficRow.bucket_ms >= span.from_ms,
        TrafficRow.bucket_ms < span.to_ms,
        TrafficRow.route == route,
    )


async def rows(connection: AsyncConnection, span: Span, route: str) -> AsyncIterator[Row[Any]]:
    """Buckets of a route, as they come from the database, so that memory does not grow with
    their number."""
    async with connection.stream(_within(select(_TABLE), span, route)) as result:
        async for part in result.partitions(1_000):
            for row in part:
                yield row


async def requests(
    connection: AsyncConnection, span: Span, route: str, step_s: int
) -> Sequence[Row[Any]]:
    """Requests of a route alone, added up by step and side: `at_ms`, `side`, `requests`."""
    step_ms = step_s * 1_000
    at = (TrafficRow.bucket_ms - TrafficRow.bucket_ms % step_ms).label("at_ms")
    query = select(at, TrafficRow.side, func.sum(TrafficRow.requests).label("requests"))
    query = _within(query, span, route).group_by(text("1"), TrafficRow.side)
    found: Sequence[Row[Any]] = (await connection.execute(query)).all()
    return found


# -- events, and retention ---------------------------------------------------------------------


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
    for step_s, before in (
        (RECENT_S, recent_before),
        (MINUTE_S, minutes_before),
        (COARSE_S, minutes_before),
    ):
        await connection.execute(
            delete(TrafficRow).where(TrafficRow.step_s == step_s, TrafficRow.bucket_ms < before)
        )
    await connection.execute(delete(EventRow).where(EventRow.at_ms < events_before))
    await connection.execute(delete(ReportRow).where(ReportRow.at_ms < reports_before))
