"""Counts by what differed in the database: one row for each route, window and build of new.

What proxies send are differences since they sent last. A row is read, added to and written under
the lock of `store.lock`; of its three documents only those that a batch changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import RowMapping, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.comparisons.batches import RouteIn
from control_plane.comparisons.store import plain
from control_plane.db.engine import Database
from control_plane.db.models import ComparedBuildRow, ComparedRouteRow
from figway.evidence.window import BuildEvidence

_COUNTS = (
    "signatures",
    "failed",
    "equal_faults",
    "unconfirmed",
    "looks",
    "own",
    "reads",
    "frequent",
    "shapes",
    "seen_shapes",
)
_PARTS = {"counts": _COUNTS, "places": ("forms", "sketches"), "requests": ("distinct", "grown_ms")}
"""The columns of a row, and the members of `BuildEvidence.to_data` that each holds."""
_CHUNK = 200


class BuildKey(NamedTuple):
    """What a row is found by."""

    route: str
    window: str
    build: str


@dataclass(frozen=True, slots=True)
class BuildHead:
    """A row without its documents."""

    key: BuildKey
    version: int
    first_ms: int
    last_ms: int

    @property
    def build(self) -> str:
        """Empty where new names none."""
        return self.key.build


@dataclass(frozen=True, slots=True)
class StoredBuild:
    """A row."""

    head: BuildHead
    evidence: BuildEvidence


# -- writing -----------------------------------------------------------------------------------


def deltas_of(parts: Iterable[RouteIn]) -> dict[str, BuildEvidence]:
    """What some rows of a batch add, by build.

    Raises:
        ValueError, TypeError, KeyError: for what is no evidence.
    """
    found: dict[str, BuildEvidence] = {}
    for part in parts:
        for data in part.evidence:
            delta = BuildEvidence.from_data(data.model_dump(exclude_unset=True))
            known = found.setdefault(delta.build, BuildEvidence(delta.build))
            known.add(delta)
    return found


async def merge(
    database: Database,
    connection: AsyncConnection,
    deltas: Mapping[tuple[str, str], Mapping[str, BuildEvidence]],
) -> None:
    """Add what was compared, by route and window, then build."""
    for (route, window), builds in sorted(deltas.items()):
        for build, delta in sorted(builds.items()):
            await _merge_one(database, connection, BuildKey(route, window, plain(build)), delta)


async def _merge_one(
    database: Database, connection: AsyncConnection, key: BuildKey, delta: BuildEvidence
) -> None:
    said = {name: value for name, value in delta.to_data().items() if not _is_empty(value)}
    touched = [column for column, names in _PARTS.items() if any(name in said for name in names)]
    query = select(ComparedBuildRow.version, ComparedBuildRow.first_ms, ComparedBuildRow.last_ms)
    query = query.add_columns(*(getattr(ComparedBuildRow, name) for name in touched))
    row = (await connection.execute(query.where(_is(key)))).mappings().one_or_none()
    merged = _stored(row, touched) if row is not None else BuildEvidence(key.build)
    first = merged.first_ms
    merged.add(delta)
    if first:
        merged.first_ms = min(first, merged.first_ms)
    values = {
        "version": 1 if row is None else row["version"] + 1,
        "first_ms": merged.first_ms,
        "last_ms": merged.last_ms,
        **_documents(merged, touched if row is not None else list(_PARTS)),
    }
    statement = database.insert(ComparedBuildRow).values(
        **{**dict.fromkeys(_PARTS, "{}"), **key._asdict(), **values}
    )
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["route", "window", "build"], set_=values)
    )


def _is_empty(value: object) -> bool:
    """Nothing is said: no member, no count, at any depth."""
    if isinstance(value, dict):
        return all(_is_empty(inner) for inner in value.values())
    return not value


def _documents(evidence: BuildEvidence, columns: Iterable[str]) -> dict[str, str]:
    data = evidence.to_data()
    return {
        column: plain(orjson.dumps({name: data[name] for name in _PARTS[column]}).decode())
        for column in columns
    }


def _stored(row: RowMapping, columns: Iterable[str]) -> BuildEvidence:
    data: dict[str, Any] = {"first_ms": row["first_ms"], "last_ms": row["last_ms"]}
    for column in columns:
        data |= orjson.loads(row[column])
    return BuildEvidence.from_data(data)


def _is(key: BuildKey) -> Any:
    return and_(
        ComparedBuildRow.route == key.route,
        ComparedBuildRow.window == key.window,
        ComparedBuildRow.build == key.build,
    )


# -- reading -----------------------------------------------------------------------------------


_HEAD = (
    ComparedBuildRow.route,
    ComparedBuildRow.window,
    ComparedBuildRow.build,
    ComparedBuildRow.version,
    ComparedBuildRow.first_ms,
    ComparedBuildRow.last_ms,
)
_IN_CURRENT = and_(
    ComparedRouteRow.route == ComparedBuildRow.route,
    ComparedRouteRow.window == ComparedBuildRow.window,
)


async def current_heads(
    connection: AsyncConnection, routes: Sequence[str] | None = None
) -> list[BuildHead]:
    """The builds of the current window of every route, or of some routes."""
    query = select(*_HEAD).join(ComparedRouteRow, _IN_CURRENT)
    if routes is None:
        return [_head(row) for row in (await connection.execute(query)).mappings()]
    found = []
    for start in range(0, len(routes), _CHUNK):
        some = query.where(ComparedBuildRow.route.in_(routes[start : start + _CHUNK]))
        found += [_head(row) for row in (await connection.execute(some)).mappings()]
    return found


async def heads_of(connection: AsyncConnection, route: str) -> list[BuildHead]:
    """The builds of every window of a route."""
    query = select(*_HEAD).where(ComparedBuildRow.route == route)
    return [_head(row) for row in (await connection.execute(query)).mappings()]


def _head(row: RowMapping) -> BuildHead:
    key = BuildKey(row["route"], row["window"], row["build"])
    return BuildHead(key, row["version"], row["first_ms"], row["last_ms"])


async def whole(connection: AsyncConnection, keys: Sequence[BuildKey]) -> list[StoredBuild]:
    """Rows with their documents."""
    found = []
    for start in range(0, len(keys), _CHUNK):
        wanted = set(keys[start : start + _CHUNK])
        query = select(ComparedBuildRow.__table__).where(
            ComparedBuildRow.route.in_(sorted({key.route for key in wanted})),
            ComparedBuildRow.window.in_(sorted({key.window for key in wanted})),
        )
        for row in (await connection.execute(query)).mappings():
            head = _head(row)
            if head.key in wanted:
                evidence = _stored(row, _PARTS)
                evidence.build = head.key.build
                found.append(StoredBuild(head, evidence))
    return found


async def drop(connection: AsyncConnection, windows: Iterable[tuple[str, str]]) -> None:
    """Delete what belongs to windows, given by route and name."""
    for route, window in windows:
        mine = and_(ComparedBuildRow.route == route, ComparedBuildRow.window == window)
        await connection.execute(delete(ComparedBuildRow).where(mine))
