"""Whether a second attempt may follow one that failed.

1. The breaker is open: legacy at once; nothing was sent, so any method may.
2. The connection failed, or nothing was written: any method may.
3. A listed status, a timeout or a reset before the response head: safe methods may, and those that
   the route says only read; idempotent ones if the route says so; others only with an
   Idempotency-Key that both sides honour (`may_repeat`).
4. Otherwise the client gets the error, and the record says why no fallback ran (`NoFallback`).

`exchange` applies them to the attempts of one request, together with what may rule a
second attempt out: no route that allows it, a body that is not kept, the deadline, the budget.
"""

from __future__ import annotations

from enum import StrEnum

from figway.message.http import IDEMPOTENT_METHODS, is_read
from figway.message.problem import Problem
from figway.model.table import FallbackPolicy


class NoFallback(StrEnum):
    """Why no fallback ran where one might have been expected."""

    ON_LEGACY = "on_legacy"
    RETIRED = "retired"
    DISABLED = "disabled"
    UNSAFE_METHOD = "unsafe_method"
    BODY_NOT_KEPT = "body_not_kept"
    BUDGET_SPENT = "budget_spent"
    DEADLINE = "deadline"
    RESPONSE_STARTED = "response_started"


def may_repeat(
    method: str, reads: tuple[str, ...], policy: FallbackPolicy, *, keyed: bool, hands_on: bool
) -> bool:
    """Rule 3: may a request that was sent once be sent again? `reads` are the methods that its
    route says only read. With `hands_on`, new makes a message, an event or an execution of any
    request, so that no method is safe."""
    if not hands_on:
        if is_read(method, reads):
            return True
        if policy.idempotent_methods and method in IDEMPOTENT_METHODS:
            return True
    return keyed and policy.idempotency_key


def budget_problem() -> Problem:
    """What the client is told where legacy's budget for fallbacks is spent."""
    detail = "Legacy takes no more fallback requests this second."
    return Problem(503, "fallback_budget_spent", "The service is busy", detail, 1)


def barred_problem(refused: NoFallback, *, quarantined: bool, retry_after: int) -> Problem:
    """What the client is told where new is not asked and legacy may not be."""
    if refused is NoFallback.BUDGET_SPENT:
        return budget_problem()
    if quarantined:
        detail = f"This proxy cannot open it and no fallback may run: {refused.value}."
        return Problem(503, "backend_quarantined", "The new backend cannot be used", detail, 5)
    detail = f"The breaker is open and no fallback may run: {refused.value}."
    return Problem(503, "breaker_open", "The new backend is unavailable", detail, retry_after)
