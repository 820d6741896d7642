"""Comparisons for the endpoints and the console: evidence, fields, examples, previews, exports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.clock import now_ms
from control_plane.comparisons import (
    caching,
    cases,
    evidence,
    examples,
    export,
    fields,
    replays,
    store,
)
from control_plane.comparisons import preview as previews
from control_plane.comparisons.batches import BatchIn, ShadowWorkerIn
from control_plane.comparisons.examples import Keep, Wanted
from control_plane.comparisons.export import Format
from control_plane.comparisons.fields import PathSketch
from control_plane.comparisons.ingest import ingest
from control_plane.comparisons.preview import Surroundings
from control_plane.comparisons.rules import route_of, spec
from control_plane.comparisons.schemas import (
    ExampleOut,
    ExampleSummary,
    FieldsOut,
    NoiseOut,
    PathOut,
    PausedOut,
    PreviewIn,
    PreviewOut,
    RouteDetail,
    RouteEvidence,
    WindowOut,
)
from control_plane.comparisons.tallies import Tallies
from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, FindingOut, invalid, not_found
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import TableState
from control_plane.settings import Settings
from figway.compare.rules import RuleError, RuleSet
from figway.evidence.comparing import comparison_rule, overruled, rule_set
from figway.model.table import Route, Stage

_DAY_MS = 86_400_000
_SEEN_MS = 2 * _DAY_MS  # a batch that comes back later than this would be counted again
_HEARD_MS = 60_000  # a shadow worker that was silent for longer has nothing paused
_CACHE_MS = 1_000
_TRIM_CHUNK = 1_000
_PREVIEWS = 2
_MOST_WINDOWS = 50
_MOST_SHOWN = 2_000  # windows that are remembered as they are shown, about 5 KB each
_COMPARED = (Stage.SHADOW, Stage.CANARY, Stage.NEW)


@dataclass(frozen=True, slots=True)
class Known:
    """The current window of a route, read once for lists."""

    row: Any
    tallies: Tallies
    """Without latencies."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The current window of a route as lists show it."""

    row: Any
    words: dict[str, bool]
    window: WindowOut
    noise: NoiseOut

    def holds(self, row: Any, words: dict[str, bool]) -> bool:
        """Is it still so? A batch changes the window's row together with its fields."""
        return bool(self.row == row) and self.words == words


@dataclass(frozen=True, slots=True)
class FieldsFound:
    """Where the sides differ within a window."""

    window: str
    tallies: Tallies
    words: dict[str, bool]
    paths: list[PathSketch]

    def frame(self) -> FieldsOut:
        """The answer, still without its paths."""
        return FieldsOut(
            items=[],
            window=self.window,
            compared=self.tallies.rated,
            self_compared=self.tallies.noise_pairs,
            paths={
                standing: sum(path.standing == standing for path in self.paths)
                for standing in ("real", "noise", "ignored")
            },
        )

    def shown(self, path: PathSketch) -> PathOut:
        """One path, written out."""
        return fields.path_out(path, self.tallies, self.words)


