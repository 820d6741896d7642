"""The exchange machine, as conversations: what happened, and what is done next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from figway.model.backend import FallbackBudgetPolicy
from figway.model.table import BreakerForce, BreakerPolicy, FallbackPolicy
from figway.model.words import Side
from figway.serving.attempts.breaker import Breaker, BreakerState
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.exchange import (
    NOTHING,
    TRANSITIONS,
    Action,
    Do,
    Event,
    Exchange,
    State,
)
from figway.serving.attempts.failures import FailureKind, Sent
from figway.serving.attempts.fallback import NoFallback
from figway.serving.attempts.load import ROW, Load

NOTHING_SENT, SOME_SENT = Sent.NOTHING, Sent.SOME
ALL_KINDS = [kind for kind in FailureKind if kind is not FailureKind.DEADLINE]


def begin(
    method: str = "GET",
    side: Side = Side.NEW,
    *,
    breaker: Breaker | None = None,
    per_second: int = 10,
    keyed: bool = False,
    retired: bool = False,
    **policy: Any,
) -> Exchange:
    """An exchange at time 0, with a small budget of its own."""
    return Exchange(
        FallbackPolicy(**policy),
        side,
        method,
        0,
        breaker=breaker,
        budget=FallbackBudget(FallbackBudgetPolicy(percent=0, min_per_s=per_second)),
        keyed=keyed,
        retired=retired,
    )


def said(action: Action) -> str:
    """An action in words: `try new`, `relay`, `answer 502 backend_reset`."""
    if action.do is Do.TRY:
        return f"try {action.side}"
    if action.problem is not None:
        return f"answer {action.problem.status} {action.problem.code}"
    return action.do.name.lower()


def talk(exchange: Exchange, *events: tuple[str, Any]) -> list[str]:
    """Start, then tell what happened; each event is a pair of name and detail."""
    heard = [said(exchange.start(0))]
    for event, detail in events:
        if event == "head":
            heard.append(said(exchange.response_head(detail, 10)))
        elif event == "body failed":
            heard.append(said(exchange.body_failed(detail, 20)))
        elif event == "deadline":
            heard.append(said(exchange.deadline(detail)))
        else:
            sent = SOME_SENT if event == "failed after sending" else NOTHING_SENT
            heard.append(said(exchange.failed(detail, sent, 10)))
    return heard


RESET, CONNECT, TIMEOUT = FailureKind.RESET, FailureKind.CONNECT, FailureKind.TIMEOUT
STALE = FailureKind.STALE


def test_an_answer_is_relayed() -> None:
    for side in Side:
        exchange = begin(side=side)
        assert talk(exchange, ("head", 200)) == [f"try {side}", "relay"]
        exchange.finished()
        assert (exchange.state, exchange.attempts, exchange.fallback) == (State.DONE, 1, "")


def test_rule_1_an_open_breaker_sends_any_method_to_legacy() -> None:
    forced = Breaker(BreakerPolicy(force=BreakerForce.OPEN))
    exchange = begin("POST", breaker=forced)
    assert talk(exchange, ("head", 201)) == ["try legacy", "relay"]
    assert exchange.fallback == "breaker_open"


@pytest.mark.parametrize(
    ("options", "reason", "answer"),
    [
        ({"retired": True}, NoFallback.RETIRED, "answer 503 breaker_open"),
        ({"enabled": False}, NoFallback.DISABLED, "answer 503 breaker_open"),
        ({"per_second": 0}, NoFallback.BUDGET_SPENT, "answer 503 fallback_budget_spent"),
    ],
)
def test_an_open_breaker_without_fallback_answers_at_once(
    options: dict[str, Any], reason: NoFallback, answer: str
) -> None:
    forced = Breaker(BreakerPolicy(force=BreakerForce.OPEN))
    exchange = begin(breaker=forced, **options)
    action = exchange.start(0)
    assert said(action) == answer
    assert action.problem is not None
    assert action.problem.retry_after == 1
    assert (exchange.no_fallback, exchange.attempts) == (reason, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_cannot_be_opened_here_is_legacy_s_own_and_takes_no_budget(method: str) -> None:
    """B1: 500 requests in one second to a route in quarantine are all answered by legacy, and the
    budget that other routes need in an outage is whole afterwards."""
    breaker, load = Breaker(BreakerPolicy()), Load([0] * ROW)
    budget = FallbackBudget(FallbackBudgetPolicy(percent=0), load=load)
    breaker.quarantined = True
    for _ in range(500):
        exchange = Exchange(FallbackPolicy(), Side.NEW, method, 0, breaker, budget)
        assert talk(exchange, ("head", 200)) == ["try legacy", "relay"]
        assert exchange.fallback == "quarantine"
    assert budget.take() == (0, 0)
    assert load.mean(1, 10) == 50
    assert all(budget.spend(0) for _ in range(10))


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"retired": True}, NoFallback.RETIRED), ({"enabled": False}, NoFallback.DISABLED)],
)
def test_what_cannot_be_opened_and_has_no_fallback_is_said_so(
    options: dict[str, Any], reason: NoFallback
) -> None:
    breaker = Breaker(BreakerPolicy())
    breaker.quarantined = True
    exchange = begin(breaker=breaker, **options)
    assert talk(exchange) == ["answer 503 backend_quarantined"]
    assert exchange.no_fallback is reason


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rule_2_unsent_requests_fall_back_whatever_their_method(
    method: str, kind: FailureKind
) -> None:
    exchange = begin(method)
    heard = talk(exchange, *[("failed", kind)] * (2 if kind is STALE else 1), ("head", 200))
    assert heard[-2:] == ["try legacy", "relay"]
    assert exchange.fallback == kind.value


@pytest.mark.parametrize(
    ("method", "options", "repeats"),
    [
        ("GET", {}, True),
        ("HEAD", {}, True),
        ("OPTIONS", {}, True),
        ("PUT", {}, False),
        ("PUT", {"idempotent_methods": True}, True),
        ("DELETE", {"idempotent_methods": True}, True),
        ("POST", {"idempotent_methods": True}, False),
        ("PATCH", {"idempotent_methods": True}, False),
        ("POST", {"keyed": True}, False),
        ("POST", {"idempotency_key": True}, False),
        ("POST", {"keyed": True, "idempotency_key": True}, True),
        ("get", {}, False),
    ],
)
@pytest.mark.parametrize("event", [("failed after sending", TIMEOUT), ("head", 503)])
def test_rule_3_what_may_be_repeated(
    method: str, options: dict[str, Any], repeats: bool, event: tuple[str, Any]
) -> None:
    """trap 44: a write is not run twice unless it is idempotent by method or by key."""
    exchange = begin(method, **options)
    heard = talk(exchange, event)
    if repeats:
        assert heard == ["try new", "try legacy"]
        assert exchange.no_fallback is None
    else:
        assert heard == ["try new", "relay" if event[0] == "head" else "answer 504 backend_timeout"]
        assert exchange.no_fallback is NoFallback.UNSAFE_METHOD


def test_only_listed_statuses_fall_back() -> None:
    assert talk(begin(), ("head", 500)) == ["try new", "relay"]
    assert talk(begin(), ("head", 404)) == ["try new", "relay"]
    assert talk(begin(statuses=(404,)), ("head", 404)) == ["try new", "try legacy"]


@pytest.mark.parametrize(
    "event",
    [("failed", CONNECT), ("failed", STALE), ("failed after sending", RESET), ("head", 503)],
)
def test_a_body_that_is_gone_forbids_every_repetition(event: tuple[str, Any]) -> None:
    """A second attempt without its body would be another request."""
    exchange = begin()
    exchange.start(0)
    exchange.body_not_kept()
    if event[0] == "head":
        assert said(exchange.response_head(event[1], 5)) == "relay"
    else:
        sent = SOME_SENT if "after" in event[0] else NOTHING_SENT
        assert exchange.failed(event[1], sent, 5).do is Do.ANSWER
    assert exchange.no_fallback is NoFallback.BODY_NOT_KEPT


def test_rule_4_nothing_after_the_first_byte() -> None:
    """trap 45: an answer that breaks off is aborted, never repeated."""
    exchange = begin()
    heard = talk(exchange, ("head", 200), ("body failed", RESET))
    assert heard == ["try new", "relay", "abort"]
    assert exchange.no_fallback is NoFallback.RESPONSE_STARTED


def test_the_budget_bounds_fallbacks() -> None:
    """trap 46: beyond the budget the client is told to come back."""
    budget = FallbackBudget(FallbackBudgetPolicy(percent=0, min_per_s=2))
    answers = []
    for _ in range(3):
        exchange = Exchange(FallbackPolicy(), Side.NEW, "GET", 0, breaker=None, budget=budget)
        exchange.start(0)
        answers.append(exchange.failed(FailureKind.CONNECT, NOTHING_SENT, 1))
    assert [said(answer) for answer in answers] == [
        "try legacy",
        "try legacy",
        "answer 503 fallback_budget_spent",
    ]
    assert answers[2].problem is not None
    assert answers[2].problem.retry_after == 1


def test_one_deadline_covers_all_attempts() -> None:
    """trap 49: new's time and legacy's time come out of the same purse."""
    exchange = begin(deadline_ms=1_000)
    exchange.start(0)
    assert said(exchange.failed(TIMEOUT, SOME_SENT, 999)) == "try legacy"
    assert exchange.deadline_at == 1_000
    assert said(exchange.deadline(1_000)) == "answer 504 deadline"
    late = begin(deadline_ms=1_000)
    late.start(0)
    assert said(late.failed(TIMEOUT, SOME_SENT, 1_000)) == "answer 504 backend_timeout"
    assert late.no_fallback is NoFallback.DEADLINE


def test_a_stale_connection_is_tried_once_more_on_its_side() -> None:
    """trap 22: closed just as it was reused."""
    assert talk(begin(), ("failed after sending", STALE), ("head", 200)) == [
        "try new",
        "try new",
        "relay",
    ]
    assert talk(begin("POST"), ("failed", STALE), ("head", 200)) == ["try new", "try new", "relay"]
    assert talk(begin("POST"), ("failed after sending", STALE)) == [
        "try new",
        "answer 502 backend_reset",
    ]
    legacy = begin("POST", Side.LEGACY)
    assert talk(legacy, ("failed after sending", STALE)) == [
        "try legacy",
        "answer 502 backend_reset",
    ]
    assert legacy.no_fallback is NoFallback.ON_LEGACY


def test_legacys_own_stale_connection_does_not_spoil_a_fallback() -> None:
    stale = ("failed after sending", STALE)
    exchange = begin()
    assert talk(exchange, stale, stale, stale, ("head", 200)) == [
        "try new",
        "try new",
        "try legacy",
        "try legacy",
        "relay",
    ]
    assert talk(begin(), stale, stale, stale, stale)[-1] == "answer 502 backend_reset"


def test_legacys_failures_are_answered() -> None:
    for kind in ALL_KINDS:
        exchange = begin(side=Side.LEGACY)
        exchange.start(0)
        action = exchange.failed(kind, SOME_SENT, 1, "why")
        if kind is STALE:
            action = exchange.failed(kind, SOME_SENT, 1, "why")
        assert action.problem is not None
        expected = (413,) if kind is FailureKind.MESSAGE_TOO_LARGE else (502, 503, 504)
        assert action.problem.status in expected
        assert action.problem.detail == ("why" if kind is FailureKind.WORKFLOW_FAILED else "")
        assert exchange.detail == "why"


def test_end_users_are_not_told_what_is_inside() -> None:
    """use 11: the name of a class, an address or a setting is for the log."""
    exchange = begin(method="POST")
    exchange.start(0)
    action = exchange.failed(
        FailureKind.FUNCTION_ERROR, SOME_SENT, 1, "The function failed: Runtime.ImportModuleError."
    )
    assert action.problem is not None
    body = action.problem.body("trace").decode()
    assert "function_error" in body
    assert "ImportModuleError" not in body
    assert "ImportModuleError" in exchange.detail


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PROPFIND"])
@pytest.mark.parametrize("kind", [STALE, FailureKind.RESET, FailureKind.TIMEOUT])
def test_what_became_a_message_is_not_repeated_whatever_its_method(
    method: str, kind: FailureKind
) -> None:
    """Trap 44: an ambiguous hand-over is neither sent again nor served by legacy, too."""
    exchange = begin(method, idempotent_methods=True)
    exchange.hands_on = True
    exchange.start(0)
    action = exchange.failed(kind, SOME_SENT, 1)
    assert action.do is Do.ANSWER
    assert exchange.no_fallback is NoFallback.UNSAFE_METHOD


def test_a_keyed_hand_over_may_be_repeated_where_both_sides_honour_the_key() -> None:
    exchange = begin("POST", keyed=True, idempotency_key=True)
    exchange.hands_on = True
    exchange.start(0)
    assert exchange.failed(FailureKind.RESET, SOME_SENT, 1).do is Do.TRY
    assert exchange.side is Side.LEGACY


def test_a_message_over_the_limit_says_nothing_about_the_service() -> None:
    breaker = Breaker(BreakerPolicy(min_calls=1, failure_percent=1), b"seed")
    for _ in range(5):
        exchange = begin(breaker=breaker)
        exchange.start(0)
        exchange.failed(FailureKind.MESSAGE_TOO_LARGE, Sent.NOTHING, 1)
    assert breaker.state is BreakerState.CLOSED


def test_the_breaker_learns_from_new_only_and_never_from_4xx() -> None:
    """trap 48: 4xx belongs to parity; the size of a message is nobody's illness."""
    policy = BreakerPolicy(min_calls=1)

    def state_after(side: Side, *events: tuple[str, Any]) -> BreakerState:
        breaker = Breaker(policy)
        talk(begin("POST", side, breaker=breaker), *events)
        return breaker.state

    assert state_after(Side.NEW, ("head", 500)) is BreakerState.OPEN
    assert state_after(Side.NEW, ("failed", CONNECT)) is BreakerState.OPEN
    assert state_after(Side.NEW, ("deadline", 60_000)) is BreakerState.OPEN
    assert state_after(Side.NEW, ("head", 200), ("body failed", RESET)) is BreakerState.OPEN
    for event in (("head", 404), ("head", 429), ("failed", FailureKind.TOO_LARGE)):
        assert state_after(Side.NEW, event) is BreakerState.CLOSED
    assert state_after(Side.LEGACY, ("head", 500)) is BreakerState.CLOSED


