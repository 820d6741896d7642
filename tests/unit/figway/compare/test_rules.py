"""Rules and the paths they aim at."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from figway.compare.paths import PathError, Step, parse_path
from figway.compare.rules import (
    ComparisonRule,
    RuleError,
    RuleKind,
    RuleSet,
    read_rule,
    rule_data,
)
from figway.compare.verdict import compare
from tests.support.answers import compare_json, found, json_answer


def rule(kind: str, target: str, **parameters: Any) -> ComparisonRule:
    return read_rule({"id": "r1", "kind": kind, "target": target, **parameters})


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.a", (Step("a"),)),
        ("$['a b'][0]", (Step("a b"), Step(0))),
        ('$["it\\"s"]', (Step('it"s'),)),
        ("$['it\\'s \\u00e9']", (Step("it's é"),)),
        ("$.*[*]", (Step(None), Step(None))),
        ("$..price", (Step("price", True),)),
        ("$..['@id'].x", (Step("@id", True), Step("x"))),
        ("$..[*]", (Step(None, True),)),
    ],
)
def test_paths_are_read(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "starts with $"),
        ("items", "starts with $"),
        ("$.", "expected .name"),
        ("$.a.", "at character 4"),
        ("$[?@.a]", "filters"),
        ("$[1:2]", "slices"),
        ("$[-1]", "from the end"),
        ("$['a','b']", "several selectors"),
        ("$[01]", "expected"),
        ("$['a\\q']", "unknown escape"),
        ("$" + ".a" * 300, "500 characters"),
    ],
)
def test_paths_that_are_not_understood_say_why(text: str, says: str) -> None:
    with pytest.raises(PathError, match=says.replace("$", r"\$")):
        parse_path(text)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "skip"}, "kind is one of"),
        ({"kind": "ignore", "target": "body"}, "is none of"),
        ({"kind": "ignore", "target": "$["}, "expected"),
        ({"kind": "ignore", "seconds": 3}, "has no seconds"),
        ({"kind": "number_tolerance"}, "needs absolute or relative"),
        ({"kind": "number_tolerance", "absolute": -1}, "0 or more"),
        ({"kind": "number_tolerance", "absolute": "1"}, "is a number"),
        ({"kind": "time_tolerance"}, "needs seconds"),
        ({"kind": "keyed_array"}, "key member"),
        ({"kind": "keyed_array", "key": "id", "target": "header:etag"}, "in the body"),
        ({"kind": "map_value", "pairs": [["a"]]}, "list of"),
        ({"kind": "map_value", "pairs": []}, "needs 1 to"),
        ({"kind": "pattern", "pattern": "("}, "missing"),
        ({"kind": "pattern", "pattern": "a*"}, "empty text"),
        ({"kind": "pattern", "pattern": "(a+)\\1"}, "invalid escape"),
    ],
)
def test_wrong_rules_are_refused_with_a_reason(data: dict[str, Any], says: str) -> None:
    with pytest.raises(RuleError, match=says):
        read_rule({"id": "r1", "target": "$.a", **data})


@pytest.mark.parametrize(
    "data",
    [
        {"id": "a", "kind": "ignore", "target": "$..at", "note": "why"},
        {"id": "b", "kind": "number_tolerance", "target": "$.n", "absolute": 0.5, "relative": 0.0},
        {"id": "c", "kind": "map_value", "target": "status", "pairs": [[200, 201]]},
        {"id": "d", "kind": "pattern", "target": "header:link", "pattern": "[0-9]+"},
        {"id": "e", "kind": "ignore", "target": "set-cookie:sid;samesite"},
    ],
)
def test_json_form_comes_back(data: dict[str, Any]) -> None:
    assert rule_data(read_rule(data)) == data


def test_a_proxy_without_re2_still_takes_a_pattern_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table must not be refused where nothing is compared."""
    monkeypatch.setitem(sys.modules, "re2", None)
    assert rule("pattern", "$.a", pattern="only-here-[0-9]+").pattern == "only-here-[0-9]+"


def test_two_rules_of_one_id_are_refused() -> None:
    with pytest.raises(RuleError, match="same id"):
        RuleSet([rule("ignore", "$.a"), rule("ignore", "$.b")])


