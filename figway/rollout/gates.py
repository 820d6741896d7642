"""What must be shown before a rollout goes on.

All gates must pass, so each is judged at the whole alpha (an intersection-union test needs no
correction). They judge the routes of a rollout together; the guards look at each route too.
"""

from __future__ import annotations

from collections.abc import Iterator

from figway.evidence.judgement import SHAPE_PAIRS
from figway.evidence.sequential import ALPHA, at_most, gate_prior, interval, needs_more
from figway.rollout.judging import (
    WITHOUT_LEGACY,
    RolloutJudgement,
    failed_text,
    failure_interval,
    needs_text,
    shown,
    slow_interval,
)
from figway.rollout.observation import CallCounts, Observation
from figway.rollout.plan import RolloutPlan, percent_text
from figway.rollout.state import RolloutState


def judge_gates(
    plan: RolloutPlan, state: RolloutState, seen: Observation
) -> tuple[RolloutJudgement, ...]:
    """Every gate of the present step, in the order in which reasons are told."""
    found = list(_comparing(plan, seen))
    if state.step >= 0 and plan.steps[state.step].placement.serves:
        found += _serving(plan, state, seen)
    return tuple(found)


def _comparing(plan: RolloutPlan, seen: Observation) -> Iterator[RolloutJudgement]:
    if plan.gates.parity is None:
        return
    yield _parity(plan.gates.parity, seen)
    yield _obstacles(seen)
    yield _distinct(plan, seen)
    if plan.gates.shapes:
        yield _shapes(seen)


def _parity(goal: float, seen: Observation) -> RolloutJudgement:
    most = round(1 - goal, 9)
    x = sum(route.parity.differing for route in seen.routes)
    n = sum(route.parity.rated for route in seen.routes)
    rates = [route.parity.pairs_now_per_s for route in seen.routes]
    known = [rate for rate in rates if rate is not None]
    per_s = sum(known) if known else None
    found = interval(x, n, ALPHA, *gate_prior(most))
    ok = at_most(x, n, most, ALPHA, *gate_prior(most))
    needs = needs_more(x, n, most)
    code, text = "parity_data", f"agreement is not yet proven at {percent_text(goal)}: "
    if ok:
        code, text = "parity_proven", f"agreement of {percent_text(goal)} is proven: "
        text += f"{shown(x, n)} differ"
    elif needs is None:
        fields = dict.fromkeys(name for route in seen.routes for name in route.parity.fields)
        where = f" at {', '.join(list(fields)[:3])}" if fields else ""
        failed = sum(route.parity.failed for route in seen.routes)
        code = "parity_refuted"
        text = (
            f"agreement of {percent_text(goal)} is refuted: {shown(x, n)} differ{where}"
            f"{failed_text(failed)}; fix new and deploy another build"
            f"{', or write a rule' if x > failed else ''}"
        )
    else:
        text += needs_text(needs, "pairs", per_s)
    return RolloutJudgement(
        name="parity", role="gate", ok=ok, code=code, text=text, low=found.low, high=found.high,
        bound=most, value=x / n if n else None, n=n, needs=0 if ok else needs,
    )  # fmt: skip


def _obstacles(seen: Observation) -> RolloutJudgement:
    told = [text for route in seen.routes for text in route.parity.obstacles]
    told += [f"route {route} was never compared" for route in _never_compared(seen)]
    return RolloutJudgement(
        name="proof", role="gate", ok=not told, code="parity_obstacle",
        text="; ".join(told) or "nothing else keeps the comparison from being proof",
    )  # fmt: skip


_ENOUGH_TRAFFIC = 0.005
"""Share of the traffic from which on a route has to be compared, as each shape of one has."""


def _never_compared(seen: Observation) -> Iterator[str]:
    """Routes that carry traffic and of which nothing is known; the others prove nothing of them."""
    requests = {route.route: route.legacy.requests + route.new.requests for route in seen.routes}
    least = _ENOUGH_TRAFFIC * sum(requests.values())
    for route in seen.routes:
        if route.comparable and not route.parity.rated and requests[route.route] > least:
            yield route.route


def _distinct(plan: RolloutPlan, seen: Observation) -> RolloutJudgement:
    distinct = sum(route.parity.distinct for route in seen.routes)
    rated = sum(route.parity.rated for route in seen.routes)
    known = [route.parity.distinct_known for route in seen.routes]
    least = plan.gates.min_distinct
    if known and all(number is not None for number in known):
        least = min(least, sum(number or 0 for number in known))
    top = max((r.parity.top_share * r.parity.rated for r in seen.routes), default=0.0)
    share = top / rated if rated else 0.0
    ok, code = True, "distinct_enough"
    text = f"{distinct} different requests were compared"
    if distinct < least:
        ok, code = False, "distinct_few"
        text = _few(distinct, least)
    elif share > plan.gates.max_one and distinct > 1:
        ok, code = False, "distinct_one"
        text = f"one request makes up {percent_text(share)} of what was compared; at most "
        text += f"{percent_text(plan.gates.max_one)} may be the same"
    return RolloutJudgement(
        name="distinct", role="gate", ok=ok, code=code, text=text, value=distinct, bound=least,
        n=rated, needs=max(0, least - distinct),
    )  # fmt: skip


