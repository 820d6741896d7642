"""Counts reports once, and answers how both sides do."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.publishing.hub import Hub, event
from control_plane.settings import Settings
from control_plane.traffic import store
from control_plane.traffic.schemas import (
    PointOut,
    ReportIn,
    RouteTraffic,
    SideOut,
    TrafficOut,
)
from control_plane.traffic.sums import Sums

_SKEW_MS = 300_000  # a proxy whose clock is further off is counted under our own
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_SEEN_MS = 2 * _DAY_MS  # a report that comes back later than this would be counted again
_CACHE_MS = 1_000

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
        self._summaries: dict[int, Summary] = {}

    async def ingest(self, report: ReportIn) -> bool:
        """Count a report; False if it was counted before."""
        now = now_ms()
        sums: dict[store.Key, Sums] = defaultdict(Sums)
        for series in report.series:
            sums[series.route, series.side, series.backend].add_series(series)
            sums[store.ALL, series.side, ""].add_series(series)
        at = report.to_ms if abs(now - report.to_ms) < _SKEW_MS else now
        async with self._database.write() as connection:
            if not await store.first_time(
                self._database, connection, report.boot, report.sequence, now
            ):
                return False
            for step_s in (store.RECENT_S, store.MINUTE_S):
                bucket = at - at % (step_s * 1_000)
                await store.merge(self._database, connection, step_s, bucket, sums)
            await store.add_events(connection, report.instance, report.events)
        self._tell(report, sums, at)
        return True

    def _tell(self, report: ReportIn, sums: dict[store.Key, Sums], at: int) -> None:
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
        base = store.RECENT_S if step_s < store.MINUTE_S else store.MINUTE_S
        step_ms = step_s * 1_000
        from_ms -= from_ms % step_ms
        total: Sides = defaultdict(Sums)
        points: dict[int, Sides] = defaultdict(lambda: defaultdict(Sums))
        async with self._database.read() as connection:
            async for row in store.rows(
                connection, step_s=base, from_ms=from_ms, to_ms=to_ms, route=route
            ):
                total[row.side].add_row(row)
                points[row.bucket_ms - row.bucket_ms % step_ms][row.side].add_row(row)
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

    async def summary(self, minutes: int) -> Summary:
        """Every route over the last `minutes`, in one query; remembered for a second."""
        now = now_ms()
        known = self._summaries.get(minutes)
        if known is not None and now - known.to_ms < _CACHE_MS:
            return known
        step_s = store.RECENT_S if minutes == 1 else store.MINUTE_S
        from_ms = now - minutes * _MINUTE_MS
        from_ms -= from_ms % (step_s * 1_000)
        sums: dict[str, Sides] = defaultdict(lambda: defaultdict(Sums))
        async with self._database.read() as connection:
            async for row in store.rows(
                connection, step_s=step_s, from_ms=from_ms, to_ms=now + 1, route=None
            ):
                sums[row.route][row.side].add_row(row)
        seconds = (now - from_ms) / 1_000
        found = {
            route: RouteTraffic(route=route, **_sides(sides, seconds))
            for route, sides in sorted(sums.items())
        }
        if len(self._summaries) > 20:
            self._summaries.clear()
        self._summaries[minutes] = Summary(from_ms, now, found)
        return self._summaries[minutes]

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


def _sides(sums: Sides, seconds: float) -> dict[str, SideOut]:
    return {side: found.shown(seconds) for side, found in sums.items()}