@pytest.mark.parametrize(
    ("the_rule", "legacy", "new", "covered"),
    [
        (rule("ignore", "$.a"), {"a": 1}, {"a": 2}, True),
        (rule("null_absent", "$.a"), {"a": None}, {}, True),
        (rule("null_absent", "$.a"), {}, {"a": None}, True),
        (rule("null_absent", "$.a"), {"a": 1}, {}, False),
        (rule("null_absent", "$.a"), {"a": None}, {"a": 1}, False),
        (rule("null_absent", "$.a"), {"a": ""}, {}, False),
        (rule("empty_null", "$.a"), {"a": None}, {"a": ""}, True),
        (rule("empty_null", "$.a"), {"a": []}, {"a": None}, True),
        (rule("empty_null", "$.a"), {"a": None}, {"a": 0}, False),
        (rule("empty_null", "$.a"), {"a": None}, {"a": False}, False),
        (rule("empty_null", "$.a"), {"a": None}, {}, False),
        (rule("empty_null", "$.a"), {"a": ""}, {"a": []}, False),
        (
            rule("notation", "$.a"),
            {"a": "2024-01-01T10:00:00Z"},
            {"a": "2024-01-01T11:00:00+01:00"},
            True,
        ),
        (
            rule("notation", "$.a"),
            {"a": "2024-01-01T10:00:00Z"},
            {"a": "2024-01-01T10:00:01Z"},
            False,
        ),
        (rule("ignore", "$.a"), {"a": 1}, {}, True),
        (rule("ignore", "$.a"), {}, {"a": 1}, True),
        (rule("ignore", "$.a"), {"a": [1, {"b": 1}]}, {"a": "x"}, True),
        (rule("ignore", "$.a"), {"b": 1}, {"b": 2}, False),
        (rule("ignore", "$.a.b"), {"a": {"b": 1}}, {}, False),
        (rule("ignore", "$..at"), {"x": [{"at": 1}], "at": 1}, {"x": [{"at": 2}], "at": 2}, True),
        (rule("ignore", "$.x[0]"), {"x": [1, 2]}, {"x": [9, 2]}, True),
        (rule("ignore", "$.x[1]"), {"x": [1, 2]}, {"x": [9, 2]}, False),
        (rule("ignore", "$.x.*.y"), {"x": {"k": {"y": 1}}}, {"x": {"k": {"y": 2}}}, True),
        (rule("number_tolerance", "$.n", absolute=0.01), {"n": 1.0}, {"n": 1.01}, True),
        (rule("number_tolerance", "$.n", absolute=0.01), {"n": 1.0}, {"n": 1.02}, False),
        (rule("number_tolerance", "$.n", relative=0.1), {"n": 100}, {"n": 109}, True),
        (rule("number_tolerance", "$.n", absolute=9), {"n": 1}, {"n": "2"}, False),
        (rule("number_tolerance", "$.n", absolute=9), {"n": 1}, {"n": None}, False),
        (
            rule("time_tolerance", "$.t", seconds=5),
            {"t": "2026-01-01T00:00:00Z"},
            {"t": "2026-01-01T01:00:04.5+01:00"},
            True,
        ),
        (
            rule("time_tolerance", "$.t", seconds=5),
            {"t": "2026-01-01T00:00:00Z"},
            {"t": "2026-01-01T00:00:06Z"},
            False,
        ),
        (rule("time_tolerance", "$.t", seconds=5), {"t": 1767225600}, {"t": 1767225600500}, True),
        (rule("case", "$.s"), {"s": "Straße"}, {"s": "STRASSE"}, True),
        (rule("case", "$.s"), {"s": "a"}, {"s": "b"}, False),
        (rule("map_value", "$.s", pairs=[["A", "active"]]), {"s": "A"}, {"s": "active"}, True),
        (rule("map_value", "$.s", pairs=[["A", "active"]]), {"s": "active"}, {"s": "A"}, False),
        (rule("map_value", "$.s", pairs=[[1, True]]), {"s": 1}, {"s": True}, True),
        (rule("pattern", "$.s", pattern="req-[0-9]+"), {"s": "id req-1"}, {"s": "id req-22"}, True),
        (rule("pattern", "$.s", pattern="req-[0-9]+"), {"s": "id req-1"}, {"s": "no req-2"}, False),
        (rule("pattern", "$.s", pattern="req-[0-9]+"), {"s": "req-1"}, {"s": ""}, False),
        (rule("unordered", "$.l"), {"l": [1, 2, 2]}, {"l": [2, 1, 2]}, True),
        (rule("unordered", "$.l"), {"l": [1, 2]}, {"l": [1, 1]}, False),
        (rule("unordered", "$.l"), {"l": [1, 2]}, {"l": [2, 1, 1]}, False),
        (rule("unordered", "$.l"), {"l": [[1, 2]]}, {"l": [[2, 1]]}, False),
        (
            rule("keyed_array", "$.l", key="k"),
            {"l": [{"k": 1, "v": 1}, {"k": 2, "v": 2}]},
            {"l": [{"k": 2, "v": 2}, {"k": 1, "v": 1}]},
            True,
        ),
        (
            rule("keyed_array", "$.l", key="k"),
            {"l": [{"k": 1, "v": 1}, {"k": 2, "v": 2}]},
            {"l": [{"k": 2, "v": 1}, {"k": 1, "v": 2}]},
            False,
        ),
    ],
)
def test_what_a_rule_covers(
    the_rule: ComparisonRule, legacy: object, new: object, covered: bool
) -> None:
    comparison = compare_json(legacy, new, the_rule)
    assert comparison.verdict == ("match" if covered else "mismatch")
    if covered:
        # Ignored is not hidden: the difference is there, with the rule that covers it.
        assert {d.ignored_by for d in comparison.differences} == {"r1"}


def test_unordered_pairs_the_most_alike() -> None:
    """Trap 31: a changed element among reordered ones is one change, not all of them."""
    legacy = {"l": [{"n": k, "v": k * 10, "w": "x"} for k in range(10)]}
    new = {"l": [{**row, "v": 31 if row["n"] == 3 else row["v"]} for row in reversed(legacy["l"])]}
    comparison = compare_json(legacy, new, rule("unordered", "$.l"))
    assert found(comparison) == [("$.l[*].v", "changed")]


def test_tolerance_reaches_into_unordered_arrays() -> None:
    rules = [
        ComparisonRule("a", RuleKind.UNORDERED, "$.l"),
        ComparisonRule("b", RuleKind.NUMBER_TOLERANCE, "$.l[*]", absolute=0.01),
    ]
    assert compare_json({"l": [1.0, 2.0]}, {"l": [2.005, 1.005]}, *rules).verdict == "match"


def test_rules_stay_small_however_many_names_the_bodies_hold() -> None:
    rules = RuleSet([rule("ignore", "$.users[*].seen")])
    for start in range(0, 9000, 1000):
        body = {"users": {f"user-{n}": {"seen": n} for n in range(start, start + 1000)}}
        assert compare(json_answer(body), json_answer({"users": {}}), rules).verdict == "mismatch"
    users = rules.body.step("users")
    assert users.step("user-1") is users.step("user-8000")
