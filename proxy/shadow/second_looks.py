"""Second looks: what differs is asked again before it counts, within what legacy bears.

New is asked again freely; legacy only where `figway.evidence.may_ask_legacy` allows it, within the
route's share of extra reads. Where it is not allowed, a natural repeat stands for it: an equal
request that a user made within a minute. What finds neither in time ends as not looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from figway.compare.answer import Answer, values_of
from figway.compare.verdict import COMPARED, Comparison
from figway.evidence.may_ask_legacy import repeat_key
from figway.evidence.noise.decide import Look
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import LATE_MS
from figway.evidence.noise.seen import Changes, Seen
from figway.evidence.occurrences import changes, occurrences
from figway.evidence.recent import RecentAnswers
from figway.message.http import is_read
from figway.model.table import Stage
from figway.model.words import WEIGHT_SCALE, Side
from proxy.shadow.asking import Asking
from proxy.shadow.backend_queue import now_ms
from proxy.shadow.pair import Pair, PairStage
from proxy.shadow.table import ComparedRoute, ShadowTable
from proxy.shadow.tally import Tally
from proxy.shadow.thread import CompareThread
from proxy.shadow.window import NATURAL_ALL

HOLD_MS = 10_000
"""How long a pair that differs waits for the budget, or for a natural repeat."""
MOST_HELD = 200
"""Pairs of one window that wait; beyond them the oldest end without a look."""
MOST_HELD_BYTES = 48 * 1024 * 1024
DEPTH = 4
"""Further looks at a pair at a place that was never settled before."""
SURELY_BEYOND = 2
"""Further looks at a value that legacy never gave, of values that are drawn: new may have given it
twice by chance."""
AUDIT = WEIGHT_SCALE // 20
"""Share of the pairs that need no look, and get one all the same."""
EARLY_AUDIT, WELL_LOOKED, MOST_EARLY = WEIGHT_SCALE // 4, 40, 1_000
"""... until each place was looked at so often, for so many pairs: how far counters go on, and what
new repeats, shows in looks alone."""
LATE_PAIRS = 3
MOST_LATE = 256
MOST_LATE_BYTES = 16 * 1024 * 1024
_LASTING = frozenset({Mark.SETTLED, Mark.SLOW})
_JUDGED = frozenset({PairStage.HELD, PairStage.LOOKED, PairStage.COMPARED, PairStage.ENDED})
_AUDITED = frozenset({Mark.FORM, Mark.FAR, Mark.AT_ONCE})

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


def mark_at_once(compared: ComparedRoute, pair: Pair) -> None:
    """What words, forms and earlier looks say of its differences, without a look of its own."""
    if pair.stage is PairStage.ASKED:
        pair.stage = PairStage.COMPARED
        pair.seen = list(occurrences(pair.comparison))
        pair.marks = [None] * len(pair.seen)
    knowledge, words = compared.state.knowledge, compared.words
    for at in pair.open:
        seen = pair.seen[at]
        if seen.field in words or seen.path in words:
            pair.marks[at] = Mark.COVERED
        else:
            pair.marks[at] = knowledge.first(seen, pair.apart_ms, pair.slack_ms, time.time())


async def changes_between(
    thread: CompareThread, compared: ComparedRoute, pair: Pair, one: Answer, other: Answer
) -> Changes | None:
    """How two answers to its request differ; None where they cannot be compared."""
    found = await thread.compare(compared.comparer, pair.captured, one, other, pair.unordered)
    return changes(found) if found.verdict in COMPARED else None


class PairEnds(Protocol):
    """What becomes of pairs that were held."""

    async def finish(self, compared: ComparedRoute, pair: Pair) -> None:
        """It has its marks."""

    def gone(self, pair: Pair) -> None:
        """Its route or window is no more."""

    async def guarded(self, pair: Pair, work: Coroutine[Any, Any, None]) -> None:
        """Do work on it; a fault of ours ends the pair, and not the worker."""


@dataclass(frozen=True, slots=True)
class _Before:
    """How legacy's answer differs from the one that it gave to an equal request before."""

    changes: Changes
    apart_ms: float
    pair: Pair


