"""Counts reports once, and answers how both sides do."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, NamedTuple

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.publishing.hub import Hub, event
from control_plane.settings import Settings
from control_plane.traffic import inventory, operations, store
from control_plane.traffic.merging import STEPS, merge, summed
from control_plane.traffic.recent import Key, Recent
from control_plane.traffic.schemas import (
    PointOut,
    ReportIn,
    RouteTraffic,
    SideOut,
    TrafficOut,
)
from control_plane.traffic.schemas_operations import OperationOut, OperationPlace
from control_plane.traffic.sums import Sums, of_row
from figway.model.table import Table

_SKEW_MS = 300_000  # a proxy whose clock is further off is counted under our own
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_SEEN_MS = 2 * _DAY_MS  # a report that comes back later than this would be counted again
_CACHE_MS = 1_000
_LONG = 30  # minutes from which on a summary is read from coarse buckets

Sides = dict[str, Sums]


class Summary(NamedTuple):
    """Traffic by route over the last minutes."""

    from_ms: int
    to_ms: int
    routes: dict[str, RouteTraffic]


class TrafficService:
    """Traffic of all proxies."""

    def __init__(self, database: Database, settings: Settings, live: Hub) -> None:
        self._database = database
        self._settings = settings
        self._live = live
        self._recent = Recent()
        self._operations = operations.OperationInventory()
        self._summaries: dict[int, Summary] = {}
        self._summing = asyncio.Lock()

    async def ingest(self, report: ReportIn) -> bool:
        """Count a report; False if it was counted before."""
        now = now_ms()
        sums: dict[Key, Sums] = defaultdict(Sums)
        for series in report.series:
            sums[series.route, series.side, series.backend].add_series(series)
            sums[store.ALL, series.side, ""].add_series(series)
        at = report.to_ms if abs(now - report.to_ms) < _SKEW_MS else now
        async with self._database.write() as connection:
            if not await store.first_time(
                self._database, connection, report.boot, report.sequence, now, report.serves
            ):
                return False
            merged = [
                await merge(
                    self._database, connection, self._recent, (step, at - at % (step * 1_000)), sums
                )
                for step in STEPS
                if sums
            ]
            await self._operations.add(self._database, connection, report.operations, at)
            await store.add_events(connection, report.instance, report.events)
        for entry in merged:
            entry.note(self._recent)
        self._tell(report, sums, at)
        return True

    def _tell(self, report: ReportIn, sums: dict[Key, Sums], at: int) -> None:
        if not self._live.streams:
            return
        for entry in report.events:
            told = entry.model_dump() | {"instance": report.instance}
            self._live.publish(event(entry.kind, told))
        ticks = [
            {"route": route, "side": side, "requests": found.requests, "errors": found.errors}
            for (route, side, _), found in sums.items()
        ]
        if ticks:
            span = max(1, report.to_ms - report.from_ms)
            told = {"at_ms": at, "instance": report.instance, "span_ms": span, "series": ticks}
            self._live.publish(event("traffic", told))

    async def series(self, route: str, from_ms: int, to_ms: int, step_s: int) -> TrafficOut:
        """A route over time."""
        step_ms = step_s * 1_000
        from_ms -= from_ms % step_ms
        total: Sides = defaultdict(Sums)
        points: dict[int, Sides] = defaultdict(lambda: defaultdict(Sums))
        async with self._database.read() as connection:
            for span in await store.spans(connection, step_s, from_ms, to_ms):
                async for row in store.rows(connection, span, route):
                    found = of_row(row)
                    total[row.side].add(found)
                    points[row.bucket_ms - row.bucket_ms % step_ms][row.side].add(found)
        now = now_ms()
        return TrafficOut(
            route=route,
            from_ms=from_ms,
            to_ms=to_ms,
            step_s=step_s,
            total=PointOut(at_ms=from_ms, **_sides(total, (min(to_ms, now) - from_ms) / 1_000)),
            points=[
                PointOut(at_ms=at, **_sides(points[at], (min(at + step_ms, now) - at) / 1_000))
                for at in sorted(points)
            ],
        )

    async def requests(
        self, route: str, from_ms: int, to_ms: int, step_s: int
    ) -> dict[int, dict[str, int]]:
        """Requests of a route over time, by side, and nothing else: months of them are cheap."""
        points: dict[int, dict[str, int]] = defaultdict(dict)
        async with self._database.read() as connection:
            for span in await store.spans(connection, step_s, from_ms, to_ms):
                for row in await store.requests(connection, span, route, step_s):
                    sides = points[int(row.at_ms)]
                    sides[row.side] = sides.get(row.side, 0) + int(row.requests)
        return points

    async def summary(self, minutes: int) -> Summary:
        """Every route over the last `minutes`; remembered for a second, and read by one at a time.

        From `_LONG` minutes on it begins at a whole ten minutes.
        """
        async with self._summing:
            now = now_ms()
            known = self._summaries.get(minutes)
            if known is not None and now - known.to_ms < _CACHE_MS:
                return known
            if len(self._summaries) > 20:
                self._summaries.clear()
            self._summaries[minutes] = found = await self._summed(now, minutes)
            return found

    async def _summed(self, now: int, minutes: int) -> Summary:
        from_ms = now - minutes * _MINUTE_MS
        async with self._database.read() as connection:
            step_s = store.RECENT_S if minutes == 1 else store.MINUTE_S
            if minutes >= _LONG:
                begins = await store.coarse_since(connection)
                step_s = store.COARSE_S if begins is not None and begins <= from_ms else step_s
            from_ms -= from_ms % (step_s * 1_000)
            sums = await summed(connection, self._recent, step_s, from_ms, now + 1)
        seconds = (now - from_ms) / 1_000
        routes: dict[str, dict[str, Any]] = defaultdict(dict)
        for (route, side), found in sorted(sums.items()):
            routes[route][side] = found.shown(seconds)
        return Summary(
            from_ms,
            now,
            {route: RouteTraffic(route=route, **sides) for route, sides in routes.items()},
        )

    async def operations(
        self, table: Table, days: int, place: str
    ) -> tuple[int, list[OperationOut], list[OperationPlace]]:
        """What was asked for since the beginning of a day (of UTC), and below which paths."""
        since = now_ms() // _DAY_MS - days + 1
        async with self._database.read() as connection:
            rows = await operations.since(connection, since, place)
        found = inventory.operations(table, rows), inventory.places(table, rows, place)
        return since * _DAY_MS, *found

    async def trim(self) -> None:
        """Delete what is older than the settings keep."""
        now, kept = now_ms(), self._settings
        async with self._database.write() as connection:
            await store.trim(
                connection,
                recent_before=now - kept.keep_recent_minutes * _MINUTE_MS,
                minutes_before=now - kept.keep_traffic_days * _DAY_MS,
                events_before=now - kept.keep_event_days * _DAY_MS,
                reports_before=now - _SEEN_MS,
            )
            await operations.trim(connection, now - kept.keep_traffic_days * _DAY_MS)


def _sides(sums: Sides, seconds: float) -> dict[str, SideOut]:
    return {side: found.shown(seconds) for side, found in sums.items()}
