"""Stored pairs in the database, and how long they are kept: by age, by number, by bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.comparisons.batches import ExampleIn, RouteIn
from control_plane.comparisons.records import PairHead, StoredPair
from control_plane.comparisons.store import Key, digest, plain
from control_plane.db.engine import Database
from control_plane.db.models import ExampleFieldRow, ExampleRow, ExampleUsageRow
from control_plane.http.problems import invalid
from control_plane.settings import Settings

_CHUNK = 500
_MOST_MARKS = 200
_SUMMARY = [column for column in ExampleRow.__table__.columns if column.name != "document"]


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept."""

    per_signature: int
    """Newest examples of one route, verdict and signature."""
    per_route: int
    bytes: int
    """Of all examples together."""

    @classmethod
    def of(cls, settings: Settings) -> Keep:
        """What the settings say."""
        return cls(
            settings.keep_examples_per_signature,
            settings.keep_examples_per_route,
            settings.keep_example_megabytes * 1_000_000,
        )


async def add(
    database: Database,
    connection: AsyncConnection,
    reported: Mapping[Key, Sequence[RouteIn]],
    instance: str,
    now: int,
    keep: Keep,
) -> list[PairHead]:
    """Store the examples that are new; their rows, without the documents.

    Raises:
        ApiProblem: 422 for what JSON cannot say.
    """
    found = {
        example.id: (key, example)
        for key, parts in reported.items()
        for part in parts
        for example in part.examples
    }
    for known in await _known(connection, found):
        del found[known]
    rows = [_row(*key, example, instance, now) for key, example in found.values()]
    if not rows:
        return []
    await connection.execute(insert(ExampleRow), rows)
    numbers = await _known(connection, found)
    places = [
        {"number": numbers[example.id], "key": name}
        for _, example in found.values()
        for name in _places(example)
    ]
    if places:
        await connection.execute(insert(ExampleFieldRow), places)
    await _use(database, connection, rows)
    await _keep_newest(connection, rows, keep)
    await keep_bytes(connection, keep.bytes)
    return [_head(row, numbers[row["id"]]) for row in rows]


def _head(row: Mapping[str, Any], number: int) -> PairHead:
    names = ("id", "at_ms", "received_ms", "route", "window", "revision", "instance", "verdict",
             "signature", "served", "size", "summary")  # fmt: skip
    return PairHead(number, *(row[name] for name in names))


def _row(route: str, window: str, example: ExampleIn, instance: str, now: int) -> dict[str, Any]:
    try:
        document = json.dumps(example.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise invalid("routes.examples", f"example {example.id}: {error}") from None
    counting = [d for d in example.differences if not d.ignored_by and not d.noise]
    summary = {
        "method": example.request.method,
        "target": example.request.target[:500],
        "legacy_status": example.legacy.status,
        "new_status": example.new.status,
        "legacy_ms": example.legacy.elapsed_ms,
        "new_ms": example.new.elapsed_ms,
        "reason": example.reason,
        "build": example.build,
        "marks": [list(entry) for entry in example.marks[:_MOST_MARKS]],
        "differences": len(example.differences),
        "paths": list(dict.fromkeys(d.path for d in (counting or example.differences)))[:10],
    }
    return {
        "id": example.id,
        "at_ms": example.at_ms,
        "received_ms": now,
        "route": route,
        "window": window,
        "revision": example.revision,
        "instance": instance,
        "verdict": example.verdict,
        "signature": plain(example.signature),
        "served": example.served,
        "size": len(document.encode()),
        "summary": json.dumps(summary, ensure_ascii=False),
        "document": document,
    }


def _places(example: ExampleIn) -> set[str]:
    texts = {difference.key for difference in example.differences}
    texts |= {difference.path for difference in example.differences}
    return {digest(text) for text in texts}


async def _known(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, int]:
    wanted = list(ids)
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(ExampleRow.id, ExampleRow.number).where(
            ExampleRow.id.in_(wanted[start : start + _CHUNK])
        )
        found.update({row.id: row.number for row in (await connection.execute(query)).all()})
    return found


async def _use(
    database: Database, connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]
) -> None:
    used: dict[str, tuple[int, int]] = {}
    for row in rows:
        examples, size = used.get(row["route"], (0, 0))
        used[row["route"]] = (examples + 1, size + row["size"])
    statement = database.insert(ExampleUsageRow)
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["route"],
            set_={
                "examples": ExampleUsageRow.examples + new.examples,
                "size": ExampleUsageRow.size + new.size,
            },
        ),
        [
            {"route": route, "examples": examples, "size": size}
            for route, (examples, size) in sorted(used.items())
        ],
    )


