"""The life of one request, as a state machine without I/O.

A door drives it: it tells what happened (`start`, `response_head`, `failed`, `deadline`,
`body_failed`, `finished`, `client_gone`) and does what the returned `Action` says. `TRANSITIONS`
is the whole of where that may lead; docs/concepts/architecture.md is drawn from it. Whether a
second attempt may follow is said in `fallback`, beside it, so every door treats a request alike.

One case stays on the same side: a kept-alive connection that the backend closed just as it was
reused is tried once more, under the same conditions on the method (RFC 9112, 9.3.1); and where a
backend has several URLs, another one is tried once, within a budget. Time is monotonic
milliseconds. An event that comes too late for its state changes nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from figway.message.http import REPEATABLE_METHODS
from figway.message.problem import Problem
from figway.model.table import FallbackPolicy
from figway.model.words import Side
from figway.serving.attempts.breaker import Admission, Breaker
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.failures import ELSEWHERE, OVERSIZE, FailureKind, Sent, problem_of
from figway.serving.attempts.fallback import NoFallback, barred_problem, budget_problem, may_repeat


class Do(IntEnum):
    """What the driver does next."""

    TRY = 0
    """Send the request to the backend of `side`."""
    RELAY = 1
    """Relay the answer in hand."""
    ANSWER = 2
    """Give `problem` to the client."""
    ABORT = 3
    """The answer broke off midway: close so that the client notices."""
    NOTHING = 4
    """Nothing is left to do."""


class Action:
    """One instruction to the driver."""

    __slots__ = ("do", "problem", "side")

    def __init__(self, do: Do, side: Side | None = None, problem: Problem | None = None) -> None:
        self.do = do
        self.side = side
        self.problem = problem

    def __repr__(self) -> str:
        extra = self.side or (self.problem.code if self.problem else "")
        return f"Action({self.do.name}{f', {extra}' if extra else ''})"


TRY_NEW: Final = Action(Do.TRY, Side.NEW)
TRY_LEGACY: Final = Action(Do.TRY, Side.LEGACY)
RELAY: Final = Action(Do.RELAY)
ABORT: Final = Action(Do.ABORT)
NOTHING: Final = Action(Do.NOTHING)


class State(IntEnum):
    """Where a request is."""

    IDLE = 0
    TRYING = 1
    RELAYING = 2
    DONE = 3


class Event(IntEnum):
    """What happens to a request; each is a method of `Exchange`."""

    START = 0
    RESPONSE_HEAD = 1
    FAILED = 2
    DEADLINE = 3
    BODY_FAILED = 4
    FINISHED = 5
    CLIENT_GONE = 6


NO_DEADLINE: Final = 1 << 62
"""No deadline over all attempts."""

Steps = dict[Do, State]
"""By what the driver is told to do: the state that follows."""

TRANSITIONS: Final[dict[State, dict[Event, Steps]]] = {
    State.IDLE: {
        Event.START: {Do.TRY: State.TRYING, Do.ANSWER: State.DONE},
        Event.CLIENT_GONE: {Do.NOTHING: State.DONE},
    },
    State.TRYING: {
        Event.RESPONSE_HEAD: {Do.RELAY: State.RELAYING, Do.TRY: State.TRYING},
        Event.FAILED: {Do.TRY: State.TRYING, Do.ANSWER: State.DONE},
        Event.DEADLINE: {Do.ANSWER: State.DONE},
        Event.CLIENT_GONE: {Do.NOTHING: State.DONE},
    },
    State.RELAYING: {
        Event.BODY_FAILED: {Do.ABORT: State.DONE},
        Event.FINISHED: {Do.NOTHING: State.DONE},
        Event.CLIENT_GONE: {Do.NOTHING: State.DONE},
    },
    State.DONE: {},
}
"""Where each event leads in each state. An event that a state does not list comes too late, and
changes nothing."""


def _states_that_take(event: Event) -> dict[State, Steps]:
    return {state: events[event] for state, events in TRANSITIONS.items() if event in events}


_ON_START: Final = _states_that_take(Event.START)
_ON_RESPONSE_HEAD: Final = _states_that_take(Event.RESPONSE_HEAD)
_ON_FAILED: Final = _states_that_take(Event.FAILED)
_ON_DEADLINE: Final = _states_that_take(Event.DEADLINE)
_ON_BODY_FAILED: Final = _states_that_take(Event.BODY_FAILED)
_ON_FINISHED: Final = _states_that_take(Event.FINISHED)
_ON_CLIENT_GONE: Final = _states_that_take(Event.CLIENT_GONE)


# A member of an enumeration costs two look-ups a use; a constant of the module one, or none where
# it is compiled.
_NEW: Final = Side.NEW
_LEGACY: Final = Side.LEGACY
_REFUSED: Final = Admission.REFUSED


class Exchange:
    """One request's attempts. `breaker` guards new; `budget` belongs to the legacy backend.

    `keyed` says that the request carries an Idempotency-Key, `reads` which methods of the route
    only read besides the safe ones. The read-only attributes make the record: `side` (who is or was
    asked last), `attempts`, `fallback` (the reason, empty if none ran), `no_fallback`, `failure`
    (the last failure) and its `detail`, `state`. `retry` is set where the asked backend has several
    URLs: the budget of its retries. `hands_on` is set where new makes a message, an event or an
    execution of any request: no method is safe there.
    """

    __slots__ = (
        "_admission",
        "_breaker",
        "_budget",
        "_doubtful",
        "_kept",
        "_keyed",
        "_method",
        "_policy",
        "_reads",
        "_retired",
        "_retried",
        "_tried_at",
        "attempts",
        "deadline_at",
        "detail",
        "failure",
        "fallback",
        "hands_on",
        "no_fallback",
        "retry",
        "side",
        "state",
    )

    def __init__(
        self,
        policy: FallbackPolicy,
        side: Side,
        method: str,
        now: int,
        breaker: Breaker | None,
        budget: FallbackBudget,
        keyed: bool = False,
        retired: bool = False,
        reads: tuple[str, ...] = (),
    ) -> None:
        self._policy = policy
        self._reads = reads
        self._method = method
        self._keyed = keyed
        self._kept = True
        self._retired = retired
        self._doubtful = False  # an attempt that was repeated may have run all the same
        self._retried = False
        self._breaker = breaker
        self._budget = budget
        self._admission = _REFUSED
        self._tried_at = now
        self.side = side
        self.state = State.IDLE
        self.attempts = 0
        # Where no second attempt is possible the backend's own time-outs rule alone.
        second = side is _NEW and policy.enabled and not retired
        self.deadline_at = now + policy.deadline_ms if second else NO_DEADLINE
        self.failure: FailureKind | None = None
        self.detail = ""
        self.fallback = ""
        self.no_fallback: NoFallback | None = None
        self.retry: FallbackBudget | None = None
        self.hands_on = False

    # -- what happened -----------------------------------------------------------------------

    def start(self, now: int) -> Action:
        """The request head is in: whom to ask first."""
        steps = _ON_START.get(self.state)
        if steps is None:
            return NOTHING
        action = self._first(now)
        self.state = steps[action.do]
        return action

    def body_not_kept(self) -> None:
        """Body bytes that a second attempt would need are gone: over the replay buffer."""
        self._kept = False

    def response_head(self, status: int, now: int) -> Action:
        """A final response head arrived from the side that was asked."""
        steps = _ON_RESPONSE_HEAD.get(self.state)
        if steps is None:
            return NOTHING
        action = RELAY if self.side is _LEGACY else self._of_new(status, now)
        self.state = steps[action.do]
        return action

    def failed(self, kind: FailureKind, sent: Sent, now: int, detail: str = "") -> Action:
        """The attempt ended before a response head."""
        steps = _ON_FAILED.get(self.state)
        if steps is None:
            return NOTHING
        self.failure = kind
        self.detail = detail
        action = self._again(kind, sent, now)
        if action is None:
            action = self._elsewhere(kind, sent, now)
        self.state = steps[action.do]
        return action

    def deadline(self, now: int) -> Action:
        """The deadline over all attempts passed before a response head."""
        steps = _ON_DEADLINE.get(self.state)
        if steps is None:
            return NOTHING
        self.failure = FailureKind.DEADLINE
        if self.side is _NEW:
            self._tell_breaker(True, now, hung=True)
            self.no_fallback = NoFallback.DEADLINE
        action = _answer(problem_of(FailureKind.DEADLINE, ""))
        self.state = steps[action.do]
        return action

    def body_failed(self, kind: FailureKind, now: int) -> Action:
        """The answer broke off while it was relayed: too late for anything but saying so."""
        steps = _ON_BODY_FAILED.get(self.state)
        if steps is None:
            return NOTHING
        self.failure = kind
        self.no_fallback = NoFallback.RESPONSE_STARTED
        if self.side is _NEW and self._breaker is not None:
            self._breaker.failure(now, Admission.CALL)
        self.state = steps[Do.ABORT]
        return ABORT

    def finished(self) -> None:
        """The answer was relayed whole."""
        steps = _ON_FINISHED.get(self.state)
        if steps is not None:
            self.state = steps[Do.NOTHING]

    def client_gone(self) -> None:
        """The client went away; the attempt has no outcome."""
        steps = _ON_CLIENT_GONE.get(self.state)
        if steps is None:
            return
        if self.state is State.TRYING and self.side is _NEW:
            self._abandon()
        self.state = steps[Do.NOTHING]

    # -- what follows ------------------------------------------------------------------------

    def _first(self, now: int) -> Action:
        if self.side is _LEGACY:
            self._budget.own_request(now)
            return self._try(_LEGACY, now)
        if self._breaker is not None:
            self._admission = self._breaker.admit(now)
            if self._admission is _REFUSED:
                if self._breaker.quarantined:
                    return self._quarantined(now)
                refused = self._why_not(now, rule_3=False)
                if refused is None:
                    return self._fall_back("breaker_open", now)
                return self._barred(refused, now)
        return self._try(_NEW, now)

    def _quarantined(self, now: int) -> Action:
        """New cannot be opened here. Its requests are legacy's own, as after a flip back: no
        outage of new brings them, and they take nothing from the fallbacks of other routes."""
        refused = self._forbidden(now, rule_3=False)
        if refused is not None:
            return self._barred(refused, now)
        self._budget.own_request(now)
        return self._fall_back("quarantine", now)

    def _barred(self, refused: NoFallback, now: int) -> Action:
        self.no_fallback = refused
        breaker = self._breaker
        quarantined = breaker is not None and breaker.quarantined
        wait = 1 if breaker is None else breaker.retry_after(now)
        return _answer(barred_problem(refused, quarantined=quarantined, retry_after=wait))

    def _of_new(self, status: int, now: int) -> Action:
        """What becomes of a head that new gave."""
        self._tell_breaker(status >= 500 and not self._is_healthy(status), now)
        if status in self._policy.statuses:
            refused = self._why_not(now, rule_3=True)
            if refused is None:
                return self._fall_back(f"status_{status}", now)
            self.no_fallback = refused
        return RELAY

    def _is_healthy(self, status: int) -> bool:
        """Whether a status from 500 is an answer of this route (a SOAP fault), and no failure."""
        return self._breaker is not None and status in self._breaker.policy.healthy_statuses

    def _again(self, kind: FailureKind, sent: Sent, now: int) -> Action | None:
        """Another attempt on the same side, where one may help and is allowed."""
        if kind is FailureKind.STALE and self._may_send_again(sent, now):
            self._doubtful = sent is not Sent.NOTHING
            self._retried = True
            return self._try(self.side, now)
        if self.retry is not None and kind in ELSEWHERE and self._may_retry(sent, now):
            self._retried = True
            if self.retry.spend(now):
                return self._try(self.side, now)
        return None

    def _elsewhere(self, kind: FailureKind, sent: Sent, now: int) -> Action:
        """Legacy's turn, or the error is the answer."""
        if self.side is _NEW:
            if kind in OVERSIZE:
                self._abandon()
            else:
                self._tell_breaker(True, now, hung=kind is FailureKind.TIMEOUT)
        refused = self._why_not(now, rule_3=sent is not Sent.NOTHING or self._doubtful)
        if refused is None:
            return self._fall_back(kind.value, now)
        self.no_fallback = refused
        if refused is NoFallback.BUDGET_SPENT:
            return _answer(budget_problem())
        return _answer(problem_of(kind, self.detail))

    def _try(self, side: Side, now: int) -> Action:
        self.side = side
        self.attempts += 1
        self._tried_at = now
        return TRY_NEW if side is _NEW else TRY_LEGACY

    def _fall_back(self, reason: str, now: int) -> Action:
        self.fallback = reason
        self._retried = False  # legacy's pool may hold a connection gone stale as well
        return self._try(_LEGACY, now)

    def _why_not(self, now: int, *, rule_3: bool) -> NoFallback | None:
        """Why legacy may not be asked now; None if it may. Takes from the budget last."""
        refused = self._forbidden(now, rule_3=rule_3)
        if refused is None and not self._budget.spend(now):
            return NoFallback.BUDGET_SPENT
        return refused

    def _forbidden(self, now: int, *, rule_3: bool) -> NoFallback | None:
        """Why legacy may not be asked, whatever its budget; None if it may."""
        if self.side is _LEGACY:
            return NoFallback.ON_LEGACY
        if self._retired:
            return NoFallback.RETIRED
        if not self._policy.enabled:
            return NoFallback.DISABLED
        if rule_3 and not self._may_repeat():
            return NoFallback.UNSAFE_METHOD
        if not self._kept:
            return NoFallback.BODY_NOT_KEPT
        if now >= self.deadline_at:
            return NoFallback.DEADLINE
        return None

    def _may_retry(self, sent: Sent, now: int) -> bool:
        """May the attempt be followed by another one at the same side?"""
        if self._retried or not self._kept or now >= self.deadline_at:
            return False
        return sent is Sent.NOTHING or self._may_repeat()

    def _may_send_again(self, sent: Sent, now: int) -> bool:
        """May a stale connection be followed by another one to the same backend?"""
        if self._may_retry(sent, now):
            return True
        if self._retried or not self._kept or now >= self.deadline_at:
            return False
        return self._method in REPEATABLE_METHODS and not self.hands_on

    def _may_repeat(self) -> bool:
        return may_repeat(
            self._method, self._reads, self._policy, keyed=self._keyed, hands_on=self.hands_on
        )

    def _abandon(self) -> None:
        if self._breaker is not None:
            self._breaker.abandon(self._admission)

    def _tell_breaker(self, failed: bool, now: int, *, hung: bool = False) -> None:
        if self._breaker is None:
            return
        if failed:
            self._breaker.failure(now, self._admission, hung=hung)
        else:
            self._breaker.success(now, self._admission, now - self._tried_at)


def _answer(problem: Problem) -> Action:
    return Action(Do.ANSWER, problem=problem)
