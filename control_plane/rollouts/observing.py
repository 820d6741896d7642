"""One look at the installation: what a rollout decides on, read from the database."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.db.models import ReportRow
from control_plane.fleet import store as fleet_store
from control_plane.fleet.schemas import QuarantineIn
from control_plane.fleet.service import killed
from control_plane.kill import store as kill_store
from control_plane.publishing.state import Snapshot, TableState
from control_plane.rollouts.ports import EvidenceSource
from control_plane.traffic import store as traffic
from control_plane.traffic.sums import Sums, of_row
from figway.evidence.comparing import what_answers
from figway.model.codec import content_hash, to_data
from figway.model.table import Route, Table
from figway.rollout.hours import is_open, opens_at
from figway.rollout.latency import slower_than, threshold_us
from figway.rollout.lint import comparable, routes_of
from figway.rollout.observation import (
    CallCounts,
    Observation,
    ParityCounts,
    Reference,
    RouteObservation,
)
from figway.rollout.plan import DAY_MS, LatencyLimits, RolloutPlan, placement_of
from figway.rollout.state import RolloutState, load_since

BLOCK_MS = 600_000
"""Guards look at each ten minutes of a step by themselves too."""
_SANDBOX_MS = 120_000
"""A sandbox that was not heard of for longer is frozen or gone: it serves nobody."""
_SILENT_MS = 600_000  # a proxy that is not heard of for longer is gone
_RECENT_MS = 50 * 60_000  # buckets of ten seconds are kept a little longer than this
_AHEAD_MS = 15_000  # so far ahead another control plane of the installation may be
_SKEW_MS = 300_000  # a proxy whose clock is ahead reports into buckets that are still to come
_MINUTE_MS = 60_000
_FIRST_MS = 15_000  # a report of ten seconds, and its way
_PAUSE_S = 600.0  # how long the usual pause between reports is taken for granted
_OPEN = ("open", "half_open")
NOT_ASKED = ("breaker_open", "quarantine")
"""Reasons of fallbacks for which new was not asked: they say nothing of it. The breaker is a guard
of its own, and what a proxy cannot open holds."""


@dataclass(slots=True)
class FleetSeen:
    """The proxies at one moment."""

    live: int = 0
    current: int = 0
    refused: int = 0
    silent: int = 0
    killed: str = ""
    """A proxy whose own switch is on; empty for none."""
    quarantine: list[tuple[str, QuarantineIn]] = field(default_factory=list)
    """What proxies cannot open, and leave out: the proxy, and the part of the table."""
    breakers: dict[str, int] = field(default_factory=dict)
    """By route: since when a breaker has been open, on our own monotonic clock."""


class Observer:
    """Looks. Remembers how long breakers have been open, as they forget that while they probe."""

    def __init__(
        self,
        database: Database,
        state: TableState,
        evidence: EvidenceSource,
        *,
        live_seconds: float,
    ) -> None:
        self._database = database
        self._state = state
        self._evidence = evidence
        self._live_ms = int(live_seconds * 1_000)
        self._open_since: dict[tuple[str, int, str], float] = {}
        self._pause_ms = 0.0
        self._paused_at = -math.inf

    async def look(self, plan: RolloutPlan, state: RolloutState | None) -> Observation | None:
        """What is seen of a plan's routes now; None when the table has none of them."""
        snapshot, now = self._state.current, now_ms()
        routes = routes_of(plan.scope, snapshot.table)
        if not routes:
            return None
        async with self._database.read() as connection:
            fleet = await self._fleet(connection, snapshot, now)
            kill = (await kill_store.load(connection)).on
            age = await self._reports_age(connection, plan.stale_after_ms, now)
            reference = state.reference if state else None
            if reference is None:
                reference = await _reference(connection, plan, routes, now)
            loads = await self._loads(connection, plan, state, routes, reference, now)
        parity = await self._evidence.parity([route.id for route in routes])
        seen = tuple(
            replace(
                loads[route.id].observed(route),
                comparable=comparable(route, snapshot.table),
                parity=parity.get(route.id, ParityCounts()),
                breaker_open_ms=self._open_ms(fleet, route.id, state, now),
            )
            for route in routes
        )
        opened, following = _hours(plan, now)
        return Observation(
            now_ms=now, routes=seen, kill=kill or bool(fleet.killed),
            live=fleet.live, current=fleet.current, refused=fleet.refused, silent=fleet.silent,
            left_out=left_out(fleet, routes),
            reports_age_ms=age, hours_open=opened, hours_next=following, reference=reference,
            block=block_of(plan, state, now),
            new_per_s=_new_per_s(loads.values(), state, now),
            subject=subject_of(routes, snapshot.table),
        )  # fmt: skip

    async def pairs_per_s(self, plan: RolloutPlan) -> float:
        """How many pairs of its routes are compared in a second."""
        routes = [route.id for route in routes_of(plan.scope, self._state.current.table)]
        found = await self._evidence.parity(routes)
        return sum(parity.pairs_per_s for parity in found.values())

    # -- the fleet -----------------------------------------------------------------------------

    async def _fleet(self, connection: AsyncConnection, snapshot: Snapshot, now: int) -> FleetSeen:
        found, opened = FleetSeen(), set()
        for row in await fleet_store.heard_since(connection, now - _SILENT_MS):
            if abs(now - row.seen_ms) > self._live_ms:
                found.silent += 1
                continue
            ack = row.ack
            served = ack.etag == snapshot.etag
            found.live += 1
            found.current += served
            refused = ack.refused
            found.refused += refused is not None and not served
            found.quarantine += [(ack.instance, part) for part in ack.quarantine]
            if killed(ack):
                found.killed = ack.instance
            for breaker in ack.breakers:
                if breaker.state in _OPEN:
                    key = (ack.instance, breaker.worker, breaker.route)
                    opened.add(key)
                    since = self._open_since.setdefault(key, time.monotonic())
                    if breaker.state == "open" and breaker.since_ms:
                        since = min(since, time.monotonic() - (now - breaker.since_ms) / 1_000)
                    open_ms = int((time.monotonic() - since) * 1_000)
                    known = found.breakers.get(breaker.route, 0)
                    found.breakers[breaker.route] = max(known, open_ms)
        for key in set(self._open_since) - opened:
            del self._open_since[key]
        # A sandbox acknowledges nothing, as a frozen one could not: its reports say what it serves.
        sandboxes = await traffic.sandboxes(connection, now - _SANDBOX_MS, now + _AHEAD_MS)
        found.live += sum(sandboxes.values())
        found.current += sandboxes.get(snapshot.etag, 0)
        return found

    def _open_ms(self, fleet: FleetSeen, route: str, state: RolloutState | None, now: int) -> int:
        """How long a breaker of the route has been open since the step began."""
        in_step = now - state.since_ms if state else now
        return max(0, min(fleet.breakers.get(route, 0), in_step))

    async def _reports_age(
        self, connection: AsyncConnection, stale_after_ms: int, now: int
    ) -> int | None:
        """Age of the newest report. Where they come seldom, as there is little traffic, ten times
        the usual pause between two is no staleness."""
        # What a clock that was ahead has dated later than now says nothing of how fresh it is.
        query = select(func.max(ReportRow.at_ms)).where(ReportRow.at_ms <= now + _AHEAD_MS)
        newest = (await connection.execute(query)).scalar_one()
        if newest is None:
            return None
        age = max(0, now - int(newest))
        if age <= stale_after_ms:
            return age
        if time.monotonic() - self._paused_at > _PAUSE_S:
            self._paused_at, self._pause_ms = time.monotonic(), await _pause(connection, now)
        return stale_after_ms if age <= 10 * self._pause_ms else age

    # -- load ----------------------------------------------------------------------------------

    async def _loads(
        self,
        connection: AsyncConnection,
        plan: RolloutPlan,
        state: RolloutState | None,
        routes: Sequence[Route],
        reference: Reference | None,
        now: int,
    ) -> dict[str, RouteLoad]:
        since = load_since(plan, state) if state else now
        recent = max(since, block_start(plan, state, now))
        threshold = reference.threshold_us if reference else 0
        step_s = traffic.RECENT_S if now - since < _RECENT_MS else traffic.MINUTE_S
        found = {}
        for route in routes:
            load = RouteLoad(threshold)
            span = traffic.Span(step_s, since, now + _SKEW_MS)
            async for row in traffic.rows(connection, span, route.id):
                load.add(load.whole, row.bucket_ms, row.side, of_row(row))
            minute = max(state.since_ms if state else now, now - _MINUTE_MS)
            last = traffic.Span(traffic.RECENT_S, min(recent, minute), now + _SKEW_MS)
            async for row in traffic.rows(connection, last, route.id):
                sums = of_row(row)
                if row.bucket_ms >= recent:
                    load.add(load.recent, row.bucket_ms, row.side, sums)
                if row.bucket_ms >= minute and row.side == "new":
                    load.new_lately += sums.requests
            found[route.id] = load
        return found


