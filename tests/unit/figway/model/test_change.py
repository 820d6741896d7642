"""Changes apply, describe themselves, and can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.model.change import (
    Change,
    Kind,
    UnknownItem,
    apply,
    changes_from_data,
    changes_to_data,
    dated,
    describe,
    diff,
    flip,
    invert,
)
from figway.model.codec import CodecError, table_hash, to_data
from figway.model.comparison import ComparisonPolicy, ComparisonRule, RuleKind
from figway.model.table import Capability, Route, Stage, Table
from tests.support.tables import LEGACY, NEW, route, table

ORDERS = route("orders", "/orders/{id}", new="functions")
names = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    chosen = draw(st.sets(names))
    routes = [
        route(name, f"/{name}", weight=draw(st.integers(0, 3)), stage=draw(st.sampled_from(Stage)))
        for name in sorted(chosen)
    ]
    groups = [Capability(id=name, salt=draw(st.text(max_size=2))) for name in draw(st.sets(names))]
    return table(*routes, capabilities=groups, kill_switch=draw(st.booleans()))


@given(tables(), tables())
def test_a_difference_leads_from_one_table_to_the_other_and_back(one: Table, two: Table) -> None:
    changes = diff(one, two)
    assert apply(one, changes) == two
    assert apply(two, invert(one, changes)) == one
    assert bool(changes) == (one != two)
    assert changes_from_data(changes_to_data(changes)) == changes


@given(tables(), tables())
def test_what_differs_is_described_and_nothing_else(one: Table, two: Table) -> None:
    told = describe(one, diff(one, two))
    assert bool(told) == (table_hash(one) != table_hash(two))
    assert all(entry.before != entry.after for entry in told)


def test_changes_to_one_item_invert_to_what_stood_there_first() -> None:
    before = table(ORDERS)
    once, twice = replace(ORDERS, weight=1), replace(ORDERS, weight=2)
    changes = [Change(Kind.ROUTE, "orders", once), Change(Kind.ROUTE, "orders", twice)]
    assert apply(apply(before, changes), invert(before, changes)) == before


def test_deleting_what_is_not_there_says_so() -> None:
    with pytest.raises(UnknownItem, match="there is no route 'nosuch'"):
        apply(table(), [Change(Kind.ROUTE, "nosuch", None)])


def test_unchanged_items_stay_the_same_objects() -> None:
    before = table(ORDERS, route("other", "/other"))
    after = apply(before, [Change(Kind.ROUTE, "orders", replace(ORDERS, weight=9))])
    assert after.routes["other"] is before.routes["other"]
    assert after.backends is before.backends


def test_a_flip_reads_as_a_sentence() -> None:
    before = table(ORDERS)
    flipped = flip(ORDERS, weight=2_500)
    told = [str(entry) for entry in describe(before, [Change(Kind.ROUTE, "orders", flipped)])]
    assert told == [
        "route orders: stage legacy -> canary",
        "route orders: weight 0% -> 25%",
    ]
    assert str(describe(before, [Change(Kind.ROUTE, "orders", None)])[0]) == "route orders: deleted"
    setting = Change(Kind.SETTING, "kill_switch", True)
    assert str(describe(before, [setting])[0]) == "setting kill_switch: value false -> true"


def test_a_rule_more_reads_as_that_rule() -> None:
    """Both lists whole were a page of JSON for the seventh rule of a route."""
    rules = [ComparisonRule(f"r{n}", RuleKind.IGNORE, f"$.field{n}") for n in range(1, 8)]

    def told(before: list[ComparisonRule], after: list[ComparisonRule]) -> str:
        was, becomes = (
            replace(ORDERS, comparison=ComparisonPolicy(rules=tuple(some)))
            for some in (before, after)
        )
        return str(describe(table(was), [Change(Kind.ROUTE, "orders", becomes)])[0])

    where = "route orders: comparison.rules"
    assert told(rules[:6], rules) == f"{where} with ignore $.field7 (r7)"
    assert told(rules, rules[1:]) == f"{where} without ignore $.field1 (r1)"
    assert told([], rules[:2]) == f"{where} with ignore $.field1 (r1), with ignore $.field2 (r2)"
    assert told(rules, rules[::-1]) == f"{where} in another order"
    other = replace(rules[0], target="$.other")
    changed = told(rules[:1], [other])
    assert changed.startswith(f"{where} r1 {{")
    assert "$.field1" in changed
    assert "$.other" in changed


@pytest.mark.parametrize(
    ("stage", "weight", "expected"),
    [
        (None, 100, (Stage.CANARY, 100)),
        (Stage.NEW, None, (Stage.NEW, 500)),
        (Stage.LEGACY, None, (Stage.LEGACY, 500)),
        (Stage.SHADOW, 7, (Stage.SHADOW, 7)),
        (None, None, (Stage.CANARY, 500)),
    ],
)
def test_a_flip_keeps_what_it_does_not_name(
    stage: Stage | None, weight: int | None, expected: tuple[Stage, int]
) -> None:
    standing: Route = replace(ORDERS, stage=Stage.CANARY, weight=500)
    flipped = flip(standing, stage, weight)
    assert (flipped.stage, flipped.weight) == expected


@pytest.mark.parametrize(
    "data",
    [
        {},
        [{}],
        ["x"],
        [{"kind": "planet", "id": "a", "value": None}],
        [{"kind": "setting", "id": "revision", "value": 7}],
        [{"kind": "setting", "id": "kill_switch", "value": "yes"}],
        [{"kind": "route", "id": 7, "value": None}],
        [{"kind": "backend", "id": "other", "value": to_data(NEW)}],
        [{"kind": "backend", "id": "monolith", "value": {**to_data(LEGACY), "x": 1}}],
    ],
)
def test_changes_that_make_no_sense_are_refused(data: object) -> None:
    with pytest.raises(CodecError):
        changes_from_data(data)


def test_evidence_begins_anew_with_another_backend_or_rule_and_not_with_a_weight() -> None:
    """use 9: a window that ended with each weight left the next decision without evidence."""
    before = table(replace(ORDERS, evidence_since=3))
    standing = before.routes["orders"]

    def since(value: Route) -> int:
        (change,) = dated(before, [Change(Kind.ROUTE, value.id, value)], 9)
        assert isinstance(change.value, Route)
        return change.value.evidence_since

    assert since(replace(standing, description="x")) == 3
    assert since(replace(standing, description="x", evidence_since=0)) == 3
    assert since(replace(standing, stage=Stage.SHADOW)) == 3
    assert since(replace(standing, weight=5)) == 3
    assert since(replace(standing, new="other")) == 9
    near = ComparisonRule(id="n", kind=RuleKind.NUMBER_TOLERANCE, target="$.a", absolute=1.0)
    assert since(replace(standing, comparison=ComparisonPolicy(rules=(near,)))) == 9
    gone = ComparisonRule(id="i", kind=RuleKind.IGNORE, target="$.a")
    assert since(replace(standing, comparison=ComparisonPolicy(rules=(gone,)))) == 3
    assert since(route("fresh", "/fresh")) == 9
    told = describe(
        before, dated(before, [Change(Kind.ROUTE, "orders", flip(standing, weight=5))], 9)
    )
    assert [entry.path for entry in told] == ["stage", "weight"]