@pytest.mark.parametrize("end", ["client", "too large"])
def test_a_probe_without_outcome_gives_its_place_back(end: str) -> None:
    """trap 21: the client went away."""
    breaker = Breaker(BreakerPolicy(min_calls=1, probes=1, open_ms=100))
    talk(begin(breaker=breaker, enabled=False), ("head", 500))
    first = begin("POST", breaker=breaker, enabled=False)
    assert said(first.start(1_000)) == "try new"
    assert begin(breaker=breaker, enabled=False).start(1_000).do is Do.ANSWER
    if end == "client":
        first.client_gone()
    else:
        first.failed(FailureKind.TOO_LARGE, NOTHING_SENT, 1_001)
    assert said(begin(breaker=breaker, enabled=False).start(1_002)) == "try new"


def test_late_events_change_nothing() -> None:
    exchange = begin()
    talk(exchange, ("head", 200))
    assert said(exchange.deadline(99_999)) == "nothing"
    assert said(exchange.failed(RESET, SOME_SENT, 5)) == "nothing"
    assert said(exchange.response_head(200, 5)) == "nothing"
    exchange.finished()
    assert said(exchange.body_failed(RESET, 6)) == "nothing"
    assert exchange.failure is None
    gone = begin()
    gone.start(0)
    gone.client_gone()
    assert said(gone.response_head(200, 5)) == "nothing"
    assert said(gone.deadline(99_999)) == "nothing"