@dataclass(slots=True)
class LoadBucket:
    """Both sides in one bucket of time."""

    legacy: Sums = field(default_factory=Sums)
    new: Sums = field(default_factory=Sums)


@dataclass(slots=True)
class RouteLoad:
    """What both sides of a route did, by bucket of time."""

    threshold: int
    whole: dict[int, LoadBucket] = field(default_factory=lambda: defaultdict(LoadBucket))
    recent: dict[int, LoadBucket] = field(default_factory=lambda: defaultdict(LoadBucket))
    new_lately: float = 0
    """Requests of new in the last minute of the step."""

    def add(self, into: dict[int, LoadBucket], at: int, side: str, sums: Sums) -> None:
        """Add a row of traffic."""
        bucket = into[at]
        (bucket.new if side == "new" else bucket.legacy).add(sums)

    def observed(self, route: Route) -> RouteObservation:
        """The route with its load."""
        legacy, new = counted(self.whole.values(), self.threshold)
        legacy_recent, new_recent = counted(self.recent.values(), self.threshold)
        refused = sum(
            sums.counts.get("no_fallbacks", {}).get("budget_spent", 0)
            for bucket in self.whole.values()
            for sums in (bucket.legacy, bucket.new)
        )
        return RouteObservation(
            route=route.id, placement=placement_of(route), legacy=legacy, new=new,

            legacy_recent=legacy_recent, new_recent=new_recent, budget_refused=refused,
        )  # fmt: skip