# -- retention ---------------------------------------------------------------------------------


async def _keep_newest(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], keep: Keep
) -> None:
    groups = {(row["route"], row["verdict"], row["signature"]) for row in rows}
    for route, verdict, signature in sorted(groups):
        query = select(ExampleRow.number).where(
            ExampleRow.route == route,
            ExampleRow.verdict == verdict,
            ExampleRow.signature == signature,
        )
        await _drop_beyond(connection, query, keep.per_signature)
    for route in sorted({row["route"] for row in rows}):
        query = select(ExampleRow.number).where(ExampleRow.route == route)
        await _drop_beyond(connection, query, keep.per_route)


async def _drop_beyond(connection: AsyncConnection, query: Any, most: int) -> None:
    ordered = query.order_by(ExampleRow.number.desc()).offset(most).limit(10_000)
    await drop(connection, list((await connection.execute(ordered)).scalars()))


async def keep_bytes(connection: AsyncConnection, most: int) -> int:
    """Delete the oldest examples until all together take no more than `most`; how many went."""
    total = select(func.coalesce(func.sum(ExampleUsageRow.size), 0))
    excess = int((await connection.execute(total)).scalar_one()) - most
    dropped = 0
    while excess > 0:
        query = select(ExampleRow.number, ExampleRow.size).order_by(ExampleRow.number)
        oldest = (await connection.execute(query.limit(_CHUNK))).all()
        if not oldest:
            break
        going = []
        for number, size in oldest:
            if excess <= 0:
                break
            going.append(number)
            excess -= size
        await drop(connection, going)
        dropped += len(going)
    return dropped


async def drop_older(connection: AsyncConnection, before_ms: int, limit: int) -> int:
    """Delete up to `limit` examples that arrived before then; how many went."""
    query = select(ExampleRow.number).where(ExampleRow.received_ms < before_ms).limit(limit)
    going = list((await connection.execute(query)).scalars())
    await drop(connection, going)
    return len(going)


async def drop(connection: AsyncConnection, numbers: Sequence[int]) -> None:
    """Delete examples, and what they took from the space."""
    for start in range(0, len(numbers), _CHUNK):
        chosen = ExampleRow.number.in_(numbers[start : start + _CHUNK])
        freed = (
            await connection.execute(
                select(ExampleRow.route, func.count(), func.sum(ExampleRow.size))
                .where(chosen)
                .group_by(ExampleRow.route)
            )
        ).all()
        await connection.execute(
            delete(ExampleFieldRow).where(
                ExampleFieldRow.number.in_(numbers[start : start + _CHUNK])
            )
        )
        await connection.execute(delete(ExampleRow).where(chosen))
        for route, count, size in freed:
            await connection.execute(
                update(ExampleUsageRow)
                .where(ExampleUsageRow.route == route)
                .values(
                    examples=ExampleUsageRow.examples - count,
                    size=ExampleUsageRow.size - int(size),
                )
            )


# -- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which examples are wanted; what is empty does not narrow."""

    route: str = ""
    verdict: str = ""
    field: str = ""
    """A field's key or a path."""
    signature: str = ""
    window: str = ""
    ids: tuple[str, ...] = ()

    def without_verdict(self) -> Wanted:
        """Whatever their verdict."""
        return replace(self, verdict="")


