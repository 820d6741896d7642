"""The comparison policy of a route: written down, read again, and made to work."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.rules import RuleError, check_rule, read_rule, rule_data
from figway.compare.verdict import compare
from figway.evidence.comparing import (
    compared_headers,
    evidence_window,
    overruled,
    redaction_policy,
    rule_set,
    window_of,
)
from figway.model.backend import Backend
from figway.model.codec import CodecError, canonical, content_hash, from_data
from figway.model.comparison import (
    ComparisonPolicy,
    ComparisonRule,
    NoiseOverrule,
    NoiseWord,
    NullEquals,
    RuleKind,
)
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import compile_table

PLAIN = Route(id="r", match=RouteMatch(path="/x"))
RULES = (
    ComparisonRule(id="ignore", kind=RuleKind.IGNORE, target="$.items[*].id", note="given anew"),
    ComparisonRule(id="near", kind=RuleKind.NUMBER_TOLERANCE, target="$.price", absolute=0.01),
    ComparisonRule(id="share", kind=RuleKind.NUMBER_TOLERANCE, target="$.total", relative=1e-9),
    ComparisonRule(
        id="soon", kind=RuleKind.TIME_TOLERANCE, target="header:last-modified", seconds=2.0
    ),
    ComparisonRule(id="any-order", kind=RuleKind.UNORDERED, target="$.tags"),
    ComparisonRule(id="by-id", kind=RuleKind.KEYED_ARRAY, target="$.items", key="id"),
    ComparisonRule(id="case", kind=RuleKind.CASE, target="$.name"),
    ComparisonRule(
        id="map",
        kind=RuleKind.MAP_VALUE,
        target="$.state",
        pairs=(("open", 1), (None, False), (1.5, "x"), (True, 0)),
    ),
    ComparisonRule(id="pattern", kind=RuleKind.PATTERN, target="$.link", pattern="[0-9]+"),
    ComparisonRule(id="absent", kind=RuleKind.NULL_ABSENT, target="$.note"),
    ComparisonRule(id="empty", kind=RuleKind.EMPTY_NULL, target="$.tags"),
    ComparisonRule(id="names", kind=RuleKind.NAME_STYLE, target="$.user"),
    ComparisonRule(
        id="ids", kind=RuleKind.REFERENCE, target="$.lines[*].customer", key="$.customers[*].id"
    ),
    ComparisonRule(id="notation", kind=RuleKind.NOTATION, target="$['line-ends()']"),
)
POLICY = ComparisonPolicy(
    rules=RULES,
    headers=("cache-control",),
    noise_sample=0,
    noise_overrules=(NoiseOverrule(field="$.a|changed", word=NoiseWord.SIGNAL),),
    redact_names=("plan",),
    redact_patterns=("K-[0-9]+",),
    redact_allow=("price",),
)


def test_a_route_that_says_nothing_keeps_its_hash() -> None:
    assert canonical(PLAIN) == b'{"id":"r","match":{"path":"/x"}}'


def test_every_kind_of_rule_round_trips() -> None:
    route = Route(id="r", match=RouteMatch(path="/x"), comparison=POLICY)
    again = from_data(Route, json.loads(canonical(route)))
    assert again == route
    assert canonical(again) == canonical(route)
    pairs = again.comparison.rules[7].pairs
    assert [type(value) for pair in pairs for value in pair] == [
        *(str, int, type(None), bool, float, str, bool, int)
    ]


def test_every_kind_of_rule_works_and_comes_back() -> None:
    assert {spec.kind for spec in RULES} == set(RuleKind)
    for rule in RULES:
        assert read_rule(rule_data(rule)) == rule
    assert len(rule_set(POLICY).rules) == len(RULES)


def test_a_parameter_of_another_kind_is_refused() -> None:
    with pytest.raises(RuleError, match="ignore has no seconds"):
        check_rule(ComparisonRule(id="a", kind=RuleKind.IGNORE, target="$", seconds=1.0))


def test_the_rest_of_the_policy() -> None:
    assert compared_headers(POLICY)[-1] == "cache-control"
    assert overruled(POLICY) == {"$.a|changed": False}
    policy = redaction_policy(POLICY)
    assert policy.hides("plan")
    assert policy.keeps("price")
    assert not policy.keeps("name")
    assert redaction_policy(ComparisonPolicy()).allow is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("absolute", "1"),
        ("absolute", True),
        ("absolute", float("nan")),
        ("absolute", float("inf")),
        ("absolute", 10**400),
        ("pairs", [["a"]]),
        ("pairs", [["a", "b", "c"]]),
        ("pairs", [["a", []]]),
        ("pairs", [["a", float("inf")]]),
        ("kind", "guess"),
    ],
)
def test_what_is_no_rule_is_refused_by_place(field: str, value: Any) -> None:
    data = {"id": "a", "kind": "ignore", "target": "$", field: value}
    with pytest.raises(CodecError) as caught:
        from_data(ComparisonRule, data)
    assert caught.value.path.startswith(f"$.{field}")


def test_a_whole_number_is_a_number() -> None:
    data = {"id": "a", "kind": "number_tolerance", "target": "$", "absolute": 2}
    spec = from_data(ComparisonRule, data)
    assert type(spec.absolute) is float
    assert content_hash(spec) == content_hash(
        from_data(ComparisonRule, json.loads(canonical(spec)))
    )


@pytest.mark.parametrize(
    ("stage", "new"), [*((stage, "fn") for stage in Stage), (Stage.LEGACY, "")]
)
@pytest.mark.parametrize("legacy", ["old", ""])
def test_a_table_names_the_windows_that_its_proxies_name(
    stage: Stage, new: str, legacy: str
) -> None:
    """Who has the table alone knows which evidence is of what it says now."""
    backends = {
        name: Backend(id=name, side=side, url="http://127.0.0.1:9", description="words")
        for name, side in (("fn", Side.NEW), ("old", Side.LEGACY), ("default", Side.LEGACY))
    }
    route = Route(
        id="r", match=RouteMatch(path="/x"), stage=stage, weight=100, new=new, legacy=legacy,
        comparison=POLICY, evidence_since=3,
    )  # fmt: skip
    table = Table(backends=backends, routes={"r": route}, default_backend="default")
    assert window_of(table, "r") == evidence_window(compile_table(table).plans["r"])
    assert window_of(table, "s") == ""


def _differing(legacy: object, new: object, *nulls: NullEquals) -> list[str]:
    """The fields that count, with null equal to what a route says."""
    one, other = (
        Answer(200, ((b"Content-Type", b"application/json"),), json.dumps(data).encode())
        for data in (legacy, new)
    )
    found = compare(one, other, rule_set(ComparisonPolicy(null_equals=nulls)), Context())
    return [one.field for one in found.differences if one.ignored_by is None]


NULLS: tuple[tuple[object, object, NullEquals], ...] = (
    ({"a": {"b": [{"c": None}]}}, {"a": {"b": [{}]}}, NullEquals.ABSENT),
    ({"a": [1, {"x": {}}]}, {"a": [1, {"x": {"y": None}}]}, NullEquals.ABSENT),
    ({"a": None, "b": [{"c": ""}]}, {"a": [], "b": [{"c": None}]}, NullEquals.EMPTY),
)


@pytest.mark.parametrize(("legacy", "new", "word"), NULLS)
def test_what_null_equals_is_a_setting_of_a_route(
    legacy: object, new: object, word: NullEquals
) -> None:
    assert _differing(legacy, new)
    other = NullEquals.EMPTY if word is NullEquals.ABSENT else NullEquals.ABSENT
    assert _differing(legacy, new, other)
    assert _differing(legacy, new, word) == []


OTHERS: tuple[tuple[object, object], ...] = (
    ({"a": None}, {"a": 0}),
    ({"a": None}, {"a": False}),
    ({"a": 1}, {}),
    ({"a": ""}, {}),
    ({"a": [None]}, {"a": []}),
    ({"a": None}, {"a": "x"}),
)


@pytest.mark.parametrize(("legacy", "new"), OTHERS)
def test_null_equals_nothing_else(legacy: object, new: object) -> None:
    assert _differing(legacy, new, *NullEquals)


def test_another_reading_of_null_makes_another_window() -> None:
    route = replace(PLAIN, comparison=ComparisonPolicy(null_equals=(NullEquals.ABSENT,)))
    names = {window_of(Table(routes={"r": one}), "r") for one in (PLAIN, route)}
    assert len(names) == 2
