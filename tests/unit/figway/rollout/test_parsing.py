"""Plans from data: what is read, what is refused and where, presets, hours, lint."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from figway.model.backend import Backend
from figway.model.table import Capability, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.rollout.hours import is_open, opens_at
from figway.rollout.lint import lint_plan
from figway.rollout.parsing import parse_days, parse_plan, plan_to_data
from figway.rollout.plan import MoveHours, OnBreach, RolloutPlan
from figway.rollout.presets import PRESETS
from figway.validate.codes import CODES
from figway.validate.findings import Severity
from tests.unit.figway.validate.aws_cases import queue

WRITTEN = """
id: orders
target: {capability: orders}
steps:
  - {stage: shadow, sample: 10%}
  - {weight: 1%,  hold: 30m}
  - {weight: 5%,  hold: 2h, approve: true}
  - {weight: 25%, hold: 1d}
  - {weight: 100%, hold: 3d}
  - {stage: new}
gates:
  parity: 99.5%
  shapes: true
  min_distinct: 50
  errors: {ratio: 1.5, floor: 0.1%}
  latency: {quantile: 0.95, ratio: 1.25, floor_ms: 20}
guards: {breaker: true, parity: true, errors: true, latency: true}
on_breach: step_back
warmup: 2m
window: {days: mon-thu, hours: "09:00-16:00", zone: Europe/Berlin}
stale_after: 30s
"""


def test_the_plan_of_the_manual() -> None:
    """The example that people copy, field by field."""
    plan, findings = parse_plan(yaml.safe_load(WRITTEN))
    assert findings == []
    assert plan is not None
    assert [str(entry.placement) for entry in plan.steps] == [
        "shadow", "1 %", "5 %", "25 %", "100 %", "new",
    ]  # fmt: skip
    assert (plan.steps[0].sample, plan.steps[2].hold_ms) == (1_000, 7_200_000)
    assert plan.steps[2].approve
    assert (plan.gates.parity, plan.on_breach) == (0.995, OnBreach.STEP_BACK)
    assert plan.hours == MoveHours(
        days=frozenset({0, 1, 2, 3}), begin=540, end=960, zone="Europe/Berlin"
    )


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_a_plan(name: str) -> None:
    """One word and a target are enough, and what is written beside it wins."""
    plan, findings = parse_plan({"id": "a", "preset": name, "target": {"route": "a"}})
    assert (findings, plan and plan.observe) == ([], name == "observe")
    plan, _ = parse_plan({"id": "a", "preset": name, "target": {"route": "a"}, "warmup": "7s"})
    assert plan is not None
    assert plan.warmup_ms == 7_000


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"id": "Or ders"}, "rollout.id", "rollout_invalid"),
        ({"steps": [{"weight": "25.555%"}]}, "rollout.steps[0].weight", "rollout_invalid"),
        ({"steps": [{"stage": "shadow", "sample": "0.005%"}]}, "rollout.steps[0].sample",
         "rollout_invalid"),
        ({"preset": "bold"}, "rollout.preset", "rollout_invalid"),
        ({"target": {}}, "rollout.target", "rollout_scope"),
        ({"target": {"route": "a", "capability": "b"}}, "rollout.target", "rollout_scope"),
        ({"target": "orders"}, "rollout.target", "rollout_invalid"),
        ({"steps": []}, "rollout.steps", "rollout_steps_empty"),
        ({"steps": [{"weight": "5%"}, {"weight": "5%"}]}, "rollout.steps[1]",
         "rollout_steps_order"),
        ({"steps": [{"weight": 5}]}, "rollout.steps[0].weight", "rollout_invalid"),
        ({"steps": [{"weight": "500%"}]}, "rollout.steps[0].weight", "rollout_invalid"),
        ({"steps": [{"stage": "shadow", "weight": "5%"}]}, "rollout.steps[0].weight",
         "rollout_invalid"),
        ({"steps": [{"stage": "retired"}]}, "rollout.steps[0].stage", "rollout_invalid"),
        ({"steps": ["5%"]}, "rollout.steps[0]", "rollout_invalid"),
        ({"steps": [{"weight": "5%", "hold": "soon"}]}, "rollout.steps[0].hold",
         "rollout_invalid"),
        ({"steps": [{"weight": "5%", "wait": "1h"}]}, "rollout.steps[0].wait",
         "rollout_field_unknown"),
        ({"gates": {"parity": "100%"}}, "rollout.gates.parity", "rollout_invalid"),
        ({"gates": {"parity": 0.995}}, "rollout.gates.parity", "rollout_invalid"),
        ({"gates": {"errors": {"floor": "0%"}}}, "rollout.gates.errors.floor", "rollout_invalid"),
        ({"gates": {"errors": {"ratio": "1.5"}}}, "rollout.gates.errors.ratio",
         "rollout_invalid"),
        ({"gates": {"webhook": "ftp://x"}}, "rollout.gates.webhook", "rollout_invalid"),
        ({"guards": {"breaker": "yes"}}, "rollout.guards.breaker", "rollout_invalid"),
        ({"on_breach": "panic"}, "rollout.on_breach", "rollout_invalid"),
        ({"window": {"days": "mon-fry"}}, "rollout.window.days", "rollout_hours_invalid"),
        ({"window": {"hours": "9-16"}}, "rollout.window.hours", "rollout_hours_invalid"),
        ({"window": {"hours": "09:00-24:30"}}, "rollout.window.hours", "rollout_hours_invalid"),
        ({"window": {"zone": 7}}, "rollout.window.zone", "rollout_hours_invalid"),
        ({"stale_after": "1s"}, "rollout.stale_after", "rollout_invalid"),
        ({"stepz": []}, "rollout.stepz", "rollout_field_unknown"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_finding_with_a_place(change: dict[str, Any], path: str, code: str) -> None:
    """And with what to do about it; there is no plan then."""
    plan, findings = parse_plan({**yaml.safe_load(WRITTEN), **change})
    assert plan is None
    assert [(found.path, found.code) for found in findings] == [(path, code)]
    assert findings[0].resolution
    assert code in CODES


def test_every_mistake_is_found_at_once() -> None:
    """Three mistakes, three findings."""
    data = {**yaml.safe_load(WRITTEN), "warmup": "x", "observe": 1, "on_breach": 2}
    assert len(parse_plan(data)[1]) == 3


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["5%", "30m", "shadow", "new", "mon-thu", "09:00-16:00"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["id", "target", "steps", "gates", "guards", "window", "stage", "weight",
                         "hold", "parity", "errors", "days", "hours", "zone", "route"]),
        inner, max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip


@given(_JUNK)
def test_no_data_breaks_the_reader(data: Any) -> None:
    """Whatever a document holds: a plan, or findings; and what is read is written the same."""
    plan, findings = parse_plan(data)
    assert (plan is None) == any(found.severity is Severity.ERROR for found in findings)
    if plan is not None:
        assert parse_plan(plan_to_data(plan)) == (plan, [])


@pytest.mark.parametrize("text", [WRITTEN, *PRESETS])
def test_what_is_written_is_read_the_same(text: str) -> None:
    """The stored form is the plan, whole."""
    data = {"id": "a", "preset": text, "target": {"route": "a"}}
    plan, _ = parse_plan(yaml.safe_load(text) if text is WRITTEN else data)
    assert plan is not None
    assert parse_plan(plan_to_data(plan)) == (plan, [])


# -- hours -------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = MoveHours(days=frozenset({0, 1, 2, 3}), begin=540, end=960, zone="Europe/Berlin")
NIGHT = MoveHours(days=frozenset({4}), begin=22 * 60, end=4 * 60, zone="Europe/Berlin")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("hours", "at", "opened"),
    [
        (OFFICE, "2026-11-30 08:59", False),
        (OFFICE, "2026-11-30 09:00", True),
        (OFFICE, "2026-11-30 15:59", True),
        (OFFICE, "2026-11-30 16:00", False),
        (OFFICE, "2026-12-04 12:00", False),
        (OFFICE, "2026-07-01 09:00", True),
        (NIGHT, "2026-12-04 21:59", False),
        (NIGHT, "2026-12-04 23:00", True),
        (NIGHT, "2026-12-05 03:59", True),
        (NIGHT, "2026-12-05 04:00", False),
        (NIGHT, "2026-12-05 23:00", False),
    ],
)
def test_hours_are_those_of_the_zone(hours: MoveHours, at: str, opened: bool) -> None:
    """Summer and winter by the wall clock there; a night belongs to the day it begins on."""
    assert is_open(hours, _at(at), BERLIN) is opened


def test_when_it_opens_next() -> None:
    """Friday noon: on Monday at nine."""
    found = opens_at(OFFICE, _at("2026-12-04 12:00"), BERLIN)
    assert found is not None
    assert found.isoformat() == "2026-12-07T09:00:00+01:00"


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon-thu", {0, 1, 2, 3}), ("fri-mon", {4, 5, 6, 0}), ("mon,wed", {0, 2}), ("Sun", {6})],
)
def test_days(text: str, days: set[int]) -> None:
    """Ranges, lists, over the end of the week."""
    assert parse_days(text) == days


# -- lint --------------------------------------------------------------------------------------


def _route(route_id: str, **given: Any) -> Route:
    fields = {"match": RouteMatch(path=f"/{route_id}"), "new": "fn", **given}
    return Route(id=route_id, **fields)


def _table(*routes: Route) -> Table:
    return Table(
        default_backend="mono",
        backends={
            "mono": Backend(id="mono", side=Side.LEGACY, url="http://a"),
            "fn": Backend(id="fn", side=Side.NEW, url="http://b"),
        },
        capabilities={"orders": Capability(id="orders")},
        routes={route.id: route for route in routes},
    )


def _plan(**given: Any) -> RolloutPlan:
    data = {"id": "orders", "preset": "careful", "target": {"capability": "orders"}, **given}
    plan, findings = parse_plan(data)
    assert plan is not None, findings
    return plan


IN = {"capability": "orders"}


@pytest.mark.parametrize(
    ("plan", "routes", "codes"),
    [
        ({}, [_route("a", **IN)], []),
        ({}, [], ["rollout_target_unknown"]),
        ({"target": {"route": "x"}}, [_route("a")], ["rollout_target_unknown"]),
        ({}, [_route("a", **IN, new="")], ["rollout_no_new"]),
        ({}, [_route("a", **IN), _route("b", **IN, stage=Stage.SHADOW)], ["rollout_mixed"]),
        ({}, [_route("a", **IN, stage=Stage.RETIRED)], ["rollout_mixed"]),
        ({"target": {"route": "a"}}, [_route("a", **IN)], ["rollout_part"]),
        ({"steps": [{"weight": "50%"}]}, [_route("a", **IN)],
         ["rollout_no_shadow", "rollout_first_large"]),
        ({"guards": dict.fromkeys(("breaker", "parity", "errors", "latency"), False)},
         [_route("a", **IN)], ["rollout_unguarded"]),
        ({}, [_route("a", **IN, match=RouteMatch(path="/a", methods=("POST",)))],
         ["rollout_nothing_compared"]),
        ({"window": {"zone": "Mars/Base"}}, [_route("a", **IN)], ["rollout_zone_unknown"]),
    ],
)  # fmt: skip
def test_a_plan_is_held_against_the_table(
    plan: dict[str, Any], routes: list[Route], codes: list[str]
) -> None:
    """Each finding by its code."""
    found = lint_plan(_plan(**plan), _table(*routes), zones={"UTC", "Europe/Berlin"})
    assert [entry.code for entry in found] == codes


def test_what_answers_202_has_no_stage_shadow_and_nothing_to_compare() -> None:
    """A step that validation refuses would hold the plan for ever."""
    route = _route("a", **IN, new="handing")
    table = replace(_table(route), backends={**_table(route).backends, "handing": queue()})
    found = [entry.code for entry in lint_plan(_plan(), table)]
    assert found == ["rollout_nothing_compared", "async_not_comparable"]


def test_two_rollouts_never_move_one_route() -> None:
    """By whatever name they take it."""
    table = _table(_route("a", **IN))
    other = _plan(id="single", target={"route": "a"})
    found = lint_plan(_plan(), table, [other, _plan()])
    assert [entry.code for entry in found] == ["rollout_overlap"]


@pytest.mark.parametrize(("pairs", "codes"), [(0.0, ["rollout_slow"]), (10.0, ["rollout_slow"]),
                                              (10_000.0, [])])  # fmt: skip
def test_a_plan_that_never_ends_is_found(pairs: float, codes: list[str]) -> None:
    """946 pairs at ten a day take three months."""
    found = lint_plan(_plan(), _table(_route("a", **IN)), pairs_per_day=pairs)
    assert [entry.code for entry in found] == codes
