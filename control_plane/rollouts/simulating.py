"""Plays a plan against the traffic and the comparisons of the last days.

What is stored are counts by minute. Where new would have served more than it did, its counts are
scaled to the weight that the plan would have had, so the simulation sees the failure rate and the
latency that new really had, in copies and in users' requests.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from sqlalchemy import select

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.db.models import ComparedMinuteRow
from control_plane.http.problems import not_found
from control_plane.rollouts.observing import LoadBucket, counted
from control_plane.rollouts.schemas import SimulatedOut, SimulationOut
from control_plane.traffic import store as traffic
from control_plane.traffic.sums import Sums, of_row
from figway.model.table import Stage, Table
from figway.model.words import WEIGHT_SCALE
from figway.rollout.hours import is_open
from figway.rollout.latency import slower_than, threshold_us
from figway.rollout.lint import routes_of
from figway.rollout.machine import Outcome, begin, step
from figway.rollout.observation import (
    CallCounts,
    Observation,
    ParityCounts,
    Reference,
    RouteObservation,
)
from figway.rollout.plan import DAY_MS, MINUTE_MS, LatencyLimits, Placement, RolloutPlan
from figway.rollout.state import EventKind, RolloutEvent, RolloutState, load_since

_MOST_ENTRIES = 200
_MOST_BUCKETS = 120
_BLOCK_MS = 10 * MINUTE_MS


@dataclass(slots=True)
class Running:
    """Counts that grow by a minute at a time, with buckets that get coarser as they get many."""

    totals: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Requests, failures, answers, slow answers."""
    buckets: list[tuple[float, float]] = field(default_factory=list)

    def add(self, calls: CallCounts) -> None:
        """Count a minute."""
        parts = (calls.requests, calls.failures, calls.answers, calls.slow)
        self.totals = [mine + more for mine, more in zip(self.totals, parts, strict=True)]
        self.buckets += calls.buckets
        if len(self.buckets) > _MOST_BUCKETS:
            pairs = zip(self.buckets[::2], self.buckets[1::2], strict=False)
            self.buckets = [(a[0] + b[0], a[1] + b[1]) for a, b in pairs]

    @property
    def calls(self) -> CallCounts:
        """As an observation has them."""
        requests, failures, answers, slow = self.totals
        return CallCounts(
            requests=requests, failures=failures, answers=answers, slow=slow,
            buckets=tuple(self.buckets),
        )  # fmt: skip


@dataclass(slots=True)
class Sides:
    """Both sides of one route."""

    legacy: Running = field(default_factory=Running)
    new: Running = field(default_factory=Running)


@dataclass(slots=True)
class Recorded:
    """One minute of one route."""

    load: LoadBucket = field(default_factory=LoadBucket)
    pairs: dict[str, int] = field(default_factory=dict)


Minutes = dict[int, dict[str, Recorded]]
"""By the minute's begin, by route."""


async def simulate(database: Database, table: Table, plan: RolloutPlan, days: int) -> SimulationOut:
    """What the plan would have done. Raises `ApiProblem` 404 when it has no routes."""
    routes = [route.id for route in routes_of(plan.scope, table)]
    if not routes:
        raise not_found("route of", plan.scope)
    now = now_ms()
    begins = now - now % MINUTE_MS - days * DAY_MS
    recorded = await _recorded(database, routes, begins, now)
    return await asyncio.to_thread(Player(plan, routes, recorded).play, begins, now)


async def _recorded(database: Database, routes: list[str], begins: int, now: int) -> Minutes:
    found: Minutes = defaultdict(lambda: defaultdict(Recorded))
    async with database.read() as connection:
        for route in routes:
            span = traffic.Span(traffic.MINUTE_S, begins, now + 1)
            async for row in traffic.rows(connection, span, route):
                bucket = found[row.bucket_ms][route].load
                (bucket.new if row.side == "new" else bucket.legacy).add(of_row(row))
        query = select(ComparedMinuteRow.__table__).where(
            ComparedMinuteRow.route.in_(routes), ComparedMinuteRow.bucket_ms >= begins
        )
        for row in await connection.execute(query):
            pairs = found[row.bucket_ms][row.route].pairs
            pairs[row.verdict] = pairs.get(row.verdict, 0) + row.pairs
    return found


