"""The exchange machine under any order of events, held to what must always be so."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from figway.message.http import IDEMPOTENT_METHODS, REPEATABLE_METHODS, SAFE_METHODS
from figway.model.backend import FallbackBudgetPolicy
from figway.model.table import BreakerForce, BreakerPolicy, FallbackPolicy
from figway.model.words import Side
from figway.serving.attempts.breaker import Breaker
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.exchange import Action, Do, Exchange, State
from figway.serving.attempts.failures import FailureKind, Sent
from tests.support.thorough import examples

ALL_KINDS = [kind for kind in FailureKind if kind is not FailureKind.DEADLINE]


class Life(RuleBasedStateMachine):
    """Any order of events: no write twice, nothing after the answer, one answer, one budget."""

    @initialize(
        method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"]),
        side=st.sampled_from(list(Side)),
        flags=st.tuples(*[st.booleans()] * 6),
        breaker=st.sampled_from([None, BreakerForce.NONE, BreakerForce.OPEN]),
        per_second=st.integers(0, 1),
    )
    def begin(
        self,
        method: str,
        side: Side,
        flags: tuple[bool, ...],
        breaker: BreakerForce | None,
        per_second: int,
    ) -> None:
        idempotent, by_key, keyed, retired, enabled, declared = flags
        self.method, self.per_second = method, per_second
        self.may_repeat = (
            method in SAFE_METHODS
            or (declared and method == "POST")
            or (idempotent and method in IDEMPOTENT_METHODS)
            or (keyed and by_key)
        )
        self.may_fall_back = enabled and not retired
        self.kept, self.now = True, 0
        self.answers = self.falls = 0
        self.possibly_run = 0  # attempts of which the backend may have seen something
        self.exchange = Exchange(
            FallbackPolicy(
                enabled=enabled,
                idempotent_methods=idempotent,
                idempotency_key=by_key,
                deadline_ms=500,
            ),
            side,
            method,
            0,
            breaker=None if breaker is None else Breaker(BreakerPolicy(force=breaker)),
            budget=FallbackBudget(FallbackBudgetPolicy(percent=0, min_per_s=per_second)),
            keyed=keyed,
            retired=retired,
            reads=("POST",) if declared else (),
        )
        self.first = side
        self.was = side
        self._do(self.exchange.start(0), sent=False)

    def _do(self, action: Action, *, sent: bool, same_side: bool = False) -> None:
        """Check the step that follows an attempt of which the backend saw something or not.

        `same_side`: what may be repeated there only (RFC 9110, 9.2.2) may go there again."""
        if action.do is Do.NOTHING:  # too late: no attempt was under way
            return
        self.possibly_run += sent
        if action.do is Do.TRY:
            assert self.answers == 0
            assert self.kept
            again = same_side and action.side is self.was
            assert not self.possibly_run or self.may_repeat or again
            assert self.now < self.exchange.deadline_at
            if action.side is not self.was:
                assert action.side is Side.LEGACY
                assert self.may_fall_back
                self.falls += 1
            self.was = action.side or self.was
        elif action.do in (Do.RELAY, Do.ANSWER):
            self.answers += 1
        elif action.do is Do.ABORT:
            assert self.answers == 1

    @rule(gap=st.integers(0, 300))
    def wait(self, gap: int) -> None:
        self.now += gap

    @rule()
    def lose_body(self) -> None:
        self.kept = False
        self.exchange.body_not_kept()

    @rule(status=st.sampled_from([200, 404, 500, 502, 503]))
    def head(self, status: int) -> None:
        self._do(self.exchange.response_head(status, self.now), sent=True)

    @rule(
        kind=st.sampled_from([*ALL_KINDS, FailureKind.STALE, FailureKind.STALE]),
        sent=st.sampled_from(list(Sent)),
    )
    def fail(self, kind: FailureKind, sent: Sent) -> None:
        action = self.exchange.failed(kind, sent, self.now)
        stale = kind is FailureKind.STALE and self.method in REPEATABLE_METHODS
        self._do(action, sent=sent is Sent.SOME, same_side=stale)

    @rule()
    def deadline(self) -> None:
        self.now = max(self.now, self.exchange.deadline_at)
        self._do(self.exchange.deadline(self.now), sent=True)

    @rule()
    def break_body(self) -> None:
        self._do(self.exchange.body_failed(FailureKind.RESET, self.now), sent=True)

    @precondition(lambda self: self.exchange.state is State.RELAYING)
    @rule()
    def finish(self) -> None:
        self.exchange.finished()

    @rule()
    def leave(self) -> None:
        self.exchange.client_gone()

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "exchange"):
            return
        assert self.answers <= 1
        assert self.falls <= min(1, self.per_second)
        assert self.exchange.attempts <= 4
        assert (self.exchange.state is State.TRYING) == (
            self.answers == 0 and self.exchange.state is not State.DONE
        )
        if self.first is Side.LEGACY:
            assert self.exchange.side is Side.LEGACY
            assert not self.exchange.fallback


TestLife = Life.TestCase
TestLife.__doc__ = "trap 44, trap 45, trap 46: held in any order of events."
TestLife.settings = settings(max_examples=examples(900), stateful_step_count=15, deadline=None)