@dataclass(slots=True)
class _Late:
    """A pair whose legacy answer is looked at once more."""

    due: int
    pair: Pair
    turn: int = 0


class SecondLooks:
    """Marks pairs, and holds those that cannot be marked yet; `ends` takes what is done."""

    def __init__(
        self,
        table: ShadowTable,
        asking: Asking,
        thread: CompareThread,
        tally: Tally,
        spawn: Spawn,
        ends: PairEnds,
    ) -> None:
        self._table = table
        self._asking = asking
        self._comparing = thread
        self._tally = tally
        self._spawn = spawn
        self._ends = ends
        self._recent: RecentAnswers[Pair] = RecentAnswers()
        self._held: defaultdict[tuple[str, str], deque[Pair]] = defaultdict(deque)
        self._by_key: defaultdict[bytes, list[Pair]] = defaultdict(list)
        self._held_bytes = 0
        self._late: deque[_Late] = deque()
        self._late_bytes = 0
        """Of the pairs of late looks, until the last one is taken."""

    # -- a pair that was compared --------------------------------------------------------------

    async def judge(self, compared: ComparedRoute, pair: Pair, *, final: bool = False) -> bool:
        """Mark a pair. True: it may end; False: it is held, and `ends` takes it later.

        `look_back` was called for it, unless it is `final`: it was looked at again already, in a
        way of its own.
        """
        if final:
            mark_at_once(compared, pair)
            pair.settle(Mark.LOOKED_ONCE)
            return True
        before = await self._natural(compared, pair)
        mark_at_once(compared, pair)
        if before is not None and before.pair.stage in _JUDGED:
            known = compared.state.knowledge
            at_s = pair.captured.at_ms / 1_000
            pair.again = known.made_again(before.pair.seen, pair.seen, before.changes, at_s)
        if not pair.open:
            if self.is_curious(compared, pair):
                await self.look(compared, pair)
            return True
        self._may_ask(compared, pair)
        if not is_read(pair.captured.method, compared.plan.reads):
            pair.settle(Mark.LOOKED_ONCE)
            return True
        if not pair.refusal and compared.state.reads.spend():
            await self.look(compared, pair)
            return True
        return await self._without_asking(compared, pair, before)

    def is_curious(self, compared: ComparedRoute, pair: Pair) -> bool:
        """Whether a pair that needs no look gets one, to learn from it."""
        if not compared.sample:
            return False
        lot = secrets.randbelow(WEIGHT_SCALE)
        audited = bool(pair.marks) and bool(_AUDITED & set(pair.marks))
        more = self._audit(compared, pair) if audited else 0
        if lot >= compared.sample + more and not pair.again:
            return False
        if not is_read(pair.captured.method, compared.plan.reads):
            return False
        return self._may_ask(compared, pair) and compared.state.reads.spend()

    def _may_ask(self, compared: ComparedRoute, pair: Pair) -> bool:
        """Whether legacy may be asked again for this pair; it notes why not."""
        pair.refusal = self._asking.refusal(compared, pair.captured, pair.legacy)
        return not pair.refusal

    @staticmethod
    def _audit(compared: ComparedRoute, pair: Pair) -> int:
        """Share of such pairs that get a look: more of them while little was seen of a place."""
        known = compared.state.knowledge
        audited = (seen.place for seen, mark in pair.found if mark in _AUDITED)
        few = any(known.looked(place) < WELL_LOOKED for place in audited)
        early = few and compared.state.early < MOST_EARLY
        compared.state.early += early
        return EARLY_AUDIT if early else AUDIT

    async def _without_asking(
        self, compared: ComparedRoute, pair: Pair, before: _Before | None
    ) -> bool:
        """Legacy cannot be asked now: a natural repeat, new alone, or waiting."""
        if pair.refusal:
            pair.why = "not_allowed"
            knowledge = compared.state.knowledge
            known = all(knowledge.new_is_known(pair.seen[at].place) for at in pair.open)
            if before is not None or not known or secrets.randbelow(20) == 0:
                new = await self._asking.again(compared, pair.captured, Side.NEW)
                self._tally.reads(compared, pair.captured, "new", new is not None)
                turned = None if before is None else before.changes.reversed()
                apart = 0.0 if before is None else before.apart_ms
                await self._apply(compared, pair, turned, new, before=True, apart_ms=apart)
            if not compared.state.natural:
                pair.settle(Mark.NOT_LOOKED)
        else:
            pair.why = "budget"
        for at, mark in enumerate(pair.marks):
            if mark is Mark.NOT_LOOKED and (compared.state.natural or not pair.refusal):
                pair.marks[at] = None
        if not pair.open:
            return True
        self._hold(pair)
        return False

    # -- natural repeats -----------------------------------------------------------------------

    def look_back(self, compared: ComparedRoute, pair: Pair) -> None:
        """Remember what legacy answered, and find what it answered to an equal request before, if
        the two are to be compared."""
        if not is_read(pair.captured.method, compared.plan.reads):
            return
        key = _key(pair)
        now = now_ms()
        known = self._recent.get(key, now)
        self._recent.put(key, pair, pair.size, now)
        for waiting in self._by_key.pop(key, ()) if self._by_key else ():
            if waiting.stage is PairStage.HELD:
                self._unhold(waiting)
                work = self._ends.guarded(waiting, self._repeated(waiting, pair))
                self._spawn(work, "natural repeat")
        differs = pair.comparison.verdict == "mismatch"
        enough = compared.state.natural >= NATURAL_ALL and not differs
        if known is not None and not (enough and secrets.randbelow(10)):
            pair.before = known.value

    async def _natural(self, compared: ComparedRoute, pair: Pair) -> _Before | None:
        """Compare legacy with its answer to an equal request before; None where there is none."""
        state, before = compared.state, pair.before
        if before is None:
            return None
        pair.before = None  # a chain of pairs would be kept for ever
        own = await self._compare(compared, pair, before.legacy, pair.legacy)
        if own.verdict not in COMPARED:
            return None
        state.natural += 1
        found = changes(own)
        apart = float(pair.captured.at_ms - before.captured.at_ms)
        state.knowledge.learn(found, apart, pair.captured.at_ms / 1_000)
        self._tally.own(compared, pair.captured, own, natural=True)
        return _Before(found, apart, before)

    async def _repeated(self, waiting: Pair, repeat: Pair) -> None:
        """A user made the request of a waiting pair once more."""
        compared = self._compared(waiting)
        if compared is None:
            self._ends.gone(waiting)
            return
        new = await self._asking.again(compared, waiting.captured, Side.NEW)
        self._tally.reads(compared, waiting.captured, "new", new is not None)
        found = await self._changes(compared, waiting, waiting.legacy, repeat.legacy)
        apart = float(repeat.captured.at_ms - waiting.captured.at_ms)
        if found is not None:
            compared.state.knowledge.learn(found, apart, repeat.captured.at_ms / 1_000)
        await self._apply(compared, waiting, found, new, legacy_now=repeat.legacy, apart_ms=apart)
        waiting.settle(Mark.NOT_LOOKED)
        await self._ends.finish(compared, waiting)

    # -- looking -------------------------------------------------------------------------------

    async def look(self, compared: ComparedRoute, pair: Pair) -> None:
        """Ask both sides again, and mark what differs; deeper where a place is new."""
        await self._round(compared, pair, range(len(pair.seen)))
        for turn in range(DEPTH):
            shallow = [
                at for at in range(len(pair.seen)) if self._shallow(compared, pair, at, turn)
            ]
            if not shallow or not compared.state.reads.spend():
                break
            await self._round(compared, pair, shallow)
        pair.settle(Mark.NOT_LOOKED)

    @staticmethod
    def _shallow(compared: ComparedRoute, pair: Pair, at: int, turn: int) -> bool:
        """Whether one look is not enough to say so of a difference."""
        knowledge, seen = compared.state.knowledge, pair.seen[at]
        if pair.marks[at] is Mark.BEYOND:
            return turn < SURELY_BEYOND and knowledge.has_tails(seen)
        return pair.marks[at] in _LASTING and not knowledge.deep(seen.place)

    async def _round(self, compared: ComparedRoute, pair: Pair, places: Iterable[int]) -> None:
        captured = pair.captured
        legacy, new = await asyncio.gather(
            self._asking.again(compared, captured, Side.LEGACY),
            self._asking.again(compared, captured, Side.NEW),
        )
        self._tally.reads(compared, captured, "legacy", legacy is not None)
        self._tally.reads(compared, captured, "new", new is not None)
        found = None
        if legacy is not None:
            own = await self._compare(compared, pair, pair.legacy, legacy)
            if own.verdict in COMPARED:
                found = changes(own)
                compared.state.knowledge.learn(found, _since(pair), time.time())
                self._tally.own(compared, captured, own, natural=False)
        if found is None:
            pair.why = pair.why or "busy"
        await self._apply(compared, pair, found, new, legacy_now=legacy, places=places)

    async def _apply(
        self,
        compared: ComparedRoute,
        pair: Pair,
        legacy: Changes | None,
        new: Answer | None,
        *,
        legacy_now: Answer | None = None,
        before: bool = False,
        apart_ms: float = 0.0,
        places: Iterable[int] | None = None,
    ) -> None:
        """Mark what differs by what the second answers say."""
        again = None
        if new is not None:
            again = await self._changes(compared, pair, pair.new, new)
        now = None
        moved = legacy is not None and any(legacy.near(seen) for seen in pair.seen)
        if moved and legacy_now is not None and new is not None:
            now = await self._changes(compared, pair, legacy_now, new)
        look = Look(legacy, again, now, before, apart_ms, _served_by_legacy(compared))
        for at in range(len(pair.seen)) if places is None else places:
            if pair.marks[at] is not Mark.COVERED:
                pair.marks[at] = self._second(compared, pair, pair.seen[at], look)
        if pair.again:
            compared.state.knowledge.clings(pair.seen, pair.again, look)
            pair.again = frozenset()
        pair.stage = PairStage.LOOKED
        self._plan_late(compared, pair)

    def _second(self, compared: ComparedRoute, pair: Pair, seen: Seen, look: Look) -> Mark:
        knowledge = compared.state.knowledge
        return knowledge.second(seen, look, pair.apart_ms, time.time(), pair.slack_ms)

    async def _changes(
        self, compared: ComparedRoute, pair: Pair, one: Answer, other: Answer
    ) -> Changes | None:
        return await changes_between(self._comparing, compared, pair, one, other)

    async def _compare(
        self, compared: ComparedRoute, pair: Pair, one: Answer, other: Answer
    ) -> Comparison:
        comparer, unordered = compared.comparer, pair.unordered
        return await self._comparing.compare(comparer, pair.captured, one, other, unordered)

    # -- waiting -------------------------------------------------------------------------------

    def _hold(self, pair: Pair) -> None:
        pair.stage = PairStage.HELD
        self._held[pair.captured.route, pair.captured.window].append(pair)
        self._held_bytes += pair.size
        if pair.refusal:
            self._by_key[_key(pair)].append(pair)

    def _unhold(self, pair: Pair) -> None:
        pair.stage = PairStage.LOOKED
        self._held_bytes -= pair.size

    def tick(self, *, hurry: bool = False) -> None:
        """Look after what waits; called about ten times a second."""
        now = now_ms()
        for window in list(self._held):
            self._look_at_held(window, now, hurry)
        if not self._held:
            self._by_key.clear()
        if not hurry:
            self._look_at_late(now)

    def _look_at_held(self, window: tuple[str, str], now: int, hurry: bool) -> None:
        waiting = self._held[window]
        while waiting:
            pair = waiting[0]
            if pair.stage is not PairStage.HELD:
                waiting.popleft()
                continue
            compared = self._compared(pair)
            full = len(waiting) > MOST_HELD or self._held_bytes > MOST_HELD_BYTES
            late = hurry or full or compared is None or pair.since + HOLD_MS <= now
            if compared is not None and not late:
                mark_at_once(compared, pair)
                if pair.open and (pair.refusal or not compared.state.reads.spend()):
                    return
                work = self._looked(compared, pair)
            else:
                work = self._given_up(compared, pair)
            waiting.popleft()
            self._unhold(pair)
            self._spawn(self._ends.guarded(pair, work), "pair")
        del self._held[window]

    async def _looked(self, compared: ComparedRoute, pair: Pair) -> None:
        if pair.open:
            await self.look(compared, pair)
        await self._ends.finish(compared, pair)

    async def _given_up(self, compared: ComparedRoute | None, pair: Pair) -> None:
        pair.settle(Mark.NOT_LOOKED)
        if compared is None:
            self._ends.gone(pair)
        else:
            await self._ends.finish(compared, pair)

    def _compared(self, pair: Pair) -> ComparedRoute | None:
        try:
            compared = self._table.route(pair.captured.route)
        except ValueError:
            return None
        return compared if compared and compared.window == pair.captured.window else None

    # -- later ---------------------------------------------------------------------------------

    def _plan_late(self, compared: ComparedRoute, pair: Pair) -> None:
        begun = compared.state.late
        slow = {
            seen.place
            for seen, mark in pair.found
            if mark is Mark.SLOW and begun.get(seen.place, 0) < LATE_PAIRS
        }
        room = len(self._late) < MOST_LATE and self._late_bytes + pair.size <= MOST_LATE_BYTES
        if slow and not pair.refusal and room:
            for place in slow:
                begun[place] = begun.get(place, 0) + 1
            self._late.append(_Late(now_ms() + LATE_MS[0], pair))
            self._late_bytes += pair.size
            compared.state.reads.kept += 1

    def _look_at_late(self, now: int) -> None:
        for _ in range(len(self._late)):
            late = self._late.popleft()
            compared = self._compared(late.pair)
            if compared is None:
                self._late_bytes -= late.pair.size
                continue
            if late.due > now or not compared.state.reads.spend(later=True):
                self._late.append(late)
                continue
            self._spawn(self._look_late(compared, late), "late look")

    async def _look_late(self, compared: ComparedRoute, late: _Late) -> None:
        pair = late.pair
        legacy = await self._asking.again(compared, pair.captured, Side.LEGACY)
        self._tally.reads(compared, pair.captured, "legacy", legacy is not None)
        if legacy is not None:
            own = await self._compare(compared, pair, pair.legacy, legacy)
            if own.verdict in COMPARED:
                found = changes(own)
                compared.state.knowledge.learn(found, _since(pair), time.time())
                last = late.turn == len(LATE_MS) - 1
                slow = [seen for seen, mark in pair.found if mark is Mark.SLOW]
                new = await self._new_later(compared, pair)
                for seen in slow:
                    compared.state.knowledge.late(seen, found, new, last=last)
                self._tally.learned(compared, pair.captured)
        late.turn += 1
        if late.turn < len(LATE_MS):
            late.due = now_ms() + LATE_MS[late.turn] - LATE_MS[late.turn - 1]
            self._late.append(late)
        else:
            compared.state.reads.kept -= 1
            self._late_bytes -= pair.size

    async def _new_later(self, compared: ComparedRoute, pair: Pair) -> Changes | None:
        """How new's answer has changed since: it may say now what legacy said."""
        new = await self._asking.again(compared, pair.captured, Side.NEW)
        self._tally.reads(compared, pair.captured, "new", new is not None)
        return None if new is None else await self._changes(compared, pair, pair.new, new)


def _served_by_legacy(compared: ComparedRoute) -> bool:
    route = compared.plan.route
    return route is not None and route.stage is Stage.SHADOW


def _since(pair: Pair) -> float:
    """Milliseconds from legacy's first answer till now."""
    return max(0.0, time.time() * 1_000 - pair.captured.at_ms)


def _key(pair: Pair) -> bytes:
    captured = pair.captured
    text = repeat_key(
        captured.method,
        captured.target,
        captured.headers,
        captured.body,
        [value.encode("latin-1") for value in values_of(pair.legacy.headers, "vary")],
    )
    return hashlib.blake2b(
        text, digest_size=16, person=b"repeat", salt=_short(captured.route)
    ).digest()


@lru_cache(1_024)
def _short(route: str) -> bytes:
    return hashlib.blake2b(route.encode(), digest_size=16).digest()
