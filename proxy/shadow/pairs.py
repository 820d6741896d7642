"""The life of a pair: ask the side that did not serve, compare, look again, count.

Whatever happens, a capture ends as exactly one verdict, skip or drop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from figway.compare.answer import Answer
from figway.compare.event_window import count
from figway.compare.verdict import COMPARED, MATCH, Comparison
from figway.model.words import Side
from proxy.capture.message import Captured
from proxy.shadow.asking import OURS, Asking
from proxy.shadow.backend_queue import BackendQueue, now_ms
from proxy.shadow.examples import Quota
from proxy.shadow.not_modified import ask_conditionally, ask_whole, is_not_modified
from proxy.shadow.pair import Pair, PairStage
from proxy.shadow.read_throttle import ReadThrottle
from proxy.shadow.second_looks import SecondLooks
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import ComparedRoute, ShadowTable
from proxy.shadow.tally import Tally
from proxy.shadow.thread import CompareThread
from proxy.shadow.window import build_of

BEHIND = 32
"""Pieces of work in line for the comparer at which nothing new is begun."""
_NO_TIME = ("worker_busy", "backend_busy")
"""Drops that less reading would have saved the work of."""
EARLY_MS = 2_000
"""How long a capture waits for the table that it was served under."""

_AGREED = ("match", "")
"""How a pair without a difference ends, and its signature."""

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class Pairs:
    """Works on captures."""

    def __init__(
        self,
        table: ShadowTable,
        tally: Tally,
        thread: CompareThread,
        settings: ShadowSettings,
        spawn: Spawn,
    ) -> None:
        self.table = table
        self.tally = tally
        self.thread = thread
        self.open = 0
        """Captures that have come in and have not come to an end."""
        self.waiting_bytes = 0
        """Of their messages."""
        self.throttle = ReadThrottle()
        self._spawn = spawn
        self._quota = Quota()
        self._early: deque[tuple[int, Captured]] = deque()
        self._asking = Asking(table, settings)
        self._looks = SecondLooks(table, self._asking, thread, tally, spawn, self)

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
            queue = None if compared is None else self.table.queue(compared, _other(captured))
        except (ValueError, OSError) as error:
            self._skip(captured, f"unusable: {type(error).__name__}")
            return
        if queue is None or compared is None:
            self._skip(captured, "table_moved")
        elif captured.method == "HEAD" and not compared.state.agreed:
            self._skip(captured, "head_before_get")
        else:
            reason = queue.offer(captured)
            self.throttle.count(dropped=reason in _NO_TIME)
            if reason:
                self._drop(captured, reason)

    def _compared(self, captured: Captured) -> ComparedRoute | None:
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
        self._looks.tick()
        self._asking.tick(now)
        held = self.thread.waiting >= BEHIND
        for queue in self.table.queues.values():
            queue.held = held
            if queue.limiter.why and not queue.limiter.room(now):
                for captured in queue.drain():
                    self._drop(captured, "paused")
            queue.pump()

    def stop(self, reason: str) -> None:
        """Give up what has not begun, and end what waits."""
        for queue in self.table.queues.values():
            for captured in queue.drain():
                self._drop(captured, reason)
        while self._early:
            self._drop(self._early.popleft()[1], reason)
        for captured in self._asking.give_up():
            self._drop(captured, reason)
        self.hurry()

    def hurry(self) -> None:
        """The worker ends soon: end what waits by what is known."""
        self._looks.tick(hurry=True)

    def begin(self, queue: BackendQueue, captured: Captured) -> None:
        """A queue has a place for it: ask the side that did not serve."""
        asked_ms = time.time() * 1_000
        try:
            compared = self._compared(captured)
            if compared is not None:
                compared.state.reads.pair()
                told = partial(self._answered, compared, captured, asked_ms)
                self._asking.first(compared, queue, captured, told)
                return
        except Exception as error:
            queue.leave()
            self._fault(_pair(captured, Answer(failure="unknown"), asked_ms), error)
            return
        queue.leave()
        self._skip(captured, "table_moved")

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

    def gone(self, pair: Pair) -> None:
        """Its route or window is no more."""
        pair.stage = PairStage.ENDED
        self._skip(pair.captured, "table_moved")

    async def guarded(self, pair: Pair, work: Coroutine[Any, Any, None]) -> None:
        """Do work on it; a fault of ours ends one pair, by name, and not the worker."""
        try:
            await work
        except asyncio.CancelledError:
            if pair.stage is not PairStage.ENDED:
                pair.stage = PairStage.ENDED
                self._drop(pair.captured, "stopping")
            raise
        except Exception as error:
            if pair.stage is PairStage.ENDED:
                raise
            self._fault(pair, error)

    def _fault(self, pair: Pair, error: Exception) -> None:
        pair.stage = PairStage.ENDED
        pair.comparison = Comparison("compare_error", reason=type(error).__name__)
        self._ended(pair.captured)
        self.tally.compared(None, pair, "compare_error", None)

    # -- one pair ----------------------------------------------------------------------------

    def _answered(
        self, compared: ComparedRoute, captured: Captured, asked_ms: float, answer: Answer
    ) -> None:
        """The side that did not serve has answered."""
        if answer.failure in OURS:
            self._drop(captured, "backend_busy")
            return
        pair = _pair(captured, answer, asked_ms)
        try:
            self._begun(compared, pair)
        except Exception as error:
            if pair.stage is PairStage.ENDED:
                self._spawn(_raising(error), "pair")  # it is reported
            else:
                self._fault(pair, error)

    def _begun(self, compared: ComparedRoute, pair: Pair) -> None:
        """Both answers are there. A pair that is compared in no time and does not differ, as most
        are, ends now, without a task of its own, unless something is to be learned from it."""
        found, work = None, None
        if not is_not_modified(pair):
            found = compared.comparer.now(pair.captured, pair.legacy, pair.new)
        if found is not None and found.verdict == "match" and not found.differences:
            self._compared_as(compared, pair, found)
            if pair.before is None:
                if self._looks.is_curious(compared, pair):
                    work = self._looked(compared, pair)
                elif self._quota.take(pair.captured, *_AGREED):
                    work = self._with_example(compared, pair, _AGREED[0])
                else:
                    self._end(compared, pair, _AGREED[0], None)
                    return
        self._spawn(self.guarded(pair, work or self._work(compared, pair, found)), "pair")

    async def _looked(self, compared: ComparedRoute, pair: Pair) -> None:
        await self._looks.look(compared, pair)
        await self.finish(compared, pair)

    async def _work(self, compared: ComparedRoute, pair: Pair, found: Comparison | None) -> None:
        if is_not_modified(pair) and not pair.new.failure and pair.new.status < 500:
            await self._not_modified(compared, pair)
            return
        await self._compare(compared, pair, found)

    async def _not_modified(self, compared: ComparedRoute, pair: Pair) -> None:
        asking, tally = self._asking, self.tally
        if await ask_whole(asking, tally, compared, pair):
            pair.apart_ms = 0.0
            await self._compare(compared, pair)
        elif await ask_conditionally(asking, tally, compared, pair):
            await self._compare(compared, pair, conditional=True)
        else:
            pair.stage = PairStage.ENDED
            self._skip(pair.captured, "not_modified")

    async def _compare(
        self,
        compared: ComparedRoute,
        pair: Pair,
        found: Comparison | None = None,
        *,
        conditional: bool = False,
    ) -> None:
        """Compare it, unless that was done (`found`), and go on by what it came to."""
        if conditional and pair.new.status == 304:
            self._compared_as(compared, pair, MATCH, final=True)
        elif not pair.since:
            if found is None:
                found = await self.thread.compare(
                    compared.comparer, pair.captured, pair.legacy, pair.new
                )
            found = await self._in_any_order(compared, pair, found)
            self._compared_as(compared, pair, found, final=conditional)
        rated = pair.comparison.verdict in COMPARED
        if not rated or await self._looks.judge(compared, pair, final=conditional):
            await self.finish(compared, pair)

    def _compared_as(
        self, compared: ComparedRoute, pair: Pair, found: Comparison, *, final: bool = False
    ) -> None:
        """Both answers are there, and compared; `final`: it is not looked at once more."""
        pair.comparison, pair.since = found, now_ms()
        self._built(compared, pair)
        if not final and found.verdict in COMPARED:
            self._looks.look_back(compared, pair)

    async def _in_any_order(
        self, compared: ComparedRoute, pair: Pair, found: Comparison
    ) -> Comparison:
        """Compare once more where single elements differ of a list that legacy gives in any order:
        which of them are others is known then."""
        orders = compared.state.knowledge.forms.orders
        if found.verdict != "mismatch" or not orders:
            return found
        elements = [item.path for item in found.differences]
        pair.unordered = frozenset(
            path for path in orders if any(one.startswith(f"{path}[*]") for one in elements)
        )
        if not pair.unordered:
            return found
        return await self.thread.compare(
            compared.comparer, pair.captured, pair.legacy, pair.new, pair.unordered
        )

    def _built(self, compared: ComparedRoute, pair: Pair) -> None:
        new = compared.plan.new
        build = "" if new is None or pair.new.failure else build_of(new, pair.new)
        if build:
            compared.state.build = build
        self.tally.built(pair.captured, compared.state.build)

    async def finish(self, compared: ComparedRoute, pair: Pair) -> None:
        """It has its marks: count it, and keep it as an example if there are few like it."""
        ended, named = pair.ended
        if ended != "skipped" and self._quota.take(pair.captured, ended, named):
            await self._with_example(compared, pair, ended)
        else:
            self._end(compared, pair, ended, None)

    async def _with_example(self, compared: ComparedRoute, pair: Pair, ended: str) -> None:
        make = partial(compared.comparer.example, pair, ended, compared.state.build)
        try:
            example = await self.thread.do(make)
        except Exception:  # a body that cannot be redacted is not kept
            example = None
        self._end(compared, pair, ended, example)

    def _end(
        self, compared: ComparedRoute, pair: Pair, ended: str, example: dict[str, Any] | None
    ) -> None:
        if ended == "match" and pair.captured.method == "GET":
            compared.state.agreed = True
        pair.stage = PairStage.ENDED
        self._ended(pair.captured)
        self.tally.compared(compared, pair, ended, example)


async def _raising(error: Exception) -> None:
    raise error


def _other(captured: Captured) -> Side:
    return Side(captured.side).other


def _pair(captured: Captured, answer: Answer, asked_ms: float) -> Pair:
    """A capture with the other side's answer, which was asked for at `asked_ms`."""
    served = _served(captured)
    took_ms = time.time() * 1_000 - asked_ms
    slack_ms = took_ms + captured.head_us / 1_000
    if captured.side == Side.LEGACY:
        return Pair(captured, served, answer, apart_ms=asked_ms - captured.at_ms, slack_ms=slack_ms)
    return Pair(captured, answer, served, apart_ms=captured.at_ms - asked_ms, slack_ms=slack_ms)


def _served(captured: Captured) -> Answer:
    elapsed = captured.head_us / 1_000
    if captured.failure:
        return Answer(elapsed_ms=elapsed, failure=captured.failure)
    headers = tuple(captured.answer_headers)
    body, cut = captured.answer_body, captured.cut
    silent = cut and not count(body)  # left before its first event: it says nothing
    return Answer(captured.status, headers, body, silent, elapsed, cut=cut)
