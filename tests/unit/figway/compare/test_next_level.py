"""Conditional targets and styles of names: each pair is found or excused as its row says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from figway.compare.answer import Answer
from figway.compare.paths import PathCondition, PathError, Step, parse_path
from figway.compare.rules import RuleError, RuleSet, is_conditional, read_rule
from figway.compare.verdict import Comparison, compare
from figway.evidence.comparing import rules_that_compare
from figway.model.comparison import ComparisonPolicy, ComparisonRule, RuleKind


def told(data: Any) -> Answer:
    return Answer(200, ((b"Content-Type", b"application/json"),), json.dumps(data).encode())


def found(legacy: Any, new: Any, *rules: ComparisonRule) -> Comparison:
    return compare(told(legacy), told(new), RuleSet(rules))


def rule(kind: str, target: str, **more: Any) -> ComparisonRule:
    return read_rule({"id": "r", "kind": kind, "target": target, **more})


def items(*prices: float, kinds: str = "gb") -> dict[str, Any]:
    named = {"g": "gift", "b": "book"}
    return {"items": [{"id": n, "type": named[k], "price": p, "of": {"a": n}}
                      for n, (k, p) in enumerate(zip(kinds, prices, strict=True))]}  # fmt: skip


GIFT = "$.items[?@.type == 'gift'].price"
NEAR = {"absolute": 1.0}


@pytest.mark.parametrize(
    ("target", "legacy", "new", "verdict"),
    [
        (GIFT, items(5, 7), items(5.5, 7), "match"),
        (GIFT, items(5, 7), items(5, 7.5), "mismatch"),
        (GIFT, items(5, 7), items(7, 7), "mismatch"),
        ('$.items[?@.type != "gift"].price', items(5, 7), items(5, 7.5), "match"),
        ("$.items[?(@.type=='gift')].price", items(5, 7), items(5.5, 7), "match"),
        ("$.items[?@['of'].a == 1].price", items(5, 7), items(5, 7.5), "match"),
        ("$.items[?@.of.a == 1].price", items(5, 7), items(5.5, 7), "mismatch"),
        ("$.items[?@.none == null].price", items(5, 7), items(5.5, 7), "mismatch"),
        ("$..[?@.type == 'gift'].price", items(5, 7), items(5.5, 7), "match"),
        ("$.items[?@.id == 1].price", items(5, 7, kinds="bb"), items(5, 7.5, kinds="bb"), "match"),
        ("$.items[?@.id == true].price", items(5, 7), items(5, 7.5), "mismatch"),
    ],
)
def test_a_target_for_some_elements_only(target: str, legacy: Any, new: Any, verdict: str) -> None:
    assert found(legacy, new, rule("number_tolerance", target, **NEAR)).verdict == verdict


def test_an_ignored_place_of_some_elements_is_applied_when_a_pair_is_compared() -> None:
    """The path of a difference does not say of which element it was."""
    ignored = rule("ignore", GIFT)
    assert found(items(5, 7), items(9, 7), ignored).verdict == "match"
    assert found(items(5, 7), items(5, 9), ignored).verdict == "mismatch"
    assert is_conditional(ignored)
    assert rules_that_compare(ComparisonPolicy(rules=(ignored,))) == (ignored,)
    plain = rule("ignore", "$.items[*].price")
    assert rules_that_compare(ComparisonPolicy(rules=(plain,))) == ()


def test_what_was_added_is_held_against_the_filter_itself() -> None:
    three = items(5, 7, 9, kinds="gbg")
    ignored = rule("ignore", "$.items[?@.type == 'gift']")
    assert found(items(5, 7), three, ignored).verdict == "match"
    assert found(items(5, 7), items(5, 7, 9, kinds="gbb"), ignored).verdict == "mismatch"


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("$[?@.a == 'x']", PathCondition(("a",), True, "x")),
        ('$[?@.a["b"].c != -1.5]', PathCondition(("a", "b", "c"), False, -1.5)),
        ("$[?(@.a == true)]", PathCondition(("a",), True, True)),
        (r"$[?@['a\\'b'] == 'x\\'y']", PathCondition(("a'b",), True, "x'y")),
    ],
)
def test_filters_are_read(text: str, condition: PathCondition) -> None:
    assert parse_path(text.replace("\\\\", "\\")) == (Step(None, False, condition),)


@pytest.mark.parametrize(
    "text",
    ["$[?@.a]", "$[?@.a > 1]", "$[?@.a == @.b]", "$[?@.a == 1 && @.b == 2]", "$[?(@.a == 1]",
     "$[?@ == 1]", "$[?@.a == [1]]", "$[?length(@.a) == 1]"],
)  # fmt: skip
def test_other_filters_are_refused_by_name(text: str) -> None:
    with pytest.raises(PathError, match="of filters only"):
        parse_path(text)


STYLE = rule("name_style", "$")
DEEP = rule("name_style", "$..*")


@pytest.mark.parametrize(
    ("legacy", "new", "rules", "verdict"),
    [
        ({"user_id": 1}, {"userId": 1}, (STYLE,), "match"),
        ({"user_id": 1}, {"UserID": 1}, (STYLE,), "match"),
        ({"user_id": 1}, {"userId": 1}, (), "mismatch"),
        ({"user_id": 1}, {"userId": 2}, (STYLE,), "mismatch"),
        ({"user_id": 1}, {"user_ids": 1}, (STYLE,), "mismatch"),
        ({"user_id": 1, "userId": 2}, {"userId": 2}, (STYLE,), "mismatch"),
        ({"a_b": 1, "aB": 2}, {"a-b": 1, "a.b": 2}, (STYLE,), "mismatch"),
        ({"x": {"user_id": 1}}, {"x": {"userId": 1}}, (STYLE,), "mismatch"),
        ({"x": {"user_id": 1}}, {"x": {"userId": 1}}, (DEEP,), "match"),
        ({"x": [{"user_id": 1}]}, {"x": [{"userId": 1}]}, (DEEP,), "match"),
    ],
)
def test_names_in_another_style(
    legacy: Any, new: Any, rules: tuple[ComparisonRule, ...], verdict: str
) -> None:
    comparison = found(legacy, new, *rules)
    assert comparison.verdict == verdict
    if verdict == "match":
        assert [item.kind for item in comparison.differences] == ["notation"]
        assert comparison.differences[0].ignored_by == "r"


def test_a_style_is_for_bodies() -> None:
    with pytest.raises(RuleError, match="places in the body"):
        rule("name_style", "header:etag")
    assert RuleKind("name_style") is RuleKind.NAME_STYLE


def shop(*numbers: int, refers: tuple[int, ...] = (0, 1)) -> dict[str, Any]:
    """Two customers under new numbers, and two orders that refer to them."""
    names = [{"id": n, "email": f"{at}@a.example"} for at, n in enumerate(numbers)]
    return {"customers": names, "orders": [{"no": at, "by": numbers[who]}
                                           for at, who in enumerate(refers)]}  # fmt: skip


REFERS = ComparisonRule(
    id="refers", kind=RuleKind.REFERENCE, target="$.orders[*].by", key="$.customers[*].id"
)
RENUMBERED = (
    REFERS,
    ComparisonRule(id="by", kind=RuleKind.KEYED_ARRAY, target="$.customers", key="email"),
    ComparisonRule(id="ids", kind=RuleKind.IGNORE, target="$.customers[*].id"),
)


@pytest.mark.parametrize(
    ("new", "rules", "verdict"),
    [
        (shop(101, 102), RENUMBERED, "match"),
        (shop(101, 102), RENUMBERED[1:], "mismatch"),
        (shop(101, 102, refers=(1, 0)), RENUMBERED, "mismatch"),
        ({**shop(101, 102), "orders": [{"no": 0, "by": 7}, {"no": 1, "by": 102}]}, RENUMBERED,
         "mismatch"),
    ],
)  # fmt: skip
def test_references_to_a_list_that_is_numbered_anew(
    new: Any, rules: tuple[ComparisonRule, ...], verdict: str
) -> None:
    assert found(shop(1, 2), new, *rules).verdict == verdict


@pytest.mark.parametrize("key", ["", "$", "$.customers[*]", "$..id", "customers"])
def test_a_reference_leads_to_a_member_of_elements(key: str) -> None:
    with pytest.raises(RuleError):
        RuleSet([ComparisonRule(id="r", kind=RuleKind.REFERENCE, target="$.a", key=key)])