class ComparisonService:
    """What shadowing has shown."""

    def __init__(self, database: Database, settings: Settings, state: TableState) -> None:
        self._database = database
        self._settings = settings
        self._state = state
        self._keep = Keep.of(settings)
        self._current: tuple[int, dict[str, Known]] = (0, {})
        self._reading = asyncio.Lock()
        self._shown: dict[str, Shown] = {}
        self._previewing = asyncio.Semaphore(_PREVIEWS)
        self.live = Hub(settings.max_streams)
        """Feeds `GET /comparisons/live`."""

    # -- from proxies --------------------------------------------------------------------------

    async def ingest(self, batch: BatchIn) -> bool:
        """Count a batch; False if it was counted before."""
        stored = await ingest(self._database, batch, self._keep, now_ms())
        if stored is None:
            return False
        if self.live.streams:
            self._tell(batch, stored)
        return True

    def _tell(self, batch: BatchIn, stored: Sequence[dict[str, Any]]) -> None:
        for route in batch.routes:
            mine = [
                {**row, **json.loads(row["summary"])}
                for row in stored
                if row["route"] == route.route and row["window"] == route.window
            ]
            told = {
                "route": route.route,
                "window": route.window,
                "instance": batch.instance,
                "at_ms": batch.to_ms,
                "captured": route.captured,
                "verdicts": route.verdicts,
                "dropped": route.dropped,
                "examples": [
                    ExampleSummary.model_validate(row).model_dump(mode="json") for row in mine[:20]
                ],
            }
            self.live.publish(event("comparisons", told))

    # -- routes --------------------------------------------------------------------------------

    async def current(self) -> dict[str, Known]:
        """The current window of every route; remembered for a second, and read by one at a time.

        Of what has not changed nothing is taken apart again.
        """
        async with self._reading:
            now = now_ms()
            at, known = self._current
            if now - at < _CACHE_MS:
                return known
            async with self._database.read() as connection:
                rows = await store.current_windows(connection)
            found = {}
            for row in rows:
                before = known.get(row.route)
                found[row.route] = before if before and before.row == row else _known(row)
            self._current = (now, found)
            return found

    async def overview(self, routes: Sequence[Route]) -> list[RouteEvidence]:
        """Some routes with their evidence, in a number of queries that does not grow with them.

        What has not changed since it was shown last is not worked out again.
        """
        words = {route.id: overruled(route.comparison) for route in routes}
        async with self._database.read() as connection:
            paused = await self._paused(connection)
            rows = {row.route: row for row in await store.current_windows(connection, list(words))}
            shown = {
                name: known
                for name, row in rows.items()
                if (known := self._shown.get(name)) and known.holds(row, words[name])
            }
            changed = [row for name, row in rows.items() if name not in shown]
            shown |= await self._work_out(connection, changed, words)
        table = self._state.current.table
        found = []
        for route in routes:
            mine = shown.get(route.id)
            window, noise = (None, None) if mine is None else (mine.window, mine.noise)
            found.append(evidence.route_evidence(table, route, window, noise, paused))
        return found

    async def _work_out(
        self, connection: Any, rows: Sequence[Any], words: dict[str, dict[str, bool]]
    ) -> dict[str, Shown]:
        if not rows:
            return {}
        names = [row.route for row in rows]
        judged = [name for name in names if words[name]]
        sums = {row.route: row for row in await store.field_sums(connection, names)}
        doubtful: dict[str, list[Any]] = {}
        for field in await store.doubtful_fields(connection, names, judged):
            doubtful.setdefault(field.route, []).append(field)
        found = {}
        for row in rows:
            name, tallies = row.route, evidence.tallies_of(row)
            total = sums.get(name)
            fields_, differing = (total.fields, int(total.differing)) if total else (0, 0)
            noise = evidence.noise_out(
                tallies, fields_, differing, doubtful.get(name, ()), words[name]
            )
            found[name] = Shown(row, words[name], evidence.window_out(row, tallies), noise)
        if len(self._shown) + len(found) > _MOST_SHOWN:
            self._shown.clear()
        self._shown.update(found)
        return found

    async def compared(self, matches: Callable[[Route, Tallies | None], bool]) -> list[Route]:
        """The routes that have evidence, or whose stage should bring some."""
        known = await self.current()
        found = []
        for route in self._state.current.table.routes.values():
            mine = known.get(route.id)
            if (mine is not None or route.stage in _COMPARED) and matches(
                route, None if mine is None else mine.tallies
            ):
                found.append(route)
        return found

    async def _paused(self, connection: Any) -> list[PausedOut]:
        found = []
        for row in await store.workers(connection, now_ms() - _HEARD_MS):
            worker = ShadowWorkerIn.model_validate_json(row.document)
            found += [
                PausedOut(**dict(entry), instance=row.instance, seen_ms=row.seen_ms)
                for entry in worker.paused
            ]
        return found

    async def detail(self, route_id: str, from_ms: int, to_ms: int, step_s: int) -> RouteDetail:
        """All evidence on a route. Raises `ApiProblem` 404."""
        route = route_of(self._state.current, route_id)
        [found] = await self.overview([route])
        step_ms = step_s * 1_000
        from_ms -= from_ms % step_ms
        async with self._database.read() as connection:
            rows = await store.windows(connection, route_id, _MOST_WINDOWS)
            minutes = await store.minutes(connection, route_id, from_ms, to_ms, step_ms)
            count, size = await examples.usage(connection, route_id)
        windows: list[WindowOut] = [
            evidence.window_out(row, evidence.tallies_of(row)) for row in rows
        ]
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

    async def warnings(self, route_id: str) -> list[FindingOut]:
        """What caches would make of a route's answers, by its newest stored pairs."""
        async with self._database.read() as connection:
            newest = await examples.whole(connection, Wanted(route=route_id), 20, 2_000_000)
        return await asyncio.to_thread(caching.warnings, self._state.current.table, newest)

    async def fields(self, route_id: str, window: str | None) -> FieldsFound:
        """The differing fields of a window, by path. Raises `ApiProblem` 404 for a route or a
        window that is not there."""
        route = route_of(self._state.current, route_id)
        async with self._database.read() as connection:
            name = await store.current(connection, route_id) if window is None else window
            row = None if name is None else await store.window(connection, route_id, name)
            if row is None and window is not None:
                raise not_found(f"evidence window of route {route_id!r} named", window)
            rows = [] if row is None else await store.fields(connection, route_id, name or "")
        tallies = Tallies() if row is None else evidence.tallies_of(row, latency=False)
        words = overruled(route.comparison)
        return FieldsFound(name or "", tallies, words, fields.sketched(rows, tallies, words))

    # -- examples ------------------------------------------------------------------------------

    async def example(self, example_id: str) -> ExampleOut:
        """A stored pair, whole. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            row = await examples.one(connection, example_id)
            if row is None:
                raise not_found("stored comparison", example_id)
            replayed = await replays.of_example(connection, example_id, 5)
        return ExampleOut.model_validate(
            {
                "route": row.route,
                "window": row.window,
                "instance": row.instance,
                "received_ms": row.received_ms,
                "example": json.loads(row.document),
                "replays": [_replayed(entry) for entry in replayed],
            }
        )

    async def preview(self, route_id: str, body: PreviewIn) -> PreviewOut:
        """What rules would do to the stored examples. Raises `ApiProblem` 404, 422, 429."""
        route = route_of(self._state.current, route_id)
        before = rule_set(route.comparison)
        unknown = set(body.remove) - {rule.id for rule in route.comparison.rules}
        if unknown:
            raise not_found(f"comparison rule of route {route_id!r} named", min(unknown))
        left = [
            comparison_rule(rule) for rule in route.comparison.rules if rule.id not in body.remove
        ]
        added = {rule.id: rule for rule in (comparison_rule(spec(new)) for new in body.add)}
        try:
            after = RuleSet([*(rule for rule in left if rule.id not in added), *added.values()])
        except RuleError as error:
            raise invalid("add", str(error)) from None
        if self._previewing.locked():
            raise ApiProblem(
                429,
                "too_many_previews",
                "Too many previews",
                f"{_PREVIEWS} run already; each takes a few seconds at most",
                headers={"Retry-After": "2"},
            )
        async with self._previewing:
            rows = await self._compared_examples(route_id, body.limit)
            around = await self._around(route)
            return await asyncio.to_thread(previews.preview, route_id, rows, before, after, around)

    async def _compared_examples(self, route_id: str, limit: int) -> list[Any]:
        found: list[Any] = []
        async with self._database.read() as connection:
            for verdict in ("mismatch", "match"):
                wanted = Wanted(route=route_id, verdict=verdict)
                room = limit - len(found)
                if room > 0:
                    found += await examples.whole(connection, wanted, room, previews.MOST_BYTES)
        return found

    async def noise(self, route: Route) -> frozenset[str]:
        """The fields of a route that are noise now."""
        words = overruled(route.comparison)
        known = (await self.current()).get(route.id)
        if known is None:
            return frozenset(field for field, noise in words.items() if noise)
        async with self._database.read() as connection:
            rows = await store.fields(connection, route.id, known.row.window)
        return fields.noise_of(rows, known.tallies, words)

    async def _around(self, route: Route) -> Surroundings:
        return Surroundings.of(self._state.current.table, route, await self.noise(route))

    async def export(self, form: Format, wanted: Wanted, limit: int) -> str:
        """Stored pairs of a route as a file. Raises `ApiProblem` 404."""
        route = route_of(self._state.current, wanted.route)
        async with self._database.read() as connection:
            rows = await examples.whole(connection, wanted, limit, previews.MOST_BYTES)
        if not rows:
            raise not_found(f"stored comparison of route {route.id!r} with these filters", "any")
        noise = await self.noise(route)
        rules = rule_set(route.comparison)

        def write() -> str:
            found = [cases.Case.of(row) for row in rows]
            return export.exported(route.id, form, found, rules, noise)

        return await asyncio.to_thread(write)

    # -- retention -----------------------------------------------------------------------------

    async def trim(self) -> None:
        """Delete what is older, or takes more space, than the settings keep."""
        now, kept = now_ms(), self._settings
        before = now - kept.keep_comparison_days * _DAY_MS
        async with self._database.write() as connection:
            await store.trim(connection, before_ms=before, batches_before=now - _SEEN_MS)
            await replays.trim(connection, before, now - replays.EXPIRE_MS)
        while True:
            # In pieces, so that no batch waits long for the lock.
            async with self._database.write() as connection:
                await store.lock(self._database, connection)
                older = now - kept.keep_example_days * _DAY_MS
                gone = await examples.drop_older(connection, older, _TRIM_CHUNK)
                gone += await examples.keep_bytes(connection, self._keep.bytes)
            if gone < _TRIM_CHUNK:
                return


def _known(row: Any) -> Known:
    return Known(row, evidence.tallies_of(row, latency=False))


def summary(row: Any) -> ExampleSummary:
    """An example of a list."""
    return ExampleSummary.model_validate({**row._mapping, **json.loads(row.summary)})


def _replayed(row: Any) -> dict[str, Any]:
    document = json.loads(row.document)
    return {
        "replay": row.replay,
        "at_ms": row.at_ms,
        "was": row.was,
        "verdict": row.verdict,
        "reason": document.get("reason", ""),
        "differences": document.get("differences", []),
        "new": document.get("new"),
    }
