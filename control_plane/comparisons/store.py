"""Windows, minutes and fields of comparisons in the database.

The verdicts of windows and minutes are as they were told when each pair ended; what they come to
by the rules of now is derived from `builds`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, case, delete, func, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.comparisons.batches import BatchIn, FieldIn, RouteIn
from control_plane.comparisons.records import (
    FieldRecord,
    MinuteRecord,
    WindowRecord,
    WorkerRecord,
)
from control_plane.comparisons.tallies import Tallies
from control_plane.db.engine import Database
from control_plane.db.models import (
    BatchRow,
    ComparedFieldRow,
    ComparedMinuteRow,
    ComparedRouteRow,
    ComparedWindowRow,
    ShadowWorkerRow,
)

MINUTE_MS = 60_000
MOST_FIELDS = 2_000
"""Fields counted within one window; what differs beyond them is in the verdicts only."""
_LOCK = 0x46_69_67_77_43
_CHUNK = 500

Key = tuple[str, str]
"""Route, window."""


def digest(text_: str) -> str:
    """A text of any length as a key of 32 characters."""
    return hashlib.blake2b(text_.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def plain(text_: str) -> str:
    """Text as a column takes it: PostgreSQL stores no NUL."""
    return text_.replace("\0", "\\u0000")


async def lock(database: Database, connection: AsyncConnection) -> None:
    """Merging reads, then writes: one control plane at a time, or counts would be lost.

    SQLite has one writer anyway.
    """
    if database.is_postgres:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def first_time(
    database: Database, connection: AsyncConnection, batch: BatchIn, now: int
) -> bool:
    """Note a batch; False if it was noted before."""
    await lock(database, connection)
    statement = database.insert(BatchRow).values(
        boot=batch.boot, sequence=batch.sequence, at_ms=now
    )
    return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


async def put_worker(
    database: Database, connection: AsyncConnection, batch: BatchIn, now: int
) -> None:
    """Keep what a shadow worker says of itself."""
    if batch.worker is None:
        return
    statement = database.insert(ShadowWorkerRow).values(
        instance=batch.instance,
        boot=batch.boot,
        seen_ms=now,
        document=batch.worker.model_dump_json(),
    )
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["instance"],
            set_={name: new[name] for name in ("boot", "seen_ms", "document")},
        )
    )


async def merge_windows(
    database: Database,
    connection: AsyncConnection,
    reported: Mapping[Key, Sequence[RouteIn]],
    from_ms: int,
    to_ms: int,
) -> None:
    """Add to the windows, and note which of them are current."""
    known = await _windows(connection, reported)
    rows = []
    for (route, window), parts in reported.items():
        tallies = Tallies()
        revision, first, last = 0, from_ms, to_ms
        if (row := known.get((route, window))) is not None:
            tallies.add_row(row)
            revision, first, last = row.revision, min(row.first_ms, first), max(row.last_ms, last)
        for part in parts:
            tallies.add_reported(part)
            revision = max(revision, part.revision)
        rows.append(
            {
                "route": route,
                "window": window,
                "revision": revision,
                "first_ms": first,
                "last_ms": last,
                **tallies.columns(),
            }
        )
    if not rows:
        return
    statement = database.insert(ComparedWindowRow)
    columns = [name for name in rows[0] if name not in ("route", "window")]
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["route", "window"],
            set_={name: statement.excluded[name] for name in columns},
        ),
        rows,
    )
    await _note_current(database, connection, rows)


async def _windows(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, WindowRecord]:
    wanted = sorted({route for route, _ in keys})
    ids = {window for _, window in keys}
    found: dict[Key, WindowRecord] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(ComparedWindowRow.__table__).where(
            ComparedWindowRow.route.in_(wanted[start : start + _CHUNK])
        )
        if len(ids) <= _CHUNK:
            query = query.where(ComparedWindowRow.window.in_(sorted(ids)))
        rows = map(WindowRecord.of, (await connection.execute(query)).all())
        found.update({(row.route, row.window): row for row in rows})
    return found


async def _note_current(
    database: Database, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]
) -> None:
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        best = newest.get(row["route"])
        if best is None or (row["revision"], row["last_ms"]) > (best["revision"], best["last_ms"]):
            newest[row["route"]] = row
    statement = database.insert(ComparedRouteRow)
    new = statement.excluded
    # A proxy that lags behind still reports on the window before: the newest revision wins.
    later = or_(
        new.revision > ComparedRouteRow.revision,
        and_(new.revision == ComparedRouteRow.revision, new.last_ms >= ComparedRouteRow.last_ms),
        new.window == ComparedRouteRow.window,
    )
    columns = ("route", "window", "revision", "last_ms")
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["route"],
            set_={name: new[name] for name in columns[1:]},
            where=later,
        ),
        [{name: row[name] for name in columns} for row in newest.values()],
    )


async def merge_minutes(
    database: Database,
    connection: AsyncConnection,
    reported: Mapping[Key, Sequence[RouteIn]],
    at_ms: int,
) -> None:
    """Add to the minute of `at_ms`."""
    bucket = at_ms - at_ms % MINUTE_MS
    rows = []
    for (route, window), parts in sorted(reported.items()):
        tallies = Tallies()
        for part in parts:
            tallies.add_reported(part)
        counts = {
            **tallies.verdicts,
            "captured": tallies.captured,
            "dropped": tallies.dropped,
        }
        rows += [
            {"route": route, "bucket_ms": bucket, "window": window, "verdict": name, "pairs": n}
            for name, n in counts.items()
            if n
        ]
    if not rows:
        return
    statement = database.insert(ComparedMinuteRow)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["route", "bucket_ms", "window", "verdict"],
            set_={"pairs": ComparedMinuteRow.pairs + statement.excluded.pairs},
        ),
        rows,
    )


async def merge_fields(
    database: Database,
    connection: AsyncConnection,
    reported: Mapping[Key, Sequence[RouteIn]],
    from_ms: int,
    to_ms: int,
) -> None:
    """Add to the counters of fields; a window that is full takes no new ones."""
    for (route, window), parts in sorted(reported.items()):
        rows: dict[str, dict[str, Any]] = {}
        for part in parts:
            for entry in part.fields:
                _add_field(rows, entry, from_ms, to_ms)
            for noisy in part.noise.fields:
                quiet = FieldIn(
                    path=noisy.path,
                    kind=noisy.kind,
                    detector=noisy.detector,
                    field=noisy.field,
                    count=0,
                )
                _add_field(rows, quiet, from_ms, to_ms)["self_differing"] += noisy.count
        if rows:
            await _put_fields(database, connection, route, window, rows)


def _add_field(
    rows: dict[str, dict[str, Any]], entry: FieldIn, from_ms: int, to_ms: int
) -> dict[str, Any]:
    key = digest(entry.key)
    first, last = entry.first_ms or from_ms, entry.last_ms or to_ms
    row = rows.setdefault(
        key,
        {
            "key": key,
            "field": plain(entry.key),
            "path": plain(entry.path),
            "kind": plain(entry.kind),
            "detector": plain(entry.detector),
            "differing": 0,
            "ignored": 0,
            "self_differing": 0,
            "rule": "",
            "proposed": "",
            "first_ms": first,
            "last_ms": last,
        },
    )
    row["differing"] += entry.count
    row["ignored"] += entry.ignored
    row["rule"] = plain(entry.rule) or row["rule"]
    if entry.proposed:
        row["proposed"] = json.dumps(entry.proposed)
    row["first_ms"] = min(row["first_ms"], first)
    row["last_ms"] = max(row["last_ms"], last)
    return row


async def _put_fields(
    database: Database,
    connection: AsyncConnection,
    route: str,
    window: str,
    rows: dict[str, dict[str, Any]],
) -> None:
    mine = and_(ComparedFieldRow.route == route, ComparedFieldRow.window == window)
    count = select(func.count()).select_from(ComparedFieldRow).where(mine)
    room = MOST_FIELDS - (await connection.execute(count)).scalar_one()
    chosen = rows
    if room < len(rows):
        query = select(ComparedFieldRow.key).where(mine)
        known = set((await connection.execute(query)).scalars())
        new = [key for key in rows if key not in known][: max(0, room)]
        chosen = {key: row for key, row in rows.items() if key in known or key in new}
    if not chosen:
        return
    statement = database.insert(ComparedFieldRow)
    fresh, old = statement.excluded, ComparedFieldRow
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["route", "window", "key"],
            set_={
                "differing": old.differing + fresh.differing,
                "ignored": old.ignored + fresh.ignored,
                "self_differing": old.self_differing + fresh.self_differing,
                "rule": case((fresh.rule != "", fresh.rule), else_=old.rule),
                "proposed": case((fresh.proposed != "", fresh.proposed), else_=old.proposed),
                "detector": case((fresh.detector != "", fresh.detector), else_=old.detector),
                "first_ms": case(
                    (fresh.first_ms < old.first_ms, fresh.first_ms), else_=old.first_ms
                ),
                "last_ms": case((fresh.last_ms > old.last_ms, fresh.last_ms), else_=old.last_ms),
            },
        ),
        [{"route": route, "window": window, **row} for row in chosen.values()],
    )


# -- reading -----------------------------------------------------------------------------------


_IS_CURRENT = and_(
    ComparedRouteRow.route == ComparedWindowRow.route,
    ComparedRouteRow.window == ComparedWindowRow.window,
)
_COUNTED = [column for column in ComparedWindowRow.__table__.columns if column.name != "latency"]
_NO_LATENCY = literal("").label("latency")


async def current_windows(
    connection: AsyncConnection, routes: Sequence[str] | None = None
) -> list[WindowRecord]:
    """The current window of every route, without its latencies; or of some routes, whole."""
    if routes is None:
        counted = select(*_COUNTED, _NO_LATENCY).join(ComparedRouteRow, _IS_CURRENT)
        return [WindowRecord.of(row) for row in (await connection.execute(counted)).all()]
    query = select(ComparedWindowRow.__table__).join(ComparedRouteRow, _IS_CURRENT)
    query = query.where(ComparedRouteRow.route.in_(routes))
    return [WindowRecord.of(row) for row in (await connection.execute(query)).all()]


async def windows(connection: AsyncConnection, route: str, limit: int) -> list[WindowRecord]:
    """The windows of a route, newest first."""
    query = select(ComparedWindowRow.__table__).where(ComparedWindowRow.route == route)
    query = query.order_by(ComparedWindowRow.last_ms.desc(), ComparedWindowRow.window)
    return list(map(WindowRecord.of, (await connection.execute(query.limit(limit))).all()))


async def window(connection: AsyncConnection, route: str, name: str) -> WindowRecord | None:
    """One window of a route."""
    query = select(ComparedWindowRow.__table__).where(
        ComparedWindowRow.route == route, ComparedWindowRow.window == name
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else WindowRecord.of(row)


async def current(connection: AsyncConnection, route: str) -> str | None:
    """The name of the current window of a route; None before the first batch."""
    query = select(ComparedRouteRow.window).where(ComparedRouteRow.route == route)
    return (await connection.execute(query)).scalar_one_or_none()


async def minutes(
    connection: AsyncConnection, route: str, from_ms: int, to_ms: int, step_ms: int
) -> list[MinuteRecord]:
    """Pairs by step, window and verdict."""
    step = (ComparedMinuteRow.bucket_ms - ComparedMinuteRow.bucket_ms % step_ms).label("at_ms")
    window_, verdict = ComparedMinuteRow.window, ComparedMinuteRow.verdict
    query = (
        select(step, window_, verdict, func.sum(ComparedMinuteRow.pairs).label("pairs"))
        .where(
            ComparedMinuteRow.route == route,
            ComparedMinuteRow.bucket_ms >= from_ms,
            ComparedMinuteRow.bucket_ms < to_ms,
        )
        .group_by(text("1"), window_, verdict)
        .order_by(text("1"))
    )
    return [MinuteRecord.of(row) for row in (await connection.execute(query)).all()]


async def fields(connection: AsyncConnection, route: str, name: str) -> list[FieldRecord]:
    """The fields of one window."""
    query = select(ComparedFieldRow.__table__).where(
        ComparedFieldRow.route == route, ComparedFieldRow.window == name
    )
    return list(map(FieldRecord.of, (await connection.execute(query)).all()))


async def workers(connection: AsyncConnection, since_ms: int) -> list[WorkerRecord]:
    """The shadow workers that were heard of since then."""
    query = select(ShadowWorkerRow.__table__).where(ShadowWorkerRow.seen_ms >= since_ms)
    rows = await connection.execute(query.order_by(ShadowWorkerRow.instance))
    return list(map(WorkerRecord.of, rows.all()))


# -- retention ---------------------------------------------------------------------------------


async def trim(connection: AsyncConnection, *, before_ms: int, batches_before: int) -> list[Key]:
    """Delete the windows that ended before then, and what this module keeps of them; which."""
    old = (
        await connection.execute(
            delete(ComparedWindowRow)
            .where(ComparedWindowRow.last_ms < before_ms)
            .returning(ComparedWindowRow.route, ComparedWindowRow.window)
        )
    ).all()
    for route, name in old:
        for table in (ComparedFieldRow, ComparedRouteRow):
            await connection.execute(
                delete(table).where(table.route == route, table.window == name)
            )
    await connection.execute(
        delete(ComparedMinuteRow).where(ComparedMinuteRow.bucket_ms < before_ms)
    )
    await connection.execute(delete(BatchRow).where(BatchRow.at_ms < batches_before))
    await connection.execute(delete(ShadowWorkerRow).where(ShadowWorkerRow.seen_ms < before_ms))
    return [(route, name) for route, name in old]