# -- the table of transitions ---------------------------------------------------------------------


def _in(state: State) -> Exchange:
    exchange = begin()
    if state is not State.IDLE:
        exchange.start(0)
    if state is State.RELAYING:
        exchange.response_head(200, 0)
    if state is State.DONE:
        exchange.client_gone()
    assert exchange.state is state
    return exchange


EVENTS: dict[Event, Callable[[Exchange], Action | None]] = {
    Event.START: lambda exchange: exchange.start(0),
    Event.RESPONSE_HEAD: lambda exchange: exchange.response_head(200, 0),
    Event.FAILED: lambda exchange: exchange.failed(FailureKind.CONNECT, NOTHING_SENT, 0),
    Event.DEADLINE: lambda exchange: exchange.deadline(0),
    Event.BODY_FAILED: lambda exchange: exchange.body_failed(FailureKind.RESET, 0),
    Event.FINISHED: lambda exchange: exchange.finished(),
    Event.CLIENT_GONE: lambda exchange: exchange.client_gone(),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_an_event_leads_where_the_table_says(state: State, event: Event) -> None:
    """What the table does not list changes nothing; what it lists leads to a state of the list."""
    exchange = _in(state)
    action = EVENTS[event](exchange) or NOTHING
    steps = TRANSITIONS[state].get(event)
    if steps is None:
        assert (action, exchange.state) == (NOTHING, state)
    else:
        assert exchange.state is steps[action.do]


def test_every_state_can_be_reached_and_left() -> None:
    steps = [steps for events in TRANSITIONS.values() for steps in events.values()]
    reached = {after for step in steps for after in step.values()}
    assert reached | {State.IDLE} == set(State)
    assert [state for state, events in TRANSITIONS.items() if not events] == [State.DONE]