class Player:
    """Steps the real machine through recorded minutes."""

    def __init__(self, plan: RolloutPlan, routes: list[str], recorded: Minutes) -> None:
        # A person would have approved, and the webhooks would have passed.
        self._plan = replace(
            plan,
            observe=False,
            steps=tuple(replace(entry, approve=False) for entry in plan.steps),
            gates=replace(plan.gates, shapes=False, min_distinct=0, max_one=1.0),
        )
        self._routes = routes
        self._recorded = recorded
        self._reference = self._legacy_before()
        self._placement = Placement(Stage.LEGACY)
        self._parity: dict[str, list[int]] = {route: [0, 0] for route in routes}
        self._step = {route: Sides() for route in routes}
        self._block = {route: Sides() for route in routes}
        self._block_number = 1
        self._entries: list[SimulatedOut] = []

    def play(self, begins: int, ends: int) -> SimulationOut:
        """Every minute from `begins` to `ends`."""
        state = begin(self._plan, self._look(begins, None), "simulation")
        last: tuple[object, ...] = ()
        every = 1 if ends - begins <= 2 * DAY_MS else 2
        for at in range(begins, ends, MINUTE_MS):
            self._take(at, state)
            if (at - begins) // MINUTE_MS % every:
                continue
            block = 1 + max(0, at - load_since(self._plan, state)) // _BLOCK_MS
            if block != self._block_number:
                self._begin_block(block)
            outcome = step(
                self._plan, state, RolloutEvent(kind=EventKind.TICK), self._look(at, state)
            )
            if outcome.move is not None:
                self._placement = outcome.move.placement
                self._restart()
            codes = tuple(reason.code for reason in outcome.reasons)
            stands = (outcome.state.phase, outcome.state.step, outcome.state.waiting_for, codes)
            if stands != last:
                self._tell(at, outcome)
            state, last = outcome.state, stands
            if state.ended:
                break
        return self._result(begins, ends, state)

    # -- minutes -------------------------------------------------------------------------------

    def _take(self, at: int, state: RolloutState) -> None:
        """Count one minute as the plan would have had it."""
        for route, recorded in self._recorded.get(at, {}).items():
            pairs = recorded.pairs
            if self._placement.exposure > 0:
                bad = pairs.get("mismatch", 0) + pairs.get("new_failed", 0)
                self._parity[route][0] += bad
                self._parity[route][1] += bad + pairs.get("match", 0)
            if at < load_since(self._plan, state) or not self._placement.serves:
                continue
            share = self._placement.weight / WEIGHT_SCALE
            if self._placement.stage is not Stage.CANARY:
                share = 1.0
            legacy, new = counted([_as_if(recorded, share)], self._threshold)
            for sides in (self._step[route], self._block[route]):
                sides.legacy.add(legacy)
                sides.new.add(new)

    def _restart(self) -> None:
        self._step = {route: Sides() for route in self._routes}
        self._begin_block(1)

    def _begin_block(self, number: int) -> None:
        self._block_number = number
        self._block = {route: Sides() for route in self._routes}

    @property
    def _threshold(self) -> int:
        return self._reference.threshold_us if self._reference else 0

    def _legacy_before(self) -> Reference | None:
        total = Sums()
        for minute in self._recorded.values():
            for recorded in minute.values():
                total.add(recorded.load.legacy)
        found = threshold_us(total.latency, self._plan.gates.latency or LatencyLimits())
        if found is None:
            return None
        legacy = CallCounts(
            requests=total.requests, failures=total.errors, answers=sum(total.latency.values()),
            slow=slower_than(total.latency, found),
        )  # fmt: skip
        return Reference(threshold_us=found, legacy=legacy)

    def _look(self, at: int, state: RolloutState | None) -> Observation:
        seen = []
        for route in self._routes:
            x, n = self._parity[route]
            parity = ParityCounts(differing=x, rated=n, distinct=n, pairs_per_s=0.0)
            whole, block = self._step[route], self._block[route]
            found = RouteObservation(
                route=route, placement=self._placement, parity=parity,
                legacy=whole.legacy.calls, new=whole.new.calls,
                legacy_recent=block.legacy.calls, new_recent=block.new.calls,
            )  # fmt: skip
            seen.append(found)
        hours = self._plan.hours
        opened = hours is None or is_open(hours, at, ZoneInfo(hours.zone))
        return Observation(
            now_ms=at, routes=tuple(seen), hours_open=opened, hours_next="the next window",
            reference=self._reference, block=self._block_number,
            reports_age_ms=0 if self._recorded.get(at) else self._plan.stale_after_ms + MINUTE_MS,
        )  # fmt: skip

    # -- telling -------------------------------------------------------------------------------

    def _tell(self, at: int, outcome: Outcome) -> None:
        if len(self._entries) >= _MOST_ENTRIES:
            return
        text = "; ".join(reason.text for reason in outcome.reasons)
        if outcome.move is not None:
            text = f"{'back ' if outcome.move.back else ''}to {outcome.move.placement}" + (
                f": {text}" if text else ""
            )
        state = outcome.state
        entry = SimulatedOut(
            at_ms=at, phase=state.phase.value, waiting_for=state.waiting_for,
            stands=str(self._placement), text=text,
        )  # fmt: skip
        self._entries.append(entry)

    def _result(self, begins: int, ends: int, state: RolloutState) -> SimulationOut:
        backs = [entry for entry in self._entries if entry.text.startswith("back ")]
        summary = f"would stand at {self._placement} ({state.phase.value})"
        if backs:
            times = "once" if len(backs) == 1 else f"{len(backs)} times"
            summary += f", and would have gone back {times}"
        if not self._recorded:
            summary = "no traffic was recorded: nothing can be said"
        return SimulationOut(
            from_ms=begins,
            to_ms=ends,
            summary=summary,
            ends=state.phase.value,
            stands=str(self._placement),
            entries=self._entries,
            assumed=[
                "every approval was given at once, and every webhook passed",
                "requests were compared as widely as the plan asks: shapes and distinct requests "
                "are not kept by the minute",
                "new would have failed and taken as long as its own answers did at the time; "
                "where it served nobody, as its copies did",
            ],
        )


def _as_if(recorded: Recorded, share: float) -> LoadBucket:
    """The minute as if new had served that share of the requests."""
    legacy, new = recorded.load.legacy, recorded.load.new
    requests = legacy.requests + new.requests
    made = LoadBucket()
    made.legacy = _scaled(legacy if legacy.requests else new, requests * (1 - share))
    if new.requests:
        made.new = _scaled(new, requests * share)
        made.new.errors += round(share * sum(legacy.counts.get("fallbacks", {}).values()))
        return made
    pairs = recorded.pairs
    sent = sum(pairs.get(name, 0) for name in ("match", "mismatch", "new_failed"))
    failed = pairs.get("new_failed", 0) / sent if sent else 0.0
    made.new = Sums(requests=round(requests * share))
    made.new.errors = round(made.new.requests * failed)
    return made


def _scaled(sums: Sums, requests: float) -> Sums:
    factor = requests / sums.requests if sums.requests else 0.0
    return Sums(
        requests=round(requests),
        errors=round(sums.errors * factor),
        latency={number: round(count * factor) for number, count in sums.latency.items()},
    )
