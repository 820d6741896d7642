"""The table of a rollout, as conversations; what users of other tools complain of, by number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from figway.rollout.conditions import CONDITIONS
from figway.rollout.machine import TABLE, begin
from figway.rollout.observation import CallCounts, ParityCounts
from figway.rollout.state import (
    EventKind,
    RolloutPhase,
    RolloutRefusal,
    RolloutState,
    state_from_data,
    state_to_data,
)
from tests.unit.figway.rollout.looks import (
    KILLED,
    LEGACY,
    MINUTE,
    NEW,
    PROVEN,
    Installation,
    at,
    codes,
)
from tests.unit.figway.rollout.looks import plan_of as plan_of

REFUTED = replace(PROVEN, differing=90, fields=("$.total|changed",))


def test_it_walks_every_step_and_completes() -> None:
    """Nothing stands in the way: shadow, 1, 5, 25, 100 %, new, completed; nothing twice."""
    there = Installation(plan_of())
    moves = []
    for _ in range(12):
        outcome = there.tick()
        moves += [str(outcome.move.placement)] if outcome.move else []
    assert moves == ["shadow", "1 %", "5 %", "25 %", "100 %", "new"]
    assert there.state.phase is RolloutPhase.COMPLETED
    assert there.tick().move is None


def test_it_begins_where_the_routes_stand() -> None:
    """A route at 5 % already is not moved back by a start."""
    there = Installation(plan_of(), "5%")
    assert there.state.step == 2
    assert str(there.tick().move.placement) == "25 %"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("seen", "code", "waits"),
    [
        ({"kill": True}, "kill", "kill"),
        ({"live": 0, "current": 0}, "proxies_none", "proxies"),
        ({"live": 3, "current": 2}, "proxies_behind", "proxies"),
        ({"live": 3, "current": 2, "refused": 1}, "proxies_refused", "proxies"),
        ({"silent": 1}, "proxies_silent", "proxies"),
        ({"reports_age_ms": 31_000}, "data_stale", "data"),
        ({"reports_age_ms": None}, "data_stale", "data"),
        ({"gate_webhook": "hold", "webhook_said": "503"}, "webhook", "webhook"),
        ({"policy": "approval", "policy_said": "needs 2"}, "approval", "approval"),
        ({"policy": "freeze", "policy_said": "frozen"}, "freeze", "window"),
        ({"hours_open": False, "hours_next": "Mon 09:00"}, "hours", "window"),
    ],
)
def test_what_holds_it_is_said_and_it_goes_on_by_itself(
    seen: dict[str, Any], code: str, waits: str
) -> None:
    """A silent proxy, a refused table, the kill switch, a freeze: held, told, and gone on."""
    there = Installation(plan_of())
    there.walk_to("5%")
    there.seen = seen
    for _ in range(5):
        outcome = there.tick()
        assert outcome.move is None
        assert codes(outcome) == [code]
        assert outcome.state.waiting_for == waits
    there.seen = {}
    assert there.tick().move is not None


def test_no_traffic_at_all_holds() -> None:
    """Nothing compared, nothing served: it waits for data and says how much."""
    there = Installation(plan_of())
    there.walk_to("1%")
    there.route = {"parity": ParityCounts(pairs_now_per_s=0.0)}
    outcome = there.tick(90 * 24 * 60 * MINUTE)
    assert (outcome.move, outcome.state.waiting_for) == (None, "data")
    assert "needs 946 more pairs; none arrive now" in outcome.reasons[0].text


# -- the thirteen complaints -------------------------------------------------------------------


def test_complaint_1_guards_run_while_an_approval_is_waited_for() -> None:
    """fluxcd/flagger#1801: it waited at confirm-traffic-increase, and never rolled back."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "approve": True}, {"weight": "25%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    assert there.tick().state.waiting_for == "approval"
    there.route = {"parity": PROVEN, "legacy": LEGACY, "new": KILLED}
    outcome = there.tick()
    assert there.placement == at("shadow")
    assert outcome.state.phase is RolloutPhase.STEPPING_BACK
    assert "errors_breached" in codes(outcome)