def _few(distinct: int, least: int) -> str:
    if distinct > 1:
        return f"only {distinct} different requests were compared; {least} are needed"
    number = "only one request" if distinct else "no request"
    return f"{number} was compared; {least} different ones are needed"


def _shapes(seen: Observation) -> RolloutJudgement:
    missing = [text for route in seen.routes for text in route.parity.shapes_missing]
    done = sum(route.parity.shapes_done for route in seen.routes)
    whole = done + len(missing)
    text = f"{done} of {whole} shapes of requests compared; " if done else ""
    if not missing:
        text = f"every shape was compared {SHAPE_PAIRS} times"
    else:
        text += f"compared less than {SHAPE_PAIRS} times: "
        text += "; ".join(missing[:5])
        text += f"; and {len(missing) - 5} more" if len(missing) > 5 else ""
    return RolloutJudgement(
        name="shapes", role="gate", ok=not missing, code="shapes_missing" if missing else "shapes",
        text=text, value=done, bound=whole, n=whole,
    )  # fmt: skip


def _serving(
    plan: RolloutPlan, state: RolloutState, seen: Observation
) -> Iterator[RolloutJudgement]:
    if plan.guards.breaker:
        yield _breakers(seen)
    legacy, new = seen.pooled()
    legacy = compared_with(legacy, new, state)
    if plan.gates.errors is not None:
        yield _errors(plan, legacy, new, seen.new_per_s)
    if plan.gates.latency is not None:
        yield _latency(plan, legacy, new, seen.new_per_s)


def _breakers(seen: Observation) -> RolloutJudgement:
    """Whether new is asked at all. The guard gives a breaker its time in each step; meanwhile
    nobody else is sent there."""
    opened = [route.route for route in seen.routes if route.breaker_open_ms > 0]
    text = "no breaker is open"
    if opened:
        text = f"the breaker of route {', '.join(opened)} is open: new is left alone at present"
    return RolloutJudgement(
        name="breaker", role="gate", ok=not opened, code="breaker_now", text=text,
        value=len(opened), bound=0,
    )  # fmt: skip


def compared_with(legacy: CallCounts, new: CallCounts, state: RolloutState) -> CallCounts:
    """Legacy's counts beside those of new; its last day where it hardly answers any more."""
    both = legacy.requests + new.requests
    if state.reference is not None and both and new.requests > WITHOUT_LEGACY * both:
        return state.reference.legacy
    return legacy


def _errors(
    plan: RolloutPlan, legacy: CallCounts, new: CallCounts, per_s: float | None
) -> RolloutJudgement:
    limits = plan.gates.errors
    assert limits is not None
    prior = gate_prior(limits.floor)
    before = failure_interval(legacy, ALPHA / 2, prior)
    most = max(limits.ratio * before.low, limits.floor)
    prior, phi = gate_prior(min(most, 0.5)), new.phi
    found = failure_interval(new, ALPHA / 2, prior)
    ok = new.requests > 0 and found.high <= most
    needs = needs_more(new.failures / phi, new.requests / phi, min(most, 0.999), ALPHA / 2, prior)
    text = f"new failed {shown(new.failures, new.requests)}"
    code = "errors_passed"
    if not ok:
        code = "errors_data" if needs is not None else "errors_above"
        text += f"; at most {percent_text(most)} has to be shown"
        text += "" if needs is None else ": " + needs_text(int(needs * phi), "answers", per_s)
    return RolloutJudgement(
        name="errors", role="gate", ok=ok, code=code, text=text, low=found.low, high=found.high,
        bound=most, value=new.failures / new.requests if new.requests else None, n=new.requests,
        needs=0 if ok else needs, phi=phi,
    )  # fmt: skip


def _latency(
    plan: RolloutPlan, legacy: CallCounts, new: CallCounts, per_s: float | None
) -> RolloutJudgement:
    limits = plan.gates.latency
    assert limits is not None
    most = limits.share
    if legacy.answers:
        most = max(most, slow_interval(legacy, ALPHA / 2, gate_prior(limits.share)).high)
    # Little of legacy makes a wide interval, which would excuse anything.
    most = min(most, 4 * limits.share) if legacy.slow < 10 else most
    prior = gate_prior(min(most, 0.5))
    found = slow_interval(new, ALPHA / 2, prior)
    ok = new.answers > 0 and found.high <= most
    needs = needs_more(new.slow, new.answers, min(most, 0.999), ALPHA / 2, prior)
    text = f"{shown(new.slow, new.answers)} of new's answers are slow"
    code = "latency_passed"
    if not ok:
        code = "latency_data" if needs is not None else "latency_above"
        text += f"; at most {percent_text(most)} has to be shown"
        text += "" if needs is None else ": " + needs_text(needs, "answers", per_s)
    return RolloutJudgement(
        name="latency", role="gate", ok=ok, code=code, text=text, low=found.low, high=found.high,
        bound=most, value=new.slow / new.answers if new.answers else None, n=new.answers,
        needs=0 if ok else needs,
    )  # fmt: skip
