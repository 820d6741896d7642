"""The evidence on routes, for the endpoints, the console and rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.comparisons import builds, caching, evidence, examples, fields, in_common, store
from control_plane.comparisons.batches import ShadowWorkerIn
from control_plane.comparisons.builds import BuildHead
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.fields import FieldNotes, PathFields
from control_plane.comparisons.judged import (
    EvidenceSummary,
    Judged,
    RouteBuilds,
    as_told,
    pick_newest,
)
from control_plane.comparisons.judging import EvidenceJudge
from control_plane.comparisons.records import WindowRecord
from control_plane.comparisons.rules import route_of
from control_plane.comparisons.schemas import (
    FieldsOut,
    LearnedOut,
    LearnedWindow,
    PathOut,
    PausedOut,
    RouteDetail,
    RouteEvidence,
    WindowOut,
)
from control_plane.db.engine import Database
from control_plane.http.problems import FindingOut, not_found
from control_plane.publishing.state import TableState
from figway.evidence.judgement import STANDINGS
from figway.model.table import Route, Stage

_HEARD_MS = 60_000  # a shadow worker that was silent for longer has nothing paused
_CACHE_MS = 1_000
_MOST_WINDOWS = 50
_MOST_LEARNED = 5_000
_COMPARED = (Stage.SHADOW, Stage.CANARY, Stage.NEW)


@dataclass(frozen=True, slots=True)
class FieldsFound:
    """Where the sides differ within a window and build."""

    judged: Judged | None
    """None where nothing was compared yet."""
    paths: list[PathFields]

    def frame(self) -> FieldsOut:
        """The answer, still without its paths."""
        judged = self.judged
        return FieldsOut(
            items=[],
            window="" if judged is None else judged.window,
            build="" if judged is None else judged.build,
            compared=0 if judged is None else judged.compared,
            own_looks=0 if judged is None else judged.own_looks,
            paths={name: sum(path.standing == name for path in self.paths) for name in STANDINGS},
        )


class EvidenceViews:
    """What shadowing has shown of routes."""

    def __init__(self, database: Database, state: TableState) -> None:
        self._database = database
        self._state = state
        self._judge = EvidenceJudge(state)
        self._current: tuple[int, object, dict[str, EvidenceSummary]] = (0, None, {})
        self._reading = asyncio.Lock()

    # -- all routes ----------------------------------------------------------------------------

    async def current(self) -> dict[str, EvidenceSummary]:
        """The evidence on every route in little; remembered for a second, and read by one at a
        time. A change of the table shows at once.
        """
        async with self._reading:
            now, table = now_ms(), self._state.current.table
            at, of, known = self._current
            if now - at < _CACHE_MS and of is table:
                return known
            async with self._database.read() as connection:
                rows = await store.current_windows(connection)
                newest = _newest(await builds.current_heads(connection))
                made = await self._judge.summaries(connection, list(newest.values()))
            found = {}
            for row in rows:
                head = newest.get(row.route)
                if head is None:
                    found[row.route] = EvidenceSummary.of(as_told(row, self._judge.now(row.route)))
                elif head.key in made:
                    found[row.route] = made[head.key]
            self._current = (now, table, found)
            return found

    async def compared(
        self, matches: Callable[[Route, EvidenceSummary | None], bool]
    ) -> list[Route]:
        """The routes that have evidence, or whose stage should bring some."""
        known = await self.current()
        found = []
        for route in self._state.current.table.routes.values():
            mine = known.get(route.id)
            if (mine is not None or route.stage in _COMPARED) and matches(route, mine):
                found.append(route)
        return found

    async def learned(self) -> LearnedOut:
        """What shadow workers have learned of the current windows: forms, looks, and legacy with
        itself. Workers that start take it in, so that nothing is learned twice."""
        async with self._database.read() as connection:
            heads = await builds.current_heads(connection)
            heads.sort(key=lambda head: -head.last_ms)
            stored = await builds.whole(connection, [head.key for head in heads[:_MOST_LEARNED]])
        windows = []
        for one in stored:
            data = one.evidence.to_data()
            learned = {name: data[name] for name in ("forms", "looks", "own")}
            windows.append(LearnedWindow(**one.head.key._asdict(), **learned))
        return LearnedOut(windows=windows)

    # -- some routes ---------------------------------------------------------------------------

    async def judged(self, routes: Sequence[str]) -> dict[str, Judged]:
        """The evidence on some routes: that of the newest build in the current window, by the
        rules, words and forms of now. Routes that were never compared are left out."""
        async with self._database.read() as connection:
            found = await self._current_builds(connection, routes)
        return {route: one.newest for route, (_, one) in found.items()}

    async def overview(self, routes: Sequence[Route]) -> list[RouteEvidence]:
        """Some routes with their evidence, in a number of queries that does not grow with them."""
        async with self._database.read() as connection:
            paused = await self._paused(connection)
            found = await self._current_builds(connection, [route.id for route in routes])
        table = self._state.current.table
        shown = {name: evidence.window_out(row, one) for name, (row, one) in found.items()}
        return [
            evidence.route_evidence(table, route, shown.get(route.id), paused) for route in routes
        ]

    async def _current_builds(
        self, connection: AsyncConnection, routes: Sequence[str]
    ) -> dict[str, tuple[WindowRecord, RouteBuilds]]:
        rows = await store.current_windows(connection, routes)
        heads = await builds.current_heads(connection, routes)
        judged = await self._judge.judged(connection, heads)
        by_route: dict[str, list[Judged]] = {}
        for one in judged.values():
            by_route.setdefault(one.route, []).append(one)
        return {
            row.route: (row, RouteBuilds.of(by_route.get(row.route) or [self._told(row)]))
            for row in rows
        }

    def _told(self, row: WindowRecord) -> Judged:
        return as_told(row, self._judge.now(row.route))

    async def _paused(self, connection: AsyncConnection) -> list[PausedOut]:
        found = []
        for row in await store.workers(connection, now_ms() - _HEARD_MS):
            worker = ShadowWorkerIn.model_validate_json(row.document)
            found += [
                PausedOut(**dict(entry), instance=row.instance, seen_ms=row.seen_ms)
                for entry in worker.paused
            ]
        return found

    # -- one route -----------------------------------------------------------------------------

    async def detail(self, route_id: str, from_ms: int, to_ms: int, step_s: int) -> RouteDetail:
        """All evidence on a route. Raises `ApiProblem` 404."""
        route = route_of(self._state.current, route_id)
        [found] = await self.overview([route])
        step_ms = step_s * 1_000
        from_ms -= from_ms % step_ms
        async with self._database.read() as connection:
            windows = await self._windows(connection, route_id)
            minutes = await store.minutes(connection, route_id, from_ms, to_ms, step_ms)
            count, size = await examples.usage(connection, route_id)
        return RouteDetail(
            **dict(found),
            windows=windows,
            from_ms=from_ms,
            to_ms=to_ms,
            step_s=step_s,
            points=evidence.points(minutes),
            examples=count,
            example_bytes=size,
            rules_written=list(route.comparison.rules),
            warnings=await self.warnings(route_id),
        )

    async def _windows(self, connection: AsyncConnection, route_id: str) -> list[WindowOut]:
        rows = await store.windows(connection, route_id, _MOST_WINDOWS)
        shown = {row.window for row in rows}
        heads = [
            one for one in await builds.heads_of(connection, route_id) if one.key.window in shown
        ]
        by_window: dict[str, list[Judged]] = {}
        for one in (await self._judge.judged(connection, heads)).values():
            by_window.setdefault(one.window, []).append(one)
        return [
            evidence.window_out(row, RouteBuilds.of(by_window.get(row.window) or [self._told(row)]))
            for row in rows
        ]

    async def warnings(self, route_id: str) -> list[FindingOut]:
        """Warnings about a route's answers, by its newest stored pairs: `caching.warnings`."""
        async with self._database.read() as connection:
            newest = await examples.whole(connection, Wanted(route=route_id), 20, 2_000_000)
        return await asyncio.to_thread(caching.warnings, self._state.current.table, newest)

    async def fields(
        self, route_id: str, window: str | None = None, build: str | None = None
    ) -> FieldsFound:
        """The differing fields of a window and build, by path; of the current window and its
        newest build where none is named. Raises `ApiProblem` 404 for what is not there."""
        route_of(self._state.current, route_id)
        async with self._database.read() as connection:
            judged = await self._window(connection, route_id, window, build)
        return FieldsFound(judged, [] if judged is None else fields.by_path(judged))

    async def _window(
        self, connection: AsyncConnection, route_id: str, window: str | None, build: str | None
    ) -> Judged | None:
        name = await store.current(connection, route_id) if window is None else window
        row = None if name is None else await store.window(connection, route_id, name)
        if row is None:
            if window is not None:
                raise not_found(f"evidence window of route {route_id!r} named", window)
            return None
        heads = [
            one for one in await builds.heads_of(connection, route_id) if one.key.window == name
        ]
        judged = list((await self._judge.judged(connection, heads)).values())
        if build is not None:
            judged = [one for one in judged if one.build == build]
            if not judged:
                raise not_found(f"build of new compared on route {route_id!r} named", build)
        if judged:
            return RouteBuilds.of(judged).newest
        records = await store.fields(connection, route_id, row.window)
        return as_told(row, self._judge.now(route_id), records)

    async def shown(self, found: FieldsFound, paths: Sequence[PathFields]) -> list[PathOut]:
        """Some paths of a window, written out."""
        judged = found.judged
        if judged is None or not paths:
            return []
        names = [one.field for path in paths for one in path.fields]
        async with self._database.read() as connection:
            records = await store.fields(connection, judged.route, judged.window)
            stored = await examples.count_by_field(connection, judged.route, names)
        said = await self._in_common(judged, paths)
        notes = FieldNotes({one.field: one for one in records}, stored, said)
        return [fields.path_out(path, judged, notes) for path in paths]

    async def _in_common(self, judged: Judged, paths: Sequence[PathFields]) -> dict[str, str]:
        names = [
            one.field for path in paths for one in path.fields if one.standing not in fields.HIDDEN
        ]
        if not names:
            return {}
        wanted = Wanted(route=judged.route, window=judged.window)
        async with self._database.read() as connection:
            stored = await examples.whole(
                connection, wanted, in_common.MOST_PAIRS, in_common.MOST_BYTES
            )
        return await asyncio.to_thread(in_common.sentences, stored, names)

    async def of_window(self, route_id: str, window: str, build: str) -> Judged | None:
        """The evidence that a stored pair belongs to; None where only verdicts were told."""
        async with self._database.read() as connection:
            heads = [
                one
                for one in await builds.heads_of(connection, route_id)
                if one.key.window == window and one.key.build == build
            ]
            judged = await self._judge.judged(connection, heads)
        return next(iter(judged.values()), None)


def _newest(heads: Sequence[BuildHead]) -> dict[str, BuildHead]:
    """Of each route, the build that is shown."""
    by_route: dict[str, list[BuildHead]] = {}
    for head in heads:
        by_route.setdefault(head.key.route, []).append(head)
    return {route: pick_newest(found) for route, found in by_route.items()}