@pytest.mark.parametrize("waits", ["hold", "window", "proxies", "data", "webhook"])
def test_complaint_1_guards_run_in_every_state(waits: str) -> None:
    """Whatever it waits for, a breach leads back at the next look."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.with_state(phase=RolloutPhase.WAITING, waiting_for=waits)
    there.seen = {"hours_open": False, "live": 2, "current": 1, "reports_age_ms": 10**9}
    there.route["new"] = KILLED
    assert there.tick().move is not None
    assert there.placement == at("5%")


def test_complaint_3_another_build_begins_anew() -> None:
    """fluxcd/flagger#30: a revision deployed during the analysis was promoted unvalidated."""
    plan = plan_of(steps=[{"stage": "shadow"}, {"weight": "5%", "hold": "1h", "approve": True},
                          {"weight": "25%"}])  # fmt: skip
    there = Installation(plan)
    there.route["parity"] = replace(PROVEN, build="17")
    there.walk_to("5%")
    for _ in range(61):
        there.tick(MINUTE)
    there.tell(EventKind.APPROVE, "bob")
    there.route["parity"] = ParityCounts(build="18", rated=10, distinct=10)
    outcome = there.tick()
    assert outcome.move is None
    assert "hold" in codes(outcome)
    assert (outcome.state.held_ms, outcome.state.approved_step) == (0, -1)
    for _ in range(61):
        outcome = there.tick(MINUTE)
    assert codes(outcome)[0] == "build_changed"
    assert "build 18" in outcome.reasons[0].text


def test_complaint_4_an_emergency_skips_what_is_left() -> None:
    """fluxcd/flagger#45: gates, hold, hours and approvals do not stop a full promotion."""
    there = Installation(plan_of(steps=[{"stage": "shadow"}, {"weight": "5%", "hold": "1d",
                                        "approve": True}, {"stage": "new"}]))  # fmt: skip
    there.walk_to("5%")
    there.seen = {"hours_open": False, "hours_next": "tomorrow"}
    there.route["parity"] = ParityCounts()
    outcome = there.tell(EventKind.PROMOTE_FULL)
    assert there.placement == at("new")
    assert codes(outcome) == ["person_promote_full"]


def test_complaint_5_not_enough_data_goes_on_by_itself() -> None:
    """argo-rollouts#1905: no values must neither fail nor pass."""
    there = Installation(plan_of())
    there.walk_to("1%")
    there.route["parity"] = replace(PROVEN, rated=300)
    assert [there.tick().state.waiting_for for _ in range(100)] == ["data"] * 100
    there.route["parity"] = PROVEN
    assert there.tick().move is not None


def test_complaint_6_a_breach_may_pause_so_that_people_learn_to_trust() -> None:
    """argo-rollouts#2866: pause instead of abort."""
    there = Installation(plan_of(on_breach="pause"))
    there.walk_to("25%")
    there.route["new"] = KILLED
    outcome = there.tick()
    assert (outcome.move, outcome.state.phase) == (None, RolloutPhase.PAUSED)
    assert outcome.state.needs_attention


def test_complaint_6_an_observing_plan_only_tells() -> None:
    """It says what it would do, forward and back, and follows a person's own flips."""
    there = Installation(plan_of(observe=True), "5%")
    outcome = there.tick()
    assert (outcome.move, codes(outcome)) == (None, ["would_move"])
    assert "25 %" in outcome.reasons[0].text
    there.placement = at("25%")
    there.route["new"] = KILLED
    outcome = there.tick()
    assert outcome.move is None
    assert codes(outcome)[:2] == ["would_step_back", "errors_breached"]
    assert there.placement == at("25%")


def test_complaint_7_time_alone_never_advances() -> None:
    """argo-rollouts#3850: the pause ran out, and an inconclusive analysis was promoted."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "1h"}, {"weight": "25%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    there.route["parity"] = replace(PROVEN, rated=900)
    for _ in range(500):
        outcome = there.tick(60 * MINUTE)
    assert (there.placement, outcome.state.waiting_for) == (at("5%"), "data")


def test_complaint_8_a_promotion_by_hand_leaves_nothing_stuck() -> None:
    """argo-rollouts#3015: stuck after an inconclusive result when promoted by hand."""
    there = Installation(plan_of())
    there.walk_to("1%")
    there.route["parity"] = replace(PROVEN, rated=300)
    there.tick()
    there.tell(EventKind.PROMOTE)
    assert there.placement == at("5%")
    assert there.tick().state.waiting_for == "data"
    there.route["parity"] = PROVEN
    there.walk_to("new")


