"""Looks at an installation, for tests: all is well unless they say otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from figway.model.table import Stage
from figway.rollout.machine import Outcome, begin, step
from figway.rollout.observation import (
    CallCounts,
    Observation,
    ParityCounts,
    Reference,
    RouteObservation,
)
from figway.rollout.parsing import parse_plan
from figway.rollout.plan import Placement, RolloutPlan
from figway.rollout.state import EventKind, RolloutEvent, RolloutState

PROVEN = ParityCounts(rated=2_000, distinct=400, top_share=0.1, shapes_done=4, pairs_per_s=5)
LEGACY = CallCounts(requests=20_000, failures=100, answers=20_000, slow=600)
NEW = CallCounts(requests=9_000, failures=9, answers=9_000, slow=20)
KILLED = CallCounts(requests=400, failures=300, answers=100, slow=0)
MINUTE = 60_000


def plan_of(**given: Any) -> RolloutPlan:
    """A plan of 1, 5, 25 and 100 % after a shadow, with no holds but what is given."""
    data = {
        "id": "orders",
        "target": {"route": "orders"},
        "steps": [
            {"stage": "shadow"},
            {"weight": "1%"},
            {"weight": "5%"},
            {"weight": "25%"},
            {"weight": "100%"},
            {"stage": "new"},
        ],
        "warmup": "0s",
        **given,
    }
    plan, findings = parse_plan(data)
    assert plan is not None, findings
    return plan


def at(text: str) -> Placement:
    """`shadow`, or `5%`."""
    if text.endswith("%"):
        return Placement(Stage.CANARY, round(float(text[:-1]) * 100))
    return Placement(Stage(text))


class Installation:
    """One route that does what it is told, and a clock."""

    def __init__(self, plan: RolloutPlan, stands: str = "legacy") -> None:
        self.plan = plan
        self.now = 1_700_000_000_000
        self.placement = at(stands)
        self.seen: dict[str, Any] = {}
        self.route: dict[str, Any] = {"parity": PROVEN, "legacy": LEGACY, "new": NEW}
        self.state = begin(plan, self.look(), "ann")

    def look(self) -> Observation:
        """What is seen now."""
        found = RouteObservation(route="orders", placement=self.placement, **self.route)
        reference = Reference(threshold_us=100_000, legacy=LEGACY)
        given = {"reference": reference, **self.seen}
        return Observation(now_ms=self.now, routes=(found,), **given)

    def tell(self, kind: EventKind = EventKind.TICK, actor: str = "bob") -> Outcome:
        """Let something happen; moves are made."""
        outcome = step(self.plan, self.state, RolloutEvent(kind=kind, actor=actor), self.look())
        self.state = outcome.state
        if outcome.move is not None:
            self.placement = outcome.move.placement
        return outcome

    def tick(self, ms: int = 5_000) -> Outcome:
        """Some seconds later."""
        self.now += ms
        return self.tell()

    def walk_to(self, text: str) -> Outcome:
        """Tick until the routes stand there."""
        for _ in range(50):
            outcome = self.tick()
            if self.placement == at(text):
                return outcome
        raise AssertionError(f"stands at {self.placement}: {outcome.reasons}")

    def with_state(self, **changes: Any) -> RolloutState:
        """Change the state by hand."""
        self.state = replace(self.state, **changes)
        return self.state


def codes(outcome: Outcome) -> list[str]:
    """The codes of its reasons."""
    return [reason.code for reason in outcome.reasons]
