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

from figway.budget import FallbackBudget
from figway.compare.answer import Answer
from figway.compare.verdict import Comparison, settle
from figway.http import SAFE_METHODS
from figway.model import WEIGHT_SCALE, FallbackBudgetPolicy, Side
from proxy.shadow.judge import Bench, Quota
from proxy.shadow.lanes import Lane, now_ms
from proxy.shadow.message import Captured
from proxy.shadow.sender import ask
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import Compared, ShadowTable
from proxy.shadow.tally import Tally

BEHIND = 32
"""Pieces of work in line for the comparer at which nothing new is begun."""
EARLY_MS = 2_000
"""How long a capture waits for the table that it was served under."""
LEARN_MS = 10_000
"""How long a mismatch waits until enough is known about noise."""
MOST_LEARNING = 200
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
        self._quota = Quota()
        self._early: deque[tuple[int, Captured]] = deque()
        self._learning: defaultdict[_Window, list[Pair]] = defaultdict(list)
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
        elif reason := lane.offer(captured):
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
        for window, waiting in list(self._learning.items()):
            compared = self._compared(waiting[0].captured) if waiting else None
            done = compared is None or not compared.noise.learning
            if done or waiting[0].since + LEARN_MS <= now or len(waiting) >= MOST_LEARNING:
                self._release(window)
        held = self.bench.waiting >= BEHIND
        for lane in self.table.lanes.values():
            lane.held = held
            if lane.governor.why and not lane.governor.room(now):
                for captured in lane.drain():
                    self._drop(captured, "paused")
            lane.pump()

    def stop(self, reason: str) -> None:
        """Give up what has not begun, and judge what waits to learn."""
        for lane in self.table.lanes.values():
            for captured in lane.drain():
                self._drop(captured, reason)
        while self._early:
            self._drop(self._early.popleft()[1], reason)
        self.hurry()

    def hurry(self) -> None:
        """The worker ends soon: judge what waits to learn by what is known."""
        for window in list(self._learning):
            self._release(window)

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
        try:
            await self._work(lane, captured)
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
        own = self._again(compared, captured, Side.LEGACY) if twice else _nothing()
        answer, second = await asyncio.gather(self._first(lane, captured), own)
        served = _served(captured)
        pair = (served, answer) if captured.side == Side.LEGACY else (answer, served)
        if second is not None:
            await self._learn(compared, captured, pair[0], second)
        comparison = await self._compare(compared, captured, *pair)
        if comparison.verdict == "mismatch" and safe:
            pair, comparison = await self._retry(compared, captured, pair, comparison)
        compared.noise.pair(comparison)
        found = Pair(captured, *pair, comparison, now_ms())
        if comparison.verdict == "mismatch" and compared.noise.learning:
            self._learning[captured.route, captured.window].append(found)
        else:
            await self._finish(compared, found)

    async def _first(self, lane: Lane, captured: Captured) -> Answer:
        try:
            answer = await self._ask(lane, captured)
            lane.result(answer)
        finally:
            lane.leave()
        return answer

    async def _ask(self, lane: Lane, captured: Captured) -> Answer:
        compared = self.table.route(captured.route)
        edge = None if compared is None else compared.plan.edge
        timeout_s = self._settings.timeout_ms / 1e3
        return await ask(lane.target, captured, self._cap(captured), timeout_s, edge)

    def _cap(self, captured: Captured) -> int:
        compared = self.table.route(captured.route)
        return _SKIP_BODY if compared is None else compared.plan.shadow.body_limit

    async def _again(self, compared: Compared, captured: Captured, side: Side) -> Answer | None:
        """Ask a side once more; None where its load, or ours, forbids it. Never for a write."""
        lane = self.table.lane(compared, side)
        if not lane.governor.room(now_ms()):
            return None
        if side is Side.LEGACY and not self._extra.spend(now_ms()):
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

    async def _retry(
        self,
        compared: Compared,
        captured: Captured,
        pair: tuple[Answer, Answer],
        first: Comparison,
    ) -> tuple[tuple[Answer, Answer], Comparison]:
        """Ask both sides once more, so that data which moved on is not blamed (trap 32)."""
        legacy, new = await asyncio.gather(
            self._again(compared, captured, Side.LEGACY), self._again(compared, captured, Side.NEW)
        )
        if legacy is None or new is None:
            return pair, first
        retry = await self._compare(compared, captured, legacy, new)
        settled = settle(first, retry)
        return ((legacy, new) if settled is retry else pair), settled

    def _release(self, window: _Window) -> None:
        for pair in self._learning.pop(window, []):
            compared = self._compared(pair.captured)
            if compared is None:
                self._skip(pair.captured, "table_moved")
                continue
            pair.comparison = compared.noise.relabel(pair.comparison)
            self._spawn(self._finish(compared, pair), "example")

    async def _finish(self, compared: Compared, pair: Pair) -> None:
        captured, comparison = pair.captured, pair.comparison
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
