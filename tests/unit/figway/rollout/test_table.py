"""The table of transitions, told once more by hand: each row, in each phase, and which goes first.

What stands here was written from the manual, not from the table. A row that is dropped, moved,
given another phase, another wait or another move differs from it somewhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from figway.rollout.machine import TABLE
from figway.rollout.observation import ParityCounts
from figway.rollout.state import EventKind, RolloutPhase, RolloutRefusal
from tests.unit.figway.rollout.looks import KILLED, PROVEN, Installation, at, codes, plan_of

WALKING = ("pending", "running", "waiting")
OPEN = (*WALKING, "paused", "stepping_back")
ENDED = ("aborted", "superseded", "completed")


class Situation(NamedTuple):
    """What is seen of a rollout that stands at 25 %, its step of index 3."""

    seen: dict[str, Any] = {}  # noqa: RUF012  never changed
    route: dict[str, Any] = {}  # noqa: RUF012
    plan: dict[str, Any] = {}  # noqa: RUF012
    state: dict[str, Any] = {}  # noqa: RUF012
    stands: str = ""


BREACHED = {"new": KILLED}
STEPS = [{"stage": "shadow"}, {"weight": "1%"}, {"weight": "5%"}, {"weight": "25%"}]
FURTHER = [{"weight": "100%"}, {"stage": "new"}]
ASKS = {"steps": [*STEPS[:3], {"weight": "25%", "approve": True}, *FURTHER]}
HOLDS = {"steps": [*STEPS[:3], {"weight": "25%", "hold": "1h"}, *FURTHER]}
LAST = {"steps": STEPS}

SITUATIONS = {
    "kill": Situation(seen={"kill": True}),
    "further": Situation(stands="100%"),
    "back": Situation(stands="5%"),
    "breach": Situation(route=BREACHED),
    "too often": Situation(route=BREACHED, state={"doubled": (3, 3, 3)}),
    "to legacy": Situation(route=BREACHED, plan={"on_breach": "legacy"}),
    "pauses": Situation(route=BREACHED, plan={"on_breach": "pause"}),
    "behind": Situation(seen={"live": 2, "current": 1}),
    "stale": Situation(seen={"reports_age_ms": 10**9}),
    "hold": Situation(plan=HOLDS),
    "gate": Situation(route={"parity": ParityCounts()}),
    "webhook": Situation(seen={"gate_webhook": "hold"}),
    "last": Situation(plan=LAST),
    "refused": Situation(seen={"policy": "refused"}),
    "approval": Situation(plan=ASKS),
    "frozen": Situation(seen={"policy": "freeze"}),
    "hours": Situation(seen={"hours_open": False}),
    "well": Situation(),
}
"""In the order in which they are told of, where several are so."""

Result = tuple[str, str, str]
"""Phase, what it waits for, where the routes are led; empty for nowhere."""
STAYS: Result = ("paused", "", "")
GOES_ON: Result = ("running", "", "")

LOOKS: dict[str, tuple[Result, Result, Result]] = {
    # the situation      walking                          paused                   stepping back
    "kill": (("waiting", "kill", ""), STAYS, ("waiting", "kill", "")),
    "further": (("superseded", "", ""),) * 3,
    "back": (("paused", "", ""), STAYS, ("paused", "", "")),
    "breach": (("stepping_back", "proxies", "5 %"), ("paused", "", "5 %"),
               ("stepping_back", "proxies", "5 %")),
    "too often": (("paused", "", "5 %"),) * 3,
    "to legacy": (("aborted", "", "shadow"),) * 3,
    "pauses": (("paused", "", ""), STAYS, ("paused", "", "")),
    "behind": (("waiting", "proxies", ""), STAYS, ("stepping_back", "proxies", "")),
    "stale": (("waiting", "data", ""), STAYS, GOES_ON),
    "hold": (("waiting", "hold", ""), STAYS, GOES_ON),
    "gate": (("waiting", "data", ""), STAYS, GOES_ON),
    "webhook": (("waiting", "webhook", ""), STAYS, GOES_ON),
    "last": (("completed", "", ""), STAYS, GOES_ON),
    "refused": (("waiting", "table", ""), STAYS, GOES_ON),
    "approval": (("waiting", "approval", ""), STAYS, GOES_ON),
    "frozen": (("waiting", "window", ""), STAYS, GOES_ON),
    "hours": (("waiting", "window", ""), STAYS, GOES_ON),
    "well": (("running", "", "100 %"), STAYS, GOES_ON),
}  # fmt: skip


def installed(phase: str, *situations: Situation) -> Installation:
    """A rollout of that phase at 25 %, and all that is so of it."""
    plan: dict[str, Any] = {}
    for one in situations:
        plan |= one.plan
    there = Installation(plan_of(**plan), "25%")
    waits = "proxies" if phase == "stepping_back" else "data" if phase == "waiting" else ""
    there.with_state(phase=RolloutPhase(phase), waiting_for=waits)
    for one in situations:
        there.seen |= one.seen
        there.route |= one.route
        there.with_state(**one.state)
        there.placement = at(one.stands) if one.stands else there.placement
    return there


def result(there: Installation, kind: EventKind = EventKind.TICK, actor: str = "bob") -> Result:
    outcome = there.tell(kind, actor)
    move = "" if outcome.move is None else str(outcome.move.placement)
    return outcome.state.phase.value, outcome.state.waiting_for, move


@pytest.mark.parametrize("phase", OPEN)
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_look(name: str, phase: str) -> None:
    """What each situation leads to, in each phase that is not over."""
    walking, paused, back = LOOKS[name]
    expected = paused if phase == "paused" else back if phase == "stepping_back" else walking
    assert result(installed(phase, SITUATIONS[name])) == expected


@pytest.mark.parametrize("phase", ENDED)
@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_over_stays_over(name: str, phase: str) -> None:
    assert result(installed(phase, SITUATIONS[name])) == (phase, "", "")


TOGETHER = [
    (first, second)
    for number, first in enumerate(SITUATIONS)
    for second in list(SITUATIONS)[number + 1 :]
    if not SITUATIONS[first].seen.keys() & SITUATIONS[second].seen.keys()
    if not SITUATIONS[first].plan.keys() & SITUATIONS[second].plan.keys()
    if not (SITUATIONS[first].stands and SITUATIONS[second].stands)
    if not {first, second} <= {"breach", "too often", "to legacy", "pauses"}
]


@pytest.mark.parametrize("phase", ["running", "paused", "stepping_back"])
@pytest.mark.parametrize(("first", "second"), TOGETHER)
def test_which_goes_first(first: str, second: str, phase: str) -> None:
    """Of two that are so at once, the one that stands first; what only walking rollouts ask for
    keeps no other from what it does."""
    at_once = [SITUATIONS[first], SITUATIONS[second]]
    walking, paused, back = LOOKS[first]
    expected = {"running": walking, "paused": paused, "stepping_back": back}[phase]
    other = dict(zip(("running", "paused", "stepping_back"), LOOKS[second], strict=True))[phase]
    if (phase == "paused" and expected == STAYS) or (
        phase == "stepping_back" and expected == GOES_ON
    ):
        expected = other
    assert result(installed(phase, *at_once))[:2] == expected[:2]


WORDS: dict[EventKind, dict[str, Result]] = {
    EventKind.PAUSE: dict.fromkeys((*WALKING, "stepping_back"), ("paused", "", "")),
    EventKind.RESUME: {"paused": ("running", "", "")},
    EventKind.PROMOTE: dict.fromkeys(OPEN, ("running", "", "100 %")),
    EventKind.PROMOTE_FULL: dict.fromkeys(OPEN, ("running", "", "new")),
    EventKind.ABORT: dict.fromkeys(OPEN, ("aborted", "", "shadow")),
    EventKind.RETRY: {"aborted": ("pending", "", "")},
    EventKind.APPROVE: {},
}
"""What a person's word leads to, by phase; where none stands it is refused."""


