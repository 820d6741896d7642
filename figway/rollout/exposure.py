"""What leads back towards legacy, and what does not.

Moving back never needs an approval, and passes every freeze: nothing may stand between an operator
and legacy. So it has to be plain what only moves back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from figway.model.table import BreakerForce, Route, Stage, Table
from figway.rollout.plan import placement_of
from figway.routing.overlap import may_meet

_RANKS = {stage: rank for rank, stage in enumerate(Stage)}


def exposure(route: Route | None) -> int:
    """How far a route is from legacy: rises with stage and weight; 0 when there is none."""
    return 0 if route is None else placement_of(route).exposure


def taken_over(before: Table, after: Table) -> Iterator[Route]:
    """Routes of `after` that may come to serve requests of a route that is gone, or that matches
    others now, and that are further from legacy than it was."""
    for route_id, gone in before.routes.items():
        kept = after.routes.get(route_id)
        if kept is gone or (kept is not None and kept.match == gone.match):
            continue
        for route in after.routes.values():
            further = route is not kept and exposure(route) > exposure(gone)
            if further and may_meet(gone.match, route.match):
                yield route


def only_back(before: Table, after: Table) -> bool:
    """Whether `after` differs from `before` only in that fewer users are served by new.

    Allowed are: an earlier stage, a lower weight, a breaker that is forced open (or not forced
    closed any more), a deleted route whose requests fall to no route that is further, and the kill
    switch going on. Anything else that differs, an added route as well, is more than going back.
    """
    if before.kill_switch and not after.kill_switch:
        return False
    same = replace(after, kill_switch=before.kill_switch, routes=before.routes)
    if same is not before and (
        same.default_backend != before.default_backend
        or (same.backends is not before.backends and same.backends != before.backends)
        or (
            same.capabilities is not before.capabilities
            and same.capabilities != before.capabilities
        )
    ):
        return False
    if any(taken_over(before, after)):
        return False
    return all(
        known is not None and (known is route or _goes_back(known, route))
        for route_id, route in after.routes.items()
        for known in (before.routes.get(route_id),)
    )


def _goes_back(before: Route, after: Route) -> bool:
    force = after.breaker.force
    if force is not before.breaker.force and force is BreakerForce.CLOSED:
        return False
    if before.breaker.force is BreakerForce.OPEN and force is not BreakerForce.OPEN:
        return False
    if _RANKS[after.stage] > _RANKS[before.stage]:
        return False
    if after.stage is before.stage is Stage.CANARY and after.weight > before.weight:
        return False
    moved = replace(
        before,
        stage=after.stage,
        weight=after.weight,
        evidence_since=after.evidence_since,
        breaker=replace(before.breaker, force=force),
    )
    return moved == after
