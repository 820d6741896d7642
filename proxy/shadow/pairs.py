"""The life of a pair: ask the side that did not serve, compare, ask again, settle, count.

Whatever happens, a capture ends as exactly one verdict, skip or drop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from figway.compare.answer import Answer
from figway.compare.verdict import Comparison, settle
from figway.message.http import SAFE_METHODS
from figway.model.table import WEIGHT_SCALE, FallbackBudgetPolicy, Side
from figway.serving.budget import FallbackBudget
from proxy.capture.message import Captured
from proxy.shadow.judge import Bench, Quota
from proxy.shadow.lanes import Lane, now_ms
from proxy.shadow.relief import Relief
from proxy.shadow.sender import ask
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import Compared, ShadowTable
from proxy.shadow.tally import Tally

BEHIND = 32
"""Pieces of work in line for the comparer at which nothing new is begun."""
_NO_TIME = ("worker_busy", "backend_busy")
"""Drops that less reading would have saved the work of."""
EARLY_MS = 2_000
"""How long a capture waits for the table that it was served under."""
HOLD_MS = 10_000
"""How long a mismatch waits until enough is known about noise, and until legacy may be asked once
more."""
MOST_HELD = 200
"""Mismatches of a window that wait; beyond them the oldest are judged by what is known."""
LEAST_EXTRA_PER_S = 20
_SKIP_BODY = 262_144

_Window = tuple[str, str]
Spawn = Callable[[Coroutine[Any, Any, None], str], object]


@dataclass(slots=True)
class Pair:
    """A capture with both answers and the verdict so far."""

    captured: Captured
    legacy: Answer
    new: Answer
    comparison: Comparison
    since: int
    counted: bool = False
    """Among the pairs that noise is judged by."""


class Pairs:
    """Works on captures."""

    def __init__(
        self, table: ShadowTable, tally: Tally, bench: Bench, settings: ShadowSettings, spawn: Spawn
    ) -> None:
        self.table = table
        self.tally = tally
        self.bench = bench
        self.open = 0
        """Captures that have come in and have not come to an end."""
        self.waiting_bytes = 0
        """Of their messages."""
        self._settings = settings
        self._spawn = spawn
        self.relief = Relief()
        self._quota = Quota()
        self._early: deque[tuple[int, Captured]] = deque()
        self._held: defaultdict[_Window, deque[Pair]] = defaultdict(deque)
        policy = FallbackBudgetPolicy(percent=settings.legacy_percent, min_per_s=LEAST_EXTRA_PER_S)
        self._extra = FallbackBudget(policy)

    # -- coming in ---------------------------------------------------------------------------

    def take(self, captured: Captured) -> None:
        """A capture came in."""
        self.open += 1
        self.waiting_bytes += captured.size
        self._place(captured)

    def _place(self, captured: Captured) -> None:
        if captured.revision > self.table.revision:
            self._early.append((now_ms() + EARLY_MS, captured))
            return
        try:
            compared = self._compared(captured)
            lane = None if compared is None else self.table.lane(compared, _other(captured))
        except (ValueError, OSError) as error:
            self._skip(captured, f"unusable: {type(error).__name__}")
            return
        if lane is None:
            self._skip(captured, "table_moved")
        else:
            reason = lane.offer(captured)
            self.relief.count(dropped=reason in _NO_TIME)
            if reason:
                self._drop(captured, reason)

    def _compared(self, captured: Captured) -> Compared | None:
        compared = self.table.route(captured.route)
        return compared if compared and compared.window == captured.window else None

    def table_changed(self, orphans: list[Captured]) -> None:
        """Another table is in use."""
        for captured in orphans:
            self._skip(captured, "table_moved")
        early, self._early = self._early, deque()
        for due, captured in early:
            if captured.revision > self.table.revision:
                self._early.append((due, captured))
            else:
                self._place(captured)

    def tick(self) -> None:
        """Look after what waits; called about ten times a second."""
        now = now_ms()
        while self._early and self._early[0][0] <= now:
            self._skip(self._early.popleft()[1], "table_moved")
        for window in list(self._held):
            self._look_at_held(window, now)
        held = self.bench.waiting >= BEHIND
        for lane in self.table.lanes.values():
            lane.held = held
            if lane.governor.why and not lane.governor.room(now):
                for captured in lane.drain():
                    self._drop(captured, "paused")
            lane.pump()

    def stop(self, reason: str) -> None:
        """Give up what has not begun, and judge what waits."""
        for lane in self.table.lanes.values():
            for captured in lane.drain():
                self._drop(captured, reason)
        while self._early:
            self._drop(self._early.popleft()[1], reason)
        self.hurry()

    def hurry(self) -> None:
        """The worker ends soon: judge what waits by what is known."""
        for window in list(self._held):
            self._look_at_held(window, now_ms(), hurry=True)

    def begin(self, lane: Lane, captured: Captured) -> None:
        """A lane has a place for it."""
        self._spawn(self._guarded(lane, captured), "pair")

    # -- ending ------------------------------------------------------------------------------

    def _ended(self, captured: Captured) -> None:
        self.open -= 1
        self.waiting_bytes -= captured.size

    def _skip(self, captured: Captured, reason: str) -> None:
        self._ended(captured)
        self.tally.skipped(captured, reason)

    def _drop(self, captured: Captured, reason: str) -> None:
        self._ended(captured)
        self.tally.dropped(captured, reason)

    # -- one pair ----------------------------------------------------------------------------

    async def _guarded(self, lane: Lane, captured: Captured) -> None:
        """A fault of ours ends one pair, by name, and not the worker."""
        await self._ending(captured, self._work(lane, captured))

    async def _ending(self, captured: Captured, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self._drop(captured, "stopping")
            raise
        except Exception as error:
            failed = Comparison("compare_error", reason=type(error).__name__)
            self._ended(captured)
            served, none = _served(captured), Answer(failure="unknown")
            sides = (served, none) if captured.side == Side.LEGACY else (none, served)
            self.tally.compared(captured, *sides, failed, None)

    async def _work(self, lane: Lane, captured: Captured) -> None:
        compared = self._compared(captured)
        if compared is None:
            lane.leave()
            self._skip(captured, "table_moved")
            return
        safe = captured.method in SAFE_METHODS
        self._extra.own_request(now_ms())
        twice = safe and compared.noise.wanted(secrets.randbelow(WEIGHT_SCALE))
        twice = twice and self._extra.spend(now_ms())
        if twice:
            compared.noise.asked()
        own = self._again(compared, captured, Side.LEGACY) if twice else _nothing()
        answer, second = await asyncio.gather(self._first(lane, captured), own)
        served = _served(captured)
        pair = (served, answer) if captured.side == Side.LEGACY else (answer, served)
        if second is not None:
            await self._learn(compared, captured, pair[0], second)
        comparison = await self._compare(compared, captured, *pair)
        found = Pair(captured, *pair, compared.noise.relabel(comparison), now_ms())
        if found.comparison.verdict != "mismatch":
            await self._finish(compared, found)
        elif compared.noise.learning:
            compared.noise.pair(comparison)  # what is learned needs both samples
            found.counted = True
            self._held[captured.route, captured.window].append(found)
        elif not safe:
            await self._finish(compared, found)
        elif self._extra.spend(now_ms()):
            await self._retry(compared, found)
        else:
            self._held[captured.route, captured.window].append(found)

    async def _first(self, lane: Lane, captured: Captured) -> Answer:
        try:
            answer = await self._ask(lane, captured)
            lane.result(answer)
        finally:
            lane.leave()
        return answer

    async def _ask(self, lane: Lane, captured: Captured) -> Answer:
        compared = self.table.route(captured.route)
        policy_plan = None if compared is None else compared.plan.policy_plan
        timeout_s = self._settings.timeout_ms / 1e3
        return await ask(lane.target, captured, self._cap(captured), timeout_s, policy_plan)

    def _cap(self, captured: Captured) -> int:
        compared = self.table.route(captured.route)
        return _SKIP_BODY if compared is None else compared.plan.shadow.body_limit

    async def _again(self, compared: Compared, captured: Captured, side: Side) -> Answer | None:
        """Ask a side once more; None where its load, or ours, forbids it. Never for a write.

        For legacy, the budget of extra reads has been asked before.
        """
        lane = self.table.lane(compared, side)
        if not lane.governor.room(now_ms()):
            return None
        async with lane.turn() as granted:
            if not granted:
                return None
            answer = await self._ask(lane, captured)
            lane.result(answer)
            return answer

    async def _compare(
        self, compared: Compared, captured: Captured, legacy: Answer, new: Answer
    ) -> Comparison:
        work = partial(compared.kit.compare, captured, legacy, new, compared.noise.fields)
        return await self.bench.do(work)

    async def _learn(
        self, compared: Compared, captured: Captured, first: Answer, second: Answer
    ) -> None:
        own = await self._compare(compared, captured, first, second)
        compared.noise.own(own)
        if own.verdict in ("match", "mismatch"):
            self.tally.noise(captured, own)

    async def _retry(self, compared: Compared, pair: Pair) -> None:
        """Ask both sides once more, so that data which moved on is not blamed (trap 32).

        What was noise is known better than when the pair was compared first: a pair that differs in
        nothing else has no need to be called stale.
        """
        captured = pair.captured
        legacy, new = await asyncio.gather(
            self._again(compared, captured, Side.LEGACY), self._again(compared, captured, Side.NEW)
        )
        first = pair.comparison = compared.noise.relabel(pair.comparison)
        if legacy is not None and new is not None:
            retry = await self._compare(compared, captured, legacy, new)
            first = compared.noise.relabel(pair.comparison)
            pair.comparison = settle(first, retry)
            if pair.comparison is retry:
                pair.legacy, pair.new = legacy, new
        await self._finish(compared, pair)

    def _look_at_held(self, window: _Window, now: int, *, hurry: bool = False) -> None:
        """Let go of the mismatches of a window as far as they can be judged, the oldest first."""
        waiting = self._held[window]
        while waiting:
            pair = waiting[0]
            compared = self._compared(pair.captured)
            late = hurry or pair.since + HOLD_MS <= now or len(waiting) > MOST_HELD
            if compared is None:
                self._skip(waiting.popleft().captured, "table_moved")
                continue
            if compared.noise.learning and not late:
                return
            pair.comparison = compared.noise.relabel(pair.comparison)
            again = pair.comparison.verdict == "mismatch" and pair.captured.method in SAFE_METHODS
            if again and self._extra.spend(now):
                work = self._retry(compared, pair)
            elif again and not late:
                return
            else:
                work = self._finish(compared, pair)
            waiting.popleft()
            self._spawn(self._ending(pair.captured, work), "pair")
        del self._held[window]

    async def _finish(self, compared: Compared, pair: Pair) -> None:
        captured, comparison = pair.captured, pair.comparison
        if not pair.counted:
            compared.noise.pair(comparison)
        example = None
        if comparison.verdict != "skipped" and self._quota.take(captured, comparison):
            make = partial(compared.kit.example, captured, pair.legacy, pair.new, comparison)
            try:
                example = await self.bench.do(make)
            except Exception:  # a body that cannot be redacted is not kept
                example = None
        self._ended(captured)
        self.tally.compared(captured, pair.legacy, pair.new, comparison, example)


async def _nothing() -> None:
    return None


def _other(captured: Captured) -> Side:
    return Side(captured.side).other


def _served(captured: Captured) -> Answer:
    elapsed = captured.head_us / 1_000
    if captured.failure:
        return Answer(elapsed_ms=elapsed, failure=captured.failure)
    headers = tuple(captured.answer_headers)
    return Answer(captured.status, headers, captured.answer_body, elapsed_ms=elapsed)