def _new_per_s(loads: Iterable[RouteLoad], state: RolloutState | None, now: int) -> float | None:
    """What new serves at present; None in the first seconds of a step, before reports are in."""
    lasted = min(_MINUTE_MS, now - state.since_ms) if state else 0
    if lasted < _FIRST_MS:
        return None
    return sum(load.new_lately for load in loads) / (lasted / 1_000)


def counted(buckets: Iterable[LoadBucket], threshold: int) -> tuple[CallCounts, CallCounts]:
    """Legacy and new as they are judged. A fault is told from a failure where it was read: see
    `Sums.failed`.

    What legacy served because new could not is a request and a failure of new, not one of legacy.
    What it served without asking new (see `NOT_ASKED`) is neither.
    """
    rows: list[tuple[tuple[float, float], tuple[float, float]]] = []
    answers = {"legacy": [0, 0], "new": [0, 0]}
    for bucket in buckets:
        fallbacks = bucket.legacy.counts.get("fallbacks", {})
        fallen = sum(fallbacks.values())
        failed = fallen - sum(fallbacks.get(reason, 0) for reason in NOT_ASKED)
        rows.append(
            (
                (bucket.legacy.failed, max(0, bucket.legacy.requests - fallen)),
                (bucket.new.failed + failed, bucket.new.requests + failed),
            )
        )
        for side, sums in (("legacy", bucket.legacy), ("new", bucket.new)):
            answers[side][0] += sum(sums.latency.values())
            answers[side][1] += slower_than(sums.latency, threshold) if threshold else 0
    return (
        _calls([row[0] for row in rows], *answers["legacy"]),
        _calls([row[1] for row in rows], *answers["new"]),
    )