def _narrowed(query: Any, wanted: Wanted) -> Any:
    for name in ("route", "verdict", "signature", "window"):
        if value := getattr(wanted, name):
            query = query.where(getattr(ExampleRow, name) == value)
    if wanted.field:
        here = ExampleFieldRow.key == digest(wanted.field)
        mine = ExampleFieldRow.number == ExampleRow.number
        if wanted.route:
            # A route keeps few pairs, and many routes differ in the same field: begin with the
            # route. Written out as a join, the database may begin with the field.
            query = query.where(exists().where(mine, here).correlate(ExampleRow))
        else:
            query = query.join(ExampleFieldRow, mine).where(here)
    if wanted.ids:
        query = query.where(ExampleRow.id.in_(wanted.ids))
    return query


def _newest_first(query: Any, wanted: Wanted, before: int | None) -> Any:
    # The same number in both tables; the one that the search begins with has it in order.
    began = ExampleFieldRow if wanted.field and not wanted.route else ExampleRow
    if before is not None:
        query = query.where(began.number < before)
    return query.order_by(began.number.desc())


async def page(
    connection: AsyncConnection, wanted: Wanted, before: int | None, limit: int
) -> list[PairHead]:
    """Stored pairs without their documents, newest first."""
    query = _newest_first(_narrowed(select(*_SUMMARY), wanted), wanted, before).limit(limit)
    return list(map(PairHead.of, (await connection.execute(query)).all()))


async def one(connection: AsyncConnection, example: str) -> StoredPair | None:
    """One stored pair, whole."""
    query = select(ExampleRow.__table__).where(ExampleRow.id == example)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else StoredPair.of(row)


async def begins_with(connection: AsyncConnection, start: str, limit: int) -> list[str]:
    """The ids of stored pairs that begin so."""
    after = start[:-1] + chr(ord(start[-1]) + 1)
    query = select(ExampleRow.id).where(ExampleRow.id >= start, ExampleRow.id < after)
    return list((await connection.execute(query.order_by(ExampleRow.id).limit(limit))).scalars())


async def whole(
    connection: AsyncConnection, wanted: Wanted, limit: int, most_bytes: int
) -> list[StoredPair]:
    """Up to `limit` pairs with their documents, newest first, together within `most_bytes`."""
    rows: list[StoredPair] = []
    used = 0
    before: int | None = None
    while len(rows) < limit:
        query = _newest_first(_narrowed(select(ExampleRow.__table__), wanted), wanted, before)
        part = (await connection.execute(query.limit(min(20, limit - len(rows))))).all()
        for row in map(StoredPair.of, part):
            used += row.size
            if used > most_bytes and rows:
                return rows
            rows.append(row)
        if len(part) < 20:
            break
        before = part[-1].number
    return rows


async def by_ids(connection: AsyncConnection, ids: Sequence[str]) -> list[StoredPair]:
    """Pairs with their documents, in the order of `ids`."""
    found: dict[str, StoredPair] = {}
    for start in range(0, len(ids), 20):
        query = select(ExampleRow.__table__).where(ExampleRow.id.in_(ids[start : start + 20]))
        for row in (await connection.execute(query)).all():
            found[row.id] = StoredPair.of(row)
    return [found[name] for name in ids if name in found]


async def count_by_field(
    connection: AsyncConnection, route: str, names: Sequence[str]
) -> dict[str, int]:
    """How many stored pairs of a route differ in each of some fields."""
    keys = {digest(name): name for name in names}
    found: dict[str, int] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        query = (
            select(ExampleFieldRow.key, func.count())
            .join(ExampleRow, ExampleRow.number == ExampleFieldRow.number)
            .where(ExampleRow.route == route)
            .where(ExampleFieldRow.key.in_(wanted[start : start + _CHUNK]))
            .group_by(ExampleFieldRow.key)
        )
        for key, count in (await connection.execute(query)).all():
            found[keys[key]] = int(count)
    return found


async def usage(connection: AsyncConnection, route: str) -> tuple[int, int]:
    """How many examples a route has, and their bytes."""
    query = select(ExampleUsageRow.examples, ExampleUsageRow.size).where(
        ExampleUsageRow.route == route
    )
    row = (await connection.execute(query)).one_or_none()
    return (0, 0) if row is None else (row.examples, row.size)