@pytest.mark.parametrize("phase", [*OPEN, *ENDED])
@pytest.mark.parametrize("kind", WORDS)
def test_a_word(kind: EventKind, phase: str) -> None:
    there = installed(phase, Situation())
    expected = WORDS[kind].get(phase)
    if expected is None:
        with pytest.raises(RolloutRefusal):
            there.tell(kind)
    else:
        assert result(there, kind) == expected


@pytest.mark.parametrize("phase", OPEN)
def test_promoting_the_last_step_completes(phase: str) -> None:
    assert result(installed(phase, SITUATIONS["last"]), EventKind.PROMOTE) == ("completed", "", "")


@pytest.mark.parametrize("phase", OPEN)
def test_an_approval_is_taken_where_one_is_waited_for(phase: str) -> None:
    """And nowhere else: neither of a rollout that is paused, nor while it goes back."""
    there = installed(phase, SITUATIONS["approval"])
    there.with_state(waiting_for="approval")
    if phase not in WALKING:
        with pytest.raises(RolloutRefusal):
            there.tell(EventKind.APPROVE)
        return
    assert result(there, EventKind.APPROVE)[0] == "running"
    assert result(there) == ("running", "", "100 %")


NOT_FOR_PEOPLE = ("kill", "further", "back", "breach", "behind", "stale", "webhook", "refused",
                  "frozen", "hours")  # fmt: skip