def _calls(buckets: list[tuple[float, float]], answers: int, slow: int) -> CallCounts:
    return CallCounts(
        requests=sum(n for _, n in buckets),
        failures=min(sum(x for x, _ in buckets), sum(n for _, n in buckets)),
        answers=answers,
        slow=slow,
        buckets=tuple((min(x, n), n) for x, n in buckets),
    )


def left_out(fleet: FleetSeen, routes: Iterable[Route]) -> str:
    """What a proxy leaves out of these routes, as it cannot open it; empty for nothing."""
    by_id = {route.id: route for route in routes}
    for instance, part in fleet.quarantine:
        touched = {*part.routes, part.id} if part.kind == "route" else set(part.routes)
        if part.kind == "backend":
            touched |= {one.id for one in by_id.values() if part.id in (one.new, one.legacy)}
        if touched & by_id.keys():
            return f"{instance} leaves out {part.kind} {part.id}: {part.text or part.code}"
    return ""


def subject_of(routes: Iterable[Route], table: Table) -> str:
    """Names what is judged: the requests of these routes, and what of new answers them."""
    return content_hash(
        {
            route.id: [to_data(route.match), what_answers(table.backends.get(route.new))]
            for route in routes
        }
    )


def block_of(plan: RolloutPlan, state: RolloutState | None, now: int) -> int:
    """Which block of the step this is, from 1."""
    return 1 if state is None else 1 + max(0, now - load_since(plan, state)) // BLOCK_MS


def block_start(plan: RolloutPlan, state: RolloutState | None, now: int) -> int:
    """When the present block began."""
    if state is None:
        return now
    return load_since(plan, state) + (block_of(plan, state, now) - 1) * BLOCK_MS


async def _reference(
    connection: AsyncConnection, plan: RolloutPlan, routes: Sequence[Route], now: int
) -> Reference | None:
    """Legacy's last day; None while it gave too few answers."""
    total = Sums()
    for route in routes:
        for span in await traffic.spans(connection, traffic.COARSE_S, now - DAY_MS, now + 1):
            async for row in traffic.rows(connection, span, route.id):
                if row.side == "legacy":
                    total.add(of_row(row))
    threshold = threshold_us(total.latency, plan.gates.latency or LatencyLimits())
    if threshold is None:
        return None
    legacy = CallCounts(
        requests=total.requests, failures=min(total.failed, total.requests),
        answers=sum(total.latency.values()), slow=slower_than(total.latency, threshold),
    )  # fmt: skip
    return Reference(threshold_us=threshold, legacy=legacy)


async def _pause(connection: AsyncConnection, now: int) -> float:
    """The usual time between two reports of the last day, in milliseconds."""
    query = select(func.max(ReportRow.at_ms), func.min(ReportRow.at_ms), func.count())
    lately = ReportRow.at_ms.between(now - DAY_MS, now + _AHEAD_MS)
    row = (await connection.execute(query.where(lately))).one()
    return 0.0 if row[0] is None else (int(row[0]) - int(row[1])) / max(1, int(row[2]) - 1)


def _hours(plan: RolloutPlan, now: int) -> tuple[bool, str]:
    """Whether moves are allowed now, and when they are again."""
    if plan.hours is None:
        return True, ""
    try:
        zone = ZoneInfo(plan.hours.zone)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return False, f"whenever zone {plan.hours.zone} is known here: install tzdata"
    if is_open(plan.hours, now, zone):
        return True, ""
    following = opens_at(plan.hours, now, zone)
    return False, "" if following is None else following.strftime("%a %d %b %H:%M %Z")
