"""Several requests at once, in any order of events, around one breaker and shared budgets.

`test_exchange.Life` holds one request to the rules; here they meet: what one learns about new
decides for the next, and what one takes from a budget the next has not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from figway.message.http import IDEMPOTENT_METHODS, REPEATABLE_METHODS, SAFE_METHODS
from figway.model.backend import FallbackBudgetPolicy, RetryPolicy
from figway.model.table import BreakerPolicy, FallbackPolicy
from figway.model.words import Side
from figway.serving.attempts.breaker import Admission, Breaker, BreakerState
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.exchange import Action, Do, Exchange, State
from figway.serving.attempts.failures import FailureKind, Sent
from tests.support.thorough import examples

DEADLINE_MS = 4_000
WINDOW_S = 10
BREAKER = BreakerPolicy(
    window_ms=2_000, min_calls=3, open_ms=400, max_open_ms=1_600, probes=2, ramp_ms=600
)


@dataclass(eq=False)
class Life:
    """One request, and what both sides and its client have seen of it."""

    exchange: Exchange
    method: str
    may_repeat: bool
    may_fall_back: bool
    kept: bool = True
    gone: bool = False
    executed: int = 0
    """Attempts of which a backend may have seen something."""
    answers: list[Side | None] = field(default_factory=list)
    """Who gave each answer; None is the facade itself."""
    asked: list[Side] = field(default_factory=list)


class Ledger:
    """What a budget may grant, counted apart from it."""

    def __init__(self, percent: int, min_per_s: int) -> None:
        self.percent, self.min_per_s = percent, min_per_s
        self.own: Counter[int] = Counter()
        self.granted: Counter[int] = Counter()

    def check(self) -> None:
        """No second has more than its share of the ten before, or the minimum (and no halves)."""
        first = min(self.own, default=0)
        for second, granted in self.granted.items():
            before = sum(self.own[second - step] for step in range(1, WINDOW_S + 1))
            share = self.percent * before / (100 * min(WINDOW_S, max(1, second - first)))
            assert granted < max(share, self.min_per_s) + 1, (second, granted, share)


class Crowd(RuleBasedStateMachine):
    """Requests come, go on and end in any order."""

    @initialize(
        percent=st.sampled_from([0, 20, 100]),
        min_per_s=st.integers(0, 2),
        retries=st.none() | st.tuples(st.sampled_from([0, 50]), st.integers(0, 2)),
    )
    def open(self, percent: int, min_per_s: int, retries: tuple[int, int] | None) -> None:
        self.now = 50_000
        self.lives: list[Life] = []
        self.breaker = Breaker(BREAKER, b"seed")
        self.fallback = Ledger(percent, min_per_s)
        self.budget = FallbackBudget(FallbackBudgetPolicy(percent=percent, min_per_s=min_per_s))
        self.again: Ledger | None = None
        self.retry: FallbackBudget | None = None
        if retries is not None:
            self.again = Ledger(*retries)
            policy = RetryPolicy(percent=retries[0], min_per_s=retries[1])
            self.retry = FallbackBudget(policy)

    # -- what happens ------------------------------------------------------------------------

    @precondition(lambda self: len(self.live) < 6)
    @rule(
        method=st.sampled_from(["GET", "POST", "POST", "PUT", "PATCH"]),
        side=st.sampled_from([Side.NEW, Side.NEW, Side.NEW, Side.LEGACY]),
        idempotent=st.booleans(),
        by_key=st.booleans(),
        keyed=st.booleans(),
        retired=st.sampled_from([False, False, False, True]),
        enabled=st.sampled_from([True, True, True, False]),
    )
    def come(
        self,
        method: str,
        side: Side,
        idempotent: bool,
        by_key: bool,
        keyed: bool,
        retired: bool,
        enabled: bool,
    ) -> None:
        policy = FallbackPolicy(
            enabled=enabled,
            idempotent_methods=idempotent,
            idempotency_key=by_key,
            deadline_ms=DEADLINE_MS,
        )
        exchange = Exchange(
            policy,
            side,
            method,
            self.now,
            breaker=self.breaker if side is Side.NEW else None,
            budget=self.budget,
            keyed=keyed,
            retired=retired,
        )
        may_repeat = (
            method in SAFE_METHODS
            or (idempotent and method in IDEMPOTENT_METHODS)
            or (keyed and by_key)
        )
        life = Life(exchange, method, may_repeat, enabled and not retired)
        self.lives.append(life)
        second = self.now // 1000
        if side is Side.LEGACY:
            self.fallback.own[second] += 1
        state, until = self.breaker.state, self.breaker.changed_at + self.breaker._open_for
        action = exchange.start(self.now)
        if side is Side.NEW and state is BreakerState.OPEN and self.now < until:
            assert action.side is not Side.NEW, "an open breaker let a request through"
        self._do(life, action, executed=False)

    @rule(gap=st.sampled_from([1, 40, 250, 700, 1_500]))
    def wait(self, gap: int) -> None:
        self.now += gap
        for life in self.trying:
            if life.exchange.deadline_at <= self.now:
                self._do(life, life.exchange.deadline(self.now), executed=True)

    @precondition(lambda self: self.trying)
    @rule(which=st.integers(0, 5), status=st.sampled_from([200, 200, 404, 500, 502, 503]))
    def head(self, which: int, status: int) -> None:
        life = self._pick(self.trying, which)
        self._do(life, life.exchange.response_head(status, self.now), executed=True)

    @precondition(lambda self: self.trying)
    @rule(
        which=st.integers(0, 5),
        kind=st.sampled_from([*FailureKind, FailureKind.STALE, FailureKind.CONNECT]),
        sent=st.sampled_from(list(Sent)),
    )
    def fail(self, which: int, kind: FailureKind, sent: Sent) -> None:
        life = self._pick(self.trying, which)
        seen = sent is Sent.SOME
        stale = kind is FailureKind.STALE and life.method in REPEATABLE_METHODS
        action = life.exchange.failed(kind, sent, self.now)
        self._do(life, action, executed=seen, same_side=stale)

    @precondition(lambda self: self.trying)
    @rule(which=st.integers(0, 5))
    def lose_body(self, which: int) -> None:
        life = self._pick(self.trying, which)
        life.kept = False
        life.exchange.body_not_kept()

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 5))
    def leave(self, which: int) -> None:
        life = self._pick(self.live, which)
        life.gone = True
        life.exchange.client_gone()

    @precondition(lambda self: self.relaying)
    @rule(which=st.integers(0, 5), broken=st.booleans())
    def end(self, which: int, broken: bool) -> None:
        life = self._pick(self.relaying, which)
        if broken:
            action = life.exchange.body_failed(FailureKind.RESET, self.now)
            assert action.do is Do.ABORT
        else:
            life.exchange.finished()

    @precondition(lambda self: any(life.exchange.state is State.DONE for life in self.lives))
    @rule(which=st.integers(0, 50), status=st.sampled_from([200, 500]))
    def come_late(self, which: int, status: int) -> None:
        over = [life for life in self.lives if life.exchange.state is State.DONE]
        exchange = self._pick(over, which).exchange
        for action in (
            exchange.response_head(status, self.now),
            exchange.failed(FailureKind.RESET, Sent.SOME, self.now),
            exchange.body_failed(FailureKind.RESET, self.now),
            exchange.deadline(self.now),
        ):
            assert action.do is Do.NOTHING

    # -- what must follow --------------------------------------------------------------------

    def _do(self, life: Life, action: Action, *, executed: bool, same_side: bool = False) -> None:
        exchange, second = life.exchange, self.now // 1000
        life.executed += executed
        if action.do is Do.TRY:
            assert action.side is not None
            assert not life.answers, "asked again after the answer"
            again = same_side and action.side is life.asked[-1]
            assert not life.executed or life.may_repeat or again, "a write was sent twice"
            assert life.kept or not life.asked, "sent again without its body"
            before = life.asked[-1] if life.asked else None
            if before is Side.LEGACY:
                assert action.side is Side.LEGACY, "back to new after a fallback"
            if action.side is Side.LEGACY and exchange.fallback and before is not Side.LEGACY:
                assert life.may_fall_back
                self.fallback.granted[second] += 1
            elif before is action.side and exchange.failure is not FailureKind.STALE:
                assert self.again is not None, "tried again without another URL"
                self.again.granted[second] += 1
            if before is not action.side:  # as the pipeline does: the URLs are the backend's
                exchange.retry = self.retry
                if self.retry is not None and self.again is not None:
                    self.retry.own_request(self.now)
                    self.again.own[second] += 1
            life.asked.append(action.side)
        elif action.do is Do.RELAY:
            life.answers.append(exchange.side)
        elif action.do is Do.ANSWER:
            life.answers.append(None)

    def _pick(self, among: list[Life], which: int) -> Life:
        return among[which % len(among)]

    @property
    def live(self) -> list[Life]:
        return [life for life in self.lives if life.exchange.state is not State.DONE]

    @property
    def trying(self) -> list[Life]:
        return [life for life in self.lives if life.exchange.state is State.TRYING]

    @property
    def relaying(self) -> list[Life]:
        return [life for life in self.lives if life.exchange.state is State.RELAYING]

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "lives"):
            return
        for life in self.lives:
            assert len(life.answers) <= 1
            if life.exchange.fallback and life.answers:
                assert life.answers[0] is not Side.NEW, "new's answer was relayed after a fallback"
            # One to new and one to legacy, each once more for a stale connection or another URL.
            assert len(life.asked) <= 4
        self.fallback.check()
        if self.again is not None:
            self.again.check()
        probing = [
            life
            for life in self.trying
            if life.exchange._admission is Admission.PROBE and life.exchange.side is Side.NEW
        ]
        assert len(probing) == self.breaker._probes <= BREAKER.probes

    def teardown(self) -> None:
        """Whatever was under way ends, and every client that stayed has one answer."""
        if not hasattr(self, "lives"):
            return
        self.now += DEADLINE_MS
        for life in self.trying:
            self._do(life, life.exchange.deadline(self.now), executed=True)
        assert not self.trying
        assert self.breaker._probes == 0
        for life in self.lives:
            assert len(life.answers) == 1 or (life.gone and not life.answers)


TestCrowd = Crowd.TestCase
TestCrowd.__doc__ = "trap 44, trap 45, trap 46, trap 47: held by several requests at once."
TestCrowd.settings = settings(max_examples=examples(750), stateful_step_count=40, deadline=None)