NOT_IN_AN_EMERGENCY = ("kill", "further", "back", "breach")


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_promotion_needs_what_no_person_can_give(name: str) -> None:
    """Hold and gates are a person's to skip, and an approval is given by promoting; in an emergency
    all but the switch, other people's flips and guards are."""
    if name in ("too often", "to legacy", "pauses", "last"):
        return
    for kind, kept in (
        (EventKind.PROMOTE, NOT_FOR_PEOPLE),
        (EventKind.PROMOTE_FULL, NOT_IN_AN_EMERGENCY),
    ):
        there = installed("running", SITUATIONS[name])
        if name in kept:
            with pytest.raises(RolloutRefusal):
                there.tell(kind)
        else:
            assert result(there, kind)[0] == "running"
        alone = installed("running", SITUATIONS["approval"])
        if kind is EventKind.PROMOTE:
            with pytest.raises(RolloutRefusal):
                alone.tell(kind, "ann")  # who started it


@pytest.mark.parametrize(
    ("held_ms", "left"), [(0, True), (3_599_999, True), (3_600_000, False), (3_600_001, False)]
)
def test_a_hold_is_over_when_its_time_has_passed(held_ms: int, left: bool) -> None:
    there = installed("running", SITUATIONS["hold"])
    there.with_state(held_ms=held_ms)
    assert (result(there)[1] == "hold") is left


@pytest.mark.parametrize(("age_ms", "stale"), [(30_000, False), (30_001, True)])
def test_reports_are_stale_from_their_bound_on(age_ms: int, stale: bool) -> None:
    there = installed("running", Situation(seen={"reports_age_ms": age_ms}))
    assert (result(there)[1] == "data") is stale


@pytest.mark.parametrize(("open_ms", "breached"), [(10_000, False), (10_001, True)])
def test_a_breaker_is_a_breach_when_it_has_been_open_for_longer(
    open_ms: int, breached: bool
) -> None:
    there = installed("running", Situation(route={"breaker_open_ms": open_ms}))
    assert ("breaker_open" in codes(there.tell())) is breached


@pytest.mark.parametrize("stands", ["shadow", "25%"])
def test_nobody_else_is_sent_to_new_while_its_breaker_is_open(stands: str) -> None:
    """The step has only begun, so that the guard gives it time, and the plan has no hold. In the
    shadow a breaker of before says nothing: no request would ever close it."""
    there = Installation(plan_of(), stands)
    there.route["breaker_open_ms"] = 50
    outcome = there.tick()
    assert (outcome.move is None) is (stands == "25%")
    assert ("breaker_now" in codes(outcome)) is (stands == "25%")


def test_a_refused_fallback_is_a_breach() -> None:
    there = installed("running", Situation(route={"budget_refused": 1}))
    assert codes(there.tell())[0] == "budget_refused"


def test_a_step_back_doubles_the_hold_there_three_times_and_no_more() -> None:
    """Each time that the step after it failed; then a person is asked."""
    there = installed("running")
    phases = []
    for _ in range(4):
        there.placement = at("25%")
        there.with_state(phase=RolloutPhase.RUNNING, step=3, expected=at("25%"))
        there.route["new"] = KILLED
        phases.append(result(there)[0])
    assert phases == ["stepping_back"] * 3 + ["paused"]


def test_another_build_takes_approval_and_hold_and_the_first_one_heard_of_does_not() -> None:
    there = installed("running", SITUATIONS["hold"])
    there.with_state(held_ms=1_000_000, approved_step=3, approved_by="bob")
    there.route["parity"] = replace(PROVEN, build="1")
    there.tick(0)
    assert (there.state.held_ms, there.state.approved_step, there.state.build_ms) == (
        1_000_000, 3, 0)  # fmt: skip
    there.route["parity"] = replace(PROVEN, build="2")
    there.tick(0)
    assert (there.state.held_ms, there.state.approved_step) == (0, -1)
    assert there.state.build_ms == there.now


def test_a_new_row_owes_a_case_here() -> None:
    assert len(TABLE) == 29
    assert {row.event for row in TABLE} - {EventKind.TICK} == set(WORDS)
