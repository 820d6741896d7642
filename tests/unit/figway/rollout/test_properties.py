"""Whatever happens in whatever order: no user is sent to new while anything forbids it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from figway.rollout.conditions import Look, is_fresh
from figway.rollout.machine import Outcome, replanned, step
from figway.rollout.observation import CallCounts, ParityCounts
from figway.rollout.plan import OnBreach, RolloutPlan
from figway.rollout.state import EventKind, RolloutEvent, RolloutPhase, RolloutRefusal
from tests.support.thorough import examples
from tests.unit.figway.rollout.looks import KILLED, MINUTE, NEW, PROVEN, Installation, at, plan_of

PARITIES = [
    PROVEN,
    ParityCounts(),
    replace(PROVEN, rated=300),
    replace(PROVEN, differing=300),
    replace(PROVEN, build="2"),
    replace(PROVEN, obstacles=("5 % unconfirmed",)),
    replace(PROVEN, shapes_missing=("404 text/html",)),
    replace(PROVEN, top_share=1.0),
]
STANDS = ["legacy", "shadow", "1%", "3%", "5%", "25%", "100%", "new"]
TOLD = {
    "kill": st.booleans(),
    "live": st.sampled_from([0, 2]),
    "current": st.sampled_from([1, 2]),
    "silent": st.sampled_from([0, 0, 1]),
    "reports_age_ms": st.sampled_from([0, 0, 40_000, None]),
    "hours_open": st.booleans(),
    "left_out": st.sampled_from(["", "", "p1 leaves out backend fn"]),
    "policy": st.sampled_from(["", "", "approval", "freeze", "refused"]),
    "gate_webhook": st.sampled_from(["", "pass", "hold"]),
}
STEPS = [
    {"stage": "shadow"},
    {"weight": "1%", "hold": "5m"},
    {"weight": "5%", "approve": True},
    {"weight": "25%", "hold": "10m"},
    {"weight": "100%"},
    {"stage": "new"},
]


class Rollouts(RuleBasedStateMachine):
    """One rollout, its routes, and everything that may happen to both."""

    def __init__(self) -> None:
        super().__init__()
        self.there = Installation(plan_of())

    @initialize(
        on_breach=st.sampled_from(OnBreach),
        observe=st.sampled_from([False, False, False, True]),
        stands=st.sampled_from(STANDS[:5]),
    )
    def start(self, on_breach: OnBreach, observe: bool, stands: str) -> None:
        plan = plan_of(on_breach=on_breach.value, observe=observe, steps=STEPS)
        self.there = Installation(plan, stands)

    @property
    def plan(self) -> RolloutPlan:
        return self.there.plan

    @rule(seen=st.fixed_dictionaries({}, optional=TOLD))
    def something_is_seen(self, seen: dict[str, Any]) -> None:
        if seen.get("current", 1) > seen.get("live", 2):
            seen["current"] = 0
        if "current" in seen and "live" not in seen:
            seen["live"] = 2
        if "live" in seen and "current" not in seen:
            seen["current"] = seen["live"]
        self.there.seen = seen

    @rule(parity=st.sampled_from(PARITIES), new=st.sampled_from([NEW, KILLED, CallCounts()]),
          breaker=st.sampled_from([0, 0, 20_000]))  # fmt: skip
    def traffic_is(self, parity: ParityCounts, new: CallCounts, breaker: int) -> None:
        self.there.route.update(parity=parity, new=new, breaker_open_ms=breaker)

    @rule(stands=st.sampled_from(STANDS))
    def a_person_flips(self, stands: str) -> None:
        self.there.placement = at(stands)

    @rule(steps=st.sampled_from([STEPS, STEPS[:2], STEPS[1:4], [*STEPS[:1], {"weight": "3%"}]]))
    def the_plan_is_changed(self, steps: list[dict[str, Any]]) -> None:
        """While it is paused, as the control plane allows it then."""
        there = self.there
        if there.state.phase is RolloutPhase.PAUSED:
            there.plan = plan_of(
                on_breach=there.plan.on_breach.value, observe=there.plan.observe, steps=steps
            )
            there.state = replanned(there.plan, there.state)

    @rule(kind=st.sampled_from(EventKind), actor=st.sampled_from(["ann", "bob"]),
          ms=st.sampled_from([1_000, 5_000, MINUTE, 10 * MINUTE, -MINUTE]))  # fmt: skip
    def told(self, kind: EventKind, actor: str, ms: int) -> None:
        self.there.now += ms
        self._step(RolloutEvent(kind=kind, actor=actor))

    @rule(times=st.integers(1, 30))
    def looked_at(self, times: int) -> None:
        for _ in range(times):
            self.there.now += MINUTE
            self._step(RolloutEvent())

    def _step(self, event: RolloutEvent) -> None:
        there = self.there
        before, seen, stood = there.state, there.look(), there.placement
        try:
            outcome = step(there.plan, before, event, seen)
        except RolloutRefusal:
            assert event.kind is not EventKind.TICK
            return
        there.state = outcome.state
        if outcome.move is None:
            return
        there.placement = outcome.move.placement
        assert outcome.move.back == (there.placement.exposure <= stood.exposure)
        if there.placement.exposure > stood.exposure:
            self._check_further(event, outcome, Look(there.plan, before, event, seen))

    def _check_further(self, event: RolloutEvent, outcome: Outcome, look: Look) -> None:
        seen, plan = look.seen, look.plan
        assert not plan.observe
        assert not look.state.ended
        assert not seen.kill
        assert not look.breached
        assert seen.placement == look.state.expected
        if event.kind is EventKind.PROMOTE_FULL:
            return
        assert is_fresh(plan, seen)
        assert seen.hours_open
        assert not seen.policy
        assert seen.gate_webhook != "hold"
        step_before = look.state.step
        if step_before >= 0 and plan.steps[step_before].approve:
            by_other = event.kind is EventKind.PROMOTE and event.actor != look.state.started_by
            assert by_other or look.state.approved_step == step_before
        if event.kind is EventKind.TICK:
            assert all(gate.ok for gate in outcome.gates)
            assert outcome.state.step == step_before + 1

    @invariant()
    def a_breach_never_stands(self) -> None:
        """At the next look with users on new and a guard breached, it leads back or is over."""
        there = self.there
        if there.plan.observe or there.state.ended or not there.placement.serves:
            return
        seen = there.look()
        outcome = step(there.plan, there.state, RolloutEvent(), seen)
        look = Look(there.plan, there.state, RolloutEvent(), seen)
        if look.breached and not seen.kill and outcome.state.phase is not RolloutPhase.SUPERSEDED:
            moved_back = outcome.move is not None and outcome.move.back
            assert moved_back or outcome.state.phase is RolloutPhase.PAUSED

    def teardown(self) -> None:
        """When all is well again it comes to an end, or stands where people are told of it."""
        there = self.there
        there.seen = {}
        there.route.update(parity=PROVEN, new=NEW, breaker_open_ms=0)
        for _ in range(800):
            if there.state.ended or there.state.needs_attention or there.plan.observe:
                return
            there.now += MINUTE
            self._step(RolloutEvent())
        raise AssertionError(f"it never ends: {there.state}")


Rollouts.TestCase.settings = settings(
    max_examples=examples(180), stateful_step_count=30, deadline=None
)
TestRollouts = Rollouts.TestCase