def test_complaint_9_an_aborted_rollout_can_be_retried() -> None:
    """argo-rollouts#3120: retry begins at the first step with fresh guards."""
    there = Installation(plan_of(on_breach="legacy"))
    there.walk_to("25%")
    there.route["new"] = KILLED
    outcome = there.tick()
    assert (outcome.state.phase, there.placement) == (RolloutPhase.ABORTED, at("shadow"))
    there.route["new"] = NEW
    outcome = there.tell(EventKind.RETRY)
    assert (outcome.state.step, outcome.state.attempts, outcome.state.doubled) == (0, 2, ())
    there.walk_to("new")


def test_complaint_10_guards_are_judged_at_every_look() -> None:
    """argo-rollouts#1411, #222: a failing analysis did not stop promotion until it had ended."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "30d"}, {"stage": "new"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    there.route["breaker_open_ms"] = 10_001
    outcome = there.tick(1_000)
    assert (there.placement, codes(outcome)) == (at("shadow"), ["breaker_open"])


def test_complaint_12_a_failed_rollout_wants_attention() -> None:
    """devantler-tech/platform#2387: wedged in Failed for days, and nobody saw it."""
    there = Installation(plan_of(on_breach="legacy"))
    there.walk_to("5%")
    there.route["budget_refused"] = 1
    assert there.tick().state.needs_attention
    there.tick(10 * 24 * 60 * MINUTE)
    assert there.state.needs_attention


# -- guards ------------------------------------------------------------------------------------


def test_a_failure_of_the_whole_site_does_not_abort() -> None:
    """Both sides fail at the same rate: the share of failures on new does not move."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.route["legacy"] = CallCounts(requests=3_000, failures=900, answers=3_000)
    there.route["new"] = CallCounts(requests=1_000, failures=300, answers=1_000)
    assert there.tick().state.phase is not RolloutPhase.STEPPING_BACK


def test_five_errors_in_a_million_do_not_abort() -> None:
    """Legacy without any failure: the floor keeps five of new from being a breach."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.route["legacy"] = CallCounts(requests=3_000_000, answers=3_000_000)
    there.route["new"] = CallCounts(requests=1_000_000, failures=5, answers=1_000_000)
    assert there.tick().state.phase is not RolloutPhase.STEPPING_BACK


