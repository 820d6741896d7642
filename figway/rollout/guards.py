"""What must never happen while new serves users.

Guards are judged at every look, whatever the rollout waits for. Any of them may breach, so the
chance of a false alarm is shared among the statistical ones, the steps and the routes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from figway.evidence.sequential import (
    ALPHA,
    above,
    clustering,
    gate_prior,
    guard_prior,
    interval,
    log_evidence,
    share_prior,
)
from figway.rollout.gates import compared_with
from figway.rollout.judging import (
    WITHOUT_LEGACY,
    RolloutJudgement,
    failed_text,
    failure_interval,
    shown,
    slow_interval,
)
from figway.rollout.observation import CallCounts, Observation, RouteObservation
from figway.rollout.plan import ErrorLimits, LatencyLimits, RolloutPlan, percent_text
from figway.rollout.state import RolloutState

BREAKER_OPEN_MS = 10_000
"""A breaker that is open for longer is a breach."""


def judge_guards(
    plan: RolloutPlan, state: RolloutState, seen: Observation
) -> tuple[RolloutJudgement, ...]:
    """Every guard. Where no route serves from new there is nothing to guard."""
    if not seen.placement.serves:
        return ()
    found = [judged for route in seen.routes for judged in _of_route(plan, route, seen)]
    for route in seen.routes:
        parts = (route.legacy, route.new), (route.legacy_recent, route.new_recent)
        found += _load(plan, state, route.route, parts, seen)
    if len(seen.routes) > 1:
        found += _load(plan, state, "", (seen.pooled(), seen.pooled_recent()), seen)
    if plan.guards.webhook:
        found.append(_webhook(seen))
    return tuple(found)


def foreseen(plan: RolloutPlan, seen: Observation) -> tuple[RolloutJudgement, ...]:
    """The guards that would be breached as soon as new served users: of those that can be judged
    while it serves nobody, agreement."""
    if seen.placement.serves or not plan.guards.parity:
        return ()
    alpha = guard_alpha(plan, len(seen.routes))
    judged = (_parity(plan, route, alpha) for route in seen.routes)
    return tuple(found for found in judged if not found.ok)


def guard_alpha(plan: RolloutPlan, routes: int) -> float:
    """The chance of a false alarm that each single guard has in each step."""
    judged = routes if routes == 1 else routes + 1
    return ALPHA / (plan.guards.statistical * len(plan.steps) * judged)


def block_alpha(alpha: float, block: int) -> float:
    """What a guard may spend on one block, so that all blocks together spend `alpha`."""
    return alpha * 6 / (math.pi * block) ** 2


def _of_route(
    plan: RolloutPlan, seen: RouteObservation, look: Observation
) -> Iterator[RolloutJudgement]:
    if plan.guards.breaker:
        yield _breaker(seen)
    if plan.guards.budget:
        yield _budget(seen)
    if plan.guards.parity:
        yield _parity(plan, seen, guard_alpha(plan, len(look.routes)))


def _load(
    plan: RolloutPlan,
    state: RolloutState,
    route: str,
    parts: tuple[tuple[CallCounts, CallCounts], tuple[CallCounts, CallCounts]],
    look: Observation,
) -> Iterator[RolloutJudgement]:
    """Errors and latency of one route, or of all: over the whole step, and over its present block.

    What fails only after days would hardly move a count of days; a block notices it at once. Half
    of alpha goes to the step, the other half to its blocks.
    """
    alpha = guard_alpha(plan, len(look.routes)) / 2
    whole, recent = parts
    spent = ((whole, alpha), (recent, block_alpha(alpha, look.block)))
    if plan.guards.errors:
        limits = plan.gates.errors or ErrorLimits()
        yield _worse(_errors(limits, state, route, *calls, part) for calls, part in spent)
    if plan.guards.latency:
        slow = plan.gates.latency or LatencyLimits()
        yield _worse(
            _latency(slow, route, compared_with(*calls, state), calls[1], part)
            for calls, part in spent
        )


def _worse(judged: Iterable[RolloutJudgement]) -> RolloutJudgement:
    """The one of the whole step, unless a block breached."""
    whole, block = judged
    return block if whole.ok and not block.ok else whole


def _breaker(seen: RouteObservation) -> RolloutJudgement:
    ok = seen.breaker_open_ms <= BREAKER_OPEN_MS
    seconds = seen.breaker_open_ms / 1_000
    text = "no breaker has been open for long"
    if not ok:
        text = f"the breaker of route {seen.route} has been open for {seconds:.0f} s"
    return RolloutJudgement(
        name="breaker", role="guard", ok=ok, code="breaker_open", text=text, route=seen.route,
        value=seconds, bound=BREAKER_OPEN_MS / 1_000,
    )  # fmt: skip


def _budget(seen: RouteObservation) -> RolloutJudgement:
    refused = seen.budget_refused
    text = f"legacy's budget refused {refused} fallbacks of route {seen.route}"
    return RolloutJudgement(
        name="budget", role="guard", ok=refused == 0, code="budget_refused", text=text,
        route=seen.route, value=refused, bound=0,
    )  # fmt: skip


def _parity(plan: RolloutPlan, seen: RouteObservation, alpha: float) -> RolloutJudgement:
    most = round(1 - (plan.gates.parity or 0.995), 9)
    x, n = seen.parity.differing, seen.parity.rated
    prior = guard_prior(most)
    found = interval(x, n, alpha, *prior)
    ok = not above(x, n, most, alpha, *prior)
    where = f" at {', '.join(seen.parity.fields[:3])}" if seen.parity.fields else ""
    text = f"{shown(x, n)} pairs of route {seen.route} differ{'' if ok else where}"
    text += failed_text(seen.parity.failed)
    return RolloutJudgement(
        name="parity", role="guard", ok=ok, code="parity_refuted", text=text, route=seen.route,
        low=found.low, high=found.high, bound=most, value=x / n if n else None, n=n,
    )  # fmt: skip


def _errors(
    limits: ErrorLimits,
    state: RolloutState,
    route: str,
    legacy: CallCounts,
    new: CallCounts,
    alpha: float,
) -> RolloutJudgement:
    both = legacy.requests + new.requests
    share = new.requests / both if both else 0.0
    if share > WITHOUT_LEGACY:
        return _errors_alone(limits, route, compared_with(legacy, new, state), new, alpha)
    theta = share * limits.ratio / (share * limits.ratio + 1 - share)
    pairs = zip(new.buckets, legacy.buckets, strict=False)
    phi = clustering((mine[0], mine[0] + other[0]) for mine, other in pairs)
    x, n = new.failures / phi, (new.failures + legacy.failures) / phi
    found = interval(x, n, alpha, *share_prior(theta)) if 0 < theta < 1 else interval(0, 0, 1, 1, 1)
    too_many = 0 < theta < 1 and n > 0 and x > theta * n
    too_many = too_many and log_evidence(theta, x, n, *share_prior(theta)) >= math.log(1 / alpha)
    prior = guard_prior(limits.floor)
    breached = too_many and above(x, new.requests / phi, limits.floor, alpha, *prior)
    text = f"nothing has failed on either side{_named(route)}"
    if n:
        text = f"{shown(new.failures, new.failures + legacy.failures)} of all failures are new's, "
        text += f"at {percent_text(share)} of the requests{_named(route)}"
    return RolloutJudgement(
        name="errors", role="guard", ok=not breached, code="errors_breached", text=text,
        route=route, low=found.low, high=found.high, bound=theta if 0 < theta < 1 else None,
        value=x / n if n else None, n=n, phi=phi,
    )  # fmt: skip


def _errors_alone(
    limits: ErrorLimits, route: str, before: CallCounts, new: CallCounts, alpha: float
) -> RolloutJudgement:
    most = limits.floor
    if before.requests:
        high = failure_interval(before, alpha / 2, gate_prior(limits.floor)).high
        most = max(most, min(0.5, limits.ratio * high))
    x, n = new.failures / new.phi, new.requests / new.phi
    found = interval(x, n, alpha / 2, *guard_prior(most))
    breached = above(x, n, most, alpha / 2, *guard_prior(most))
    text = f"new failed {shown(new.failures, new.requests)}{_named(route)}, and legacy "
    text += f"{shown(before.failures, before.requests)} before"
    return RolloutJudgement(
        name="errors", role="guard", ok=not breached, code="errors_breached", text=text,
        route=route, low=found.low, high=found.high, bound=most, value=x / n if n else None,
        n=n, phi=new.phi,
    )  # fmt: skip


def _latency(
    limits: LatencyLimits, route: str, legacy: CallCounts, new: CallCounts, alpha: float
) -> RolloutJudgement:
    most = limits.share
    if legacy.answers:
        most = max(most, slow_interval(legacy, alpha / 2, gate_prior(limits.share)).high)
    prior = guard_prior(min(most, 0.5))
    found = slow_interval(new, alpha / 2, prior)
    ok = new.answers == 0 or found.low <= most
    text = f"{shown(new.slow, new.answers)} of new's answers are slow{_named(route)}"
    return RolloutJudgement(
        name="latency", role="guard", ok=ok, code="latency_breached", text=text, route=route,
        low=found.low, high=found.high, bound=most,
        value=new.slow / new.answers if new.answers else None, n=new.answers,
    )  # fmt: skip


def _webhook(seen: Observation) -> RolloutJudgement:
    breached = seen.guard_webhook == "breach"
    text = f"the webhook says: {seen.webhook_said}" if breached else "the webhook does not object"
    return RolloutJudgement(
        name="webhook", role="guard", ok=not breached, code="webhook_breach", text=text
    )


def _named(route: str) -> str:
    return f" on route {route}" if route else ""
