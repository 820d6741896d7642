"""The plan that the demo brings: one command, and its end is seen by whoever watches."""

from __future__ import annotations

from control_plane.cli.demo import ROLLOUT
from control_plane.cli.demo_traffic import _GRAPHQL_EVERY, _PATHS
from figway.evidence.sequential import needs_more
from figway.rollout.parsing import parse_plan
from figway.rollout.plan import RolloutPlan


def _plan() -> RolloutPlan:
    plan, findings = parse_plan(ROLLOUT)
    assert plan is not None, findings
    assert not findings
    return plan


def test_it_ends_within_a_quarter_of_an_hour_at_ten_requests_a_second() -> None:
    """With a preset the demo would have taken hours: too few of its requests are of one route."""
    plan = _plan()
    path = "/api/bookings?user={n}"
    per_s = 10.0 * (1 - 1 / _GRAPHQL_EVERY) * _PATHS.count(path) / len(_PATHS)
    assert plan.gates.parity is not None
    assert plan.gates.errors is not None
    seconds = (needs_more(0, 0, round(1 - plan.gates.parity, 9)) or 0) / per_s
    for entry in plan.steps:
        if entry.placement.serves and entry is not plan.steps[-1]:
            share = entry.placement.weight / 10_000
            answers = needs_more(0, 0, plan.gates.errors.floor, 0.025) or 0
            seconds += max(
                entry.hold_ms / 1_000, plan.warmup_ms / 1_000 + answers / (per_s * share)
            )
    assert 300 < seconds < 900