def test_what_fails_only_after_days_is_noticed_by_its_block() -> None:
    """After three days at 100 % the count of the step would hardly move; its block does."""
    steps = [{"stage": "shadow"}, {"weight": "100%", "hold": "30d"}, {"stage": "new"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("100%")
    there.route["legacy"] = CallCounts()
    there.route["new"] = CallCounts(requests=9_000_000, failures=9_200, answers=9_000_000)
    there.route["new_recent"] = CallCounts(requests=2_000, failures=200, answers=1_800)
    there.seen = {"block": 432}
    outcome = there.tick()
    assert codes(outcome) == ["errors_breached"]
    there.route["new_recent"] = CallCounts(requests=2_000, failures=2, answers=1_998)
    assert there.tick().state.phase is not RolloutPhase.STEPPING_BACK


def test_slow_answers_lead_back() -> None:
    """A third of new's answers beyond the threshold, legacy at 3 %."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.route["new"] = CallCounts(requests=900, answers=900, slow=300)
    outcome = there.tick()
    assert codes(outcome) == ["latency_breached"]
    assert there.placement == at("5%")


def test_a_shadow_that_differs_holds_and_names_the_field() -> None:
    """No user is served: a refuted shadow waits for another build instead of giving up."""
    there = Installation(plan_of())
    there.walk_to("shadow")
    there.route["parity"] = REFUTED
    outcome = there.tick()
    assert (outcome.state.phase, outcome.state.waiting_for) == (RolloutPhase.WAITING, "data")
    assert "$.total|changed" in outcome.reasons[0].text
    there.route["parity"] = PROVEN
    assert there.tick().move is not None


def test_a_borderline_route_does_not_go_up_and_down_for_ever() -> None:
    """The hold doubles each time; at the fourth breach of one step it stays with people."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "10m"}, {"weight": "25%", "hold": "1h"},
             {"stage": "new"}]  # fmt: skip
    there = Installation(plan_of(steps=steps))
    waits = []
    for _ in range(4):
        began = there.now
        while there.placement != at("25%"):
            there.tick(MINUTE)
        waits.append((there.now - began) // MINUTE)
        there.route["new"] = KILLED
        there.tick()
        there.route["new"] = NEW
    assert waits[1] >= 120
    assert waits[2] >= 240
    assert waits[3] >= 480
    assert (there.state.phase, there.placement) == (RolloutPhase.PAUSED, at("5%"))


def test_a_paused_rollout_is_led_back_and_stays_paused() -> None:
    """A person paused it; a breach still takes users off new, and does not wake it."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.tell(EventKind.PAUSE)
    there.route["new"] = KILLED
    there.tick()
    there.route["new"] = NEW
    assert there.placement == at("5%")
    for _ in range(5):
        assert there.tick().state.phase is RolloutPhase.PAUSED
    assert there.placement == at("5%")


def test_what_paused_it_is_said_as_long_as_it_is_paused() -> None:
    """Every later look says why it stands, also when a guard is breached and holds again; another
    pause says its own reason."""
    there = Installation(plan_of(on_breach="pause"))
    there.walk_to("25%")
    there.placement = at("5%")
    assert codes(there.tick()) == ["moved_back"]
    assert [codes(there.tick()) for _ in range(3)] == [["moved_back"]] * 3
    there.state = state_from_data(state_to_data(there.state))
    there.route["new"] = KILLED
    assert codes(there.tick()) == ["moved_back", "errors_breached"]
    there.route["new"] = NEW
    assert codes(there.tick()) == ["moved_back"]
    there.tell(EventKind.RESUME)
    assert "moved_back" not in codes(there.tick())
    there.tell(EventKind.PAUSE)
    assert codes(there.tick()) == ["person_pause"]


def test_a_breach_that_is_over_is_still_why_it_was_paused() -> None:
    """On breach pause: nobody is left with a pause that has no reason."""
    there = Installation(plan_of(on_breach="pause"))
    there.walk_to("25%")
    there.route["new"] = KILLED
    there.tick()
    there.route["new"] = NEW
    assert codes(there.tick()) == ["errors_breached"]


def test_a_breach_does_not_wake_an_observing_plan_that_is_paused() -> None:
    """It tells what it would do, and stays paused."""
    there = Installation(plan_of(observe=True), "25%")
    there.tell(EventKind.PAUSE)
    there.route["new"] = KILLED
    outcome = there.tick()
    assert codes(outcome)[0] == "would_step_back"
    assert outcome.state.phase is RolloutPhase.PAUSED


# -- people ------------------------------------------------------------------------------------


def test_a_person_who_goes_further_supersedes_it() -> None:
    """More exposure by hand: the machine steps aside, says so, and never acts again."""
    there = Installation(plan_of())
    there.walk_to("5%")
    there.placement = at("50%")
    outcome = there.tick()
    assert (outcome.state.phase, codes(outcome)) == (RolloutPhase.SUPERSEDED, ["moved_further"])
    there.route["new"] = KILLED
    assert there.tick().move is None


def test_a_person_who_goes_back_pauses_it_and_resume_goes_on_from_there() -> None:
    """Less exposure by hand: paused; resumed, it walks from where the routes stand."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.placement = at("1%")
    assert there.tick().state.phase is RolloutPhase.PAUSED
    outcome = there.tell(EventKind.RESUME)
    assert (outcome.move, outcome.state.step) == (None, 1)
    assert str(there.tick().move.placement) == "5 %"  # type: ignore[union-attr]


def test_whoever_started_it_cannot_approve() -> None:
    """Four eyes; and an approval counts for one step alone."""
    steps = [{"stage": "shadow"}, {"weight": "1%", "approve": True},
             {"weight": "5%", "approve": True}, {"stage": "new"}]  # fmt: skip
    there = Installation(plan_of(steps=steps))
    there.walk_to("1%")
    there.tick()
    with pytest.raises(RolloutRefusal, match="started"):
        there.tell(EventKind.APPROVE, "ann")
    there.tell(EventKind.APPROVE, "bob")
    there.walk_to("5%")
    for _ in range(5):
        assert there.tick().state.waiting_for == "approval"


def test_a_second_key_makes_no_second_person() -> None:
    """Whoever started it approves neither with another key of theirs, nor past the gates."""
    steps = [{"stage": "shadow"}, {"weight": "1%", "approve": True}, {"stage": "new"}]
    there = Installation(plan_of(steps=steps))
    there.state = begin(there.plan, there.look(), "Ann Lee (ab12)")
    there.walk_to("1%")
    there.tick()
    for actor in ("Ann Lee (cd34)", "ann lee (ab12)", "Ann Lee"):
        for kind in (EventKind.APPROVE, EventKind.PROMOTE):
            with pytest.raises(RolloutRefusal, match=r"started|another person"):
                there.tell(kind, actor)
    there.tell(EventKind.APPROVE, "Ann (ab12)")
    assert there.state.approved_by == "Ann (ab12)"


@pytest.mark.parametrize("kind", [EventKind.PROMOTE, EventKind.PROMOTE_FULL])
def test_nobody_is_served_what_is_known_to_be_wrong(kind: EventKind) -> None:
    """Promoted out of the shadow with agreement refuted, users met new until the next look."""
    there = Installation(plan_of())
    there.walk_to("shadow")
    there.route["parity"] = replace(PROVEN, differing=1_900, fields=("$.total|changed",))
    with pytest.raises(RolloutRefusal, match=r"would be breached at once: 1900 of 2000 .*total"):
        there.tell(kind)
    assert there.placement == at("shadow")
    there.route["parity"] = ParityCounts()  # nothing is known: a person may say so
    there.tell(kind)
    assert there.placement.serves


def test_the_starter_cannot_promote_past_an_approval() -> None:
    """Nor whoever promotes past a breached guard, the kill switch, or shut hours."""
    steps = [{"stage": "shadow"}, {"weight": "1%", "approve": True}, {"weight": "5%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("1%")
    with pytest.raises(RolloutRefusal, match="another person"):
        there.tell(EventKind.PROMOTE, "ann")
    there.seen = {"hours_open": False, "hours_next": "Mon"}
    with pytest.raises(RolloutRefusal, match="Mon"):
        there.tell(EventKind.PROMOTE, "bob")
    there.seen = {"kill": True}
    with pytest.raises(RolloutRefusal, match="kill switch"):
        there.tell(EventKind.PROMOTE_FULL, "bob")
    there.seen = {}
    there.tell(EventKind.PROMOTE, "bob")
    assert there.placement == at("5%")


@pytest.mark.parametrize("kind", [EventKind.APPROVE, EventKind.PAUSE, EventKind.RESUME,
                                  EventKind.PROMOTE, EventKind.ABORT])  # fmt: skip
def test_what_is_over_cannot_be_told_anything(kind: EventKind) -> None:
    """A completed rollout refuses every word, and says why."""
    there = Installation(plan_of())
    there.walk_to("new")
    there.tick()
    assert there.state.phase is RolloutPhase.COMPLETED
    with pytest.raises(RolloutRefusal):
        there.tell(kind)


def test_abort_goes_back_from_everywhere() -> None:
    """To the shadow that the plan began with, from any state that is not over."""
    for phase in (RolloutPhase.RUNNING, RolloutPhase.PAUSED, RolloutPhase.STEPPING_BACK):
        there = Installation(plan_of())
        there.walk_to("25%")
        there.with_state(phase=phase)
        there.seen = {"hours_open": False, "kill": True, "policy": "freeze"}
        assert there.tell(EventKind.ABORT).state.phase is RolloutPhase.ABORTED
        assert there.placement == at("shadow")


# -- clocks ------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ahead_does_not_end_a_hold() -> None:
    """A day at once counts for two minutes: nobody looked in between."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "1h"}, {"weight": "25%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    outcome = there.tick(24 * 60 * MINUTE)
    assert (outcome.move, outcome.state.held_ms) == (None, 2 * MINUTE)


def test_a_clock_that_goes_back_goes_on() -> None:
    """An hour back counts for nothing, and the hold ends after its time all the same."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "10m"}, {"weight": "25%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    there.tick(-60 * MINUTE)
    assert there.state.since_ms <= there.now
    for _ in range(10):
        outcome = there.tick(MINUTE)
    assert outcome.move is not None


def test_a_hold_counts_only_while_reports_arrive() -> None:
    """An hour of silence is no hour of holding."""
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "10m"}, {"weight": "25%"}]
    there = Installation(plan_of(steps=steps))
    there.walk_to("5%")
    there.seen = {"reports_age_ms": 60_000}
    for _ in range(60):
        there.tick(MINUTE)
    there.seen = {}
    assert there.tick().state.waiting_for == "hold"


# -- the table itself --------------------------------------------------------------------------


def test_every_condition_of_the_table_has_a_meaning() -> None:
    """And no meaning is left over."""
    assert {row.condition for row in TABLE} == set(CONDITIONS)


def test_a_state_survives_its_json_form() -> None:
    """A control plane that starts reads what another wrote."""
    there = Installation(plan_of())
    there.walk_to("25%")
    there.route["new"] = replace(KILLED, buckets=((1, 2), (3, 4)))
    there.tick()
    state = replace(there.state, doubled=(1, 3))
    assert state_from_data(state_to_data(state)) == state
    assert state_from_data({}) == RolloutState()
