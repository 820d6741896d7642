"""Holds a plan against the table that it is to move, and against other plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from figway.evidence.sequential import needs_more
from figway.message.http import is_read
from figway.model.backend import answers_later
from figway.model.table import Route, Stage, Table
from figway.rollout.plan import RolloutPlan, Scope, placement_of
from figway.validate.findings import Finding, Findings

LONGEST_DAYS = 30
_DAY_S = 86_400


def routes_of(scope: Scope, table: Table) -> tuple[Route, ...]:
    """The routes that a rollout moves; none when the table has no such thing."""
    if scope.route:
        route = table.routes.get(scope.route)
        return () if route is None else (route,)
    found = (route for route in table.routes.values() if route.capability == scope.capability)
    return tuple(sorted(found, key=lambda route: route.id))


def lint_plan(
    plan: RolloutPlan,
    table: Table,
    others: Iterable[RolloutPlan] = (),
    *,
    zones: Collection[str] | None = None,
    pairs_per_day: float | None = None,
    moving: bool = False,
) -> list[Finding]:
    """What is wrong with a plan.

    `others` are the plans that have not ended. `zones` are the known time zones. `pairs_per_day`
    is what would be compared at the present rate; None when it is not known. `moving` says that
    the rollout runs already, so that its routes may stand anywhere.
    """
    findings = Findings()
    path = f"rollouts.{plan.id}"
    routes = routes_of(plan.scope, table)
    _scope(findings, path, plan, routes)
    _overlap(findings, path, plan, routes, table, others)
    if routes and not moving:
        _standing(findings, path, routes)
    _steps(findings, path, plan)
    _compared(findings, path, plan, routes, table)
    _answers_later(findings, path, plan, routes, table)
    if plan.hours is not None and zones is not None and plan.hours.zone not in zones:
        findings.error(
            "rollout_zone_unknown", f"{path}.window.zone", f"{plan.hours.zone!r} is no zone",
            "use a name of the IANA database, such as Europe/Berlin",
        )  # fmt: skip
    if pairs_per_day is not None:
        _pace(findings, path, plan, pairs_per_day)
    return findings.found


def _scope(findings: Findings, path: str, plan: RolloutPlan, routes: tuple[Route, ...]) -> None:
    if not routes:
        findings.error(
            "rollout_target_unknown", f"{path}.target", f"there is no {plan.scope} with routes",
            "name a capability or a route of the table",
        )  # fmt: skip
    for route in routes:
        if not route.new:
            findings.error(
                "rollout_no_new", f"{path}.target", f"route {route.id} has no new backend",
                "name one before it can move",
            )  # fmt: skip
        if plan.scope.route and route.capability:
            findings.warning(
                "rollout_part", f"{path}.target",
                f"route {route.id} belongs to capability {route.capability}, which moves without "
                "it",
                "move the whole capability, so that users stay on one side",
            )  # fmt: skip


def _overlap(
    findings: Findings,
    path: str,
    plan: RolloutPlan,
    routes: tuple[Route, ...],
    table: Table,
    others: Iterable[RolloutPlan],
) -> None:
    mine = {route.id for route in routes}
    for other in others:
        if other.id == plan.id:
            continue
        shared = mine.intersection(route.id for route in routes_of(other.scope, table))
        if shared:
            findings.error(
                "rollout_overlap", f"{path}.target",
                f"rollout {other.id} moves route {min(shared)} already",
                "abort that one, or let it end",
            )  # fmt: skip


def _standing(findings: Findings, path: str, routes: tuple[Route, ...]) -> None:
    places = {placement_of(route) for route in routes}
    if len(places) > 1:
        stands = ", ".join(f"{route.id} at {placement_of(route)}" for route in routes[:5])
        findings.error(
            "rollout_mixed", f"{path}.target", f"its routes stand in different places: {stands}",
            "flip the capability to one stage first",
        )  # fmt: skip
    if any(route.stage is Stage.RETIRED for route in routes):
        findings.error(
            "rollout_mixed", f"{path}.target", "a retired route has left legacy for good",
            "there is nothing to roll out",
        )  # fmt: skip


def _steps(findings: Findings, path: str, plan: RolloutPlan) -> None:
    first = plan.steps[0]
    if first.placement.serves:
        findings.warning(
            "rollout_no_shadow", f"{path}.steps[0]", "users are served before anything is compared",
            "begin with {stage: shadow}",
        )  # fmt: skip
    serving = next((entry for entry in plan.steps if entry.placement.serves), None)
    if serving is not None and serving.placement.exposure > 2 + 2_500:
        findings.warning(
            "rollout_first_large", f"{path}.steps", f"the first users are {serving.placement}",
            "begin with 1% or 5%",
        )  # fmt: skip
    guards = plan.guards
    if not (guards.breaker or guards.parity or guards.errors or guards.latency):
        findings.warning(
            "rollout_unguarded", f"{path}.guards", "every guard is off: nothing would lead back",
            "leave breaker and errors on",
        )  # fmt: skip


def _compared(
    findings: Findings, path: str, plan: RolloutPlan, routes: tuple[Route, ...], table: Table
) -> None:
    if plan.gates.parity is None or not routes:
        return
    if not any(comparable(route, table) for route in routes):
        findings.error(
            "rollout_nothing_compared", f"{path}.gates.parity",
            "none of its routes has a method that is compared: agreement can never be proven",
            "write parity: false, or a dry-run contract for the route",
        )  # fmt: skip


def _answers_later(
    findings: Findings, path: str, plan: RolloutPlan, routes: tuple[Route, ...], table: Table
) -> None:
    """Stage shadow is refused for what answers 202: the plan would never get past it."""
    later = [route.id for route in routes if _is_later(route, table)]
    steps = [n for n, entry in enumerate(plan.steps) if entry.placement.stage is Stage.SHADOW]
    if later and steps:
        findings.error(
            "async_not_comparable", f"{path}.steps[{steps[0]}]",
            f"{later[0]} has no stage shadow: its new backend answers 202 before the work is done",
            "begin with a small weight, and write parity: false",
        )  # fmt: skip


def _is_later(route: Route, table: Table) -> bool:
    new = table.backends.get(route.new)
    return new is not None and answers_later(new)


def comparable(route: Route, table: Table) -> bool:
    """Whether any method of a route is compared: reads are, writes only with a dry-run contract."""
    if _is_later(route, table):
        return False
    methods = route.match.methods
    safe = not methods or any(is_read(name, route.reads) for name in methods)
    return bool(route.shadow.dry_run) or (safe and not route.shadow.unsafe_get)


def _pace(findings: Findings, path: str, plan: RolloutPlan, pairs_per_day: float) -> None:
    holds = sum(entry.hold_ms for entry in plan.steps) / 1_000 / _DAY_S
    needs = needs_more(0, 0, round(1 - plan.gates.parity, 9)) if plan.gates.parity else 0
    compare = (needs or 0) / pairs_per_day if pairs_per_day > 0 else float("inf")
    days = holds + compare
    if days > LONGEST_DAYS:
        text = "never, as nothing is compared" if days == float("inf") else f"in {days:.0f} days"
        findings.warning(
            "rollout_slow", f"{path}.steps", f"at the present traffic it ends {text}",
            "raise the sample, lower the goal, or shorten the holds",
        )  # fmt: skip
