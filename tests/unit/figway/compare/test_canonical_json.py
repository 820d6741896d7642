"""JSON by value."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import given, settings
from hypothesis import strategies as st

from figway.compare.answer import Context
from figway.compare.canonical.json import fingerprint, parse_json, same, surely_same
from figway.compare.verdict import compare
from tests.support.answers import answer, compare_json, found, json_answer
from tests.support.thorough import examples

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "id", "1"])
    | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda child: (
        st.lists(child, max_size=4)
        | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=3), child, max_size=4)
    ),
    max_leaves=15,
)
MIRROR = {"missing": "added", "added": "missing"}


def strict(value: Any) -> Any:
    """A value in which `True` and `1` differ for deepdiff as they do in JSON, and 1.0 and 1 do
    not.
    """
    if isinstance(value, bool):
        return f"<{value}>"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: strict(child) for key, child in value.items()}
    return [strict(child) for child in value] if isinstance(value, list) else value


@given(values)
def test_a_value_equals_itself_in_any_spelling(value: Any) -> None:
    """Trap 30: spacing, escapes and member order have no meaning."""
    spelt = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    comparison = compare(json_answer(value), answer(spelt.encode(), "application/json"))
    assert comparison.verdict == "match"
    assert comparison.differences == ()


@settings(max_examples=examples(300))
@given(values, values)
def test_agrees_with_deepdiff(legacy: Any, new: Any) -> None:
    differs = bool(DeepDiff(strict(legacy), strict(new), ignore_order=False))
    assert (compare_json(legacy, new).verdict == "mismatch") == differs
    assert same(legacy, new) == (not differs)
    assert surely_same(legacy, new) == (not differs)  # here are no infinities, which it leaves open
    assert (fingerprint(legacy) == fingerprint(new)) == (not differs)


@pytest.mark.parametrize(
    ("one", "other", "sure"),
    [
        ("[true]", "[1]", False),
        ('{"a": {"b": [0, false]}}', '{"a": {"b": [false, 0]}}', False),
        ('{"a": [1.0, 2]}', '{"a": [1, 2.0]}', True),
        ("[1e400]", "[2e400]", False),
        ('{"b": 1, "a": [{}]}', '{"a": [{}], "b": 1}', True),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}', True),
        ('{"a": true, "a": 2}', '{"a": 1, "a": 2}', False),
        ("[NaN]", "[NaN]", True),
    ],
)
def test_a_quick_yes_is_given_only_where_it_is_sure(one: str, other: str, sure: bool) -> None:
    assert surely_same(parse_json(one), parse_json(other)) is sure


def test_a_quick_yes_to_deep_and_to_wide_trees_keeps_no_more_than_a_path() -> None:
    deep = parse_json("[" * 300 + "true" + "]" * 300)
    wide = parse_json("[" + ",".join(["[]", "1", '{"a":[]}'] * 20_000) + "]")
    for tree in (deep, wide):
        tracemalloc.start()
        assert surely_same(tree, tree)
        assert tracemalloc.get_traced_memory()[1] < 200_000
        tracemalloc.stop()


@settings(max_examples=examples(300))
@given(values, values)
def test_is_symmetric(legacy: Any, new: Any) -> None:
    there, back = compare_json(legacy, new), compare_json(new, legacy)
    assert there.verdict == back.verdict
    mirrored = sorted((path, MIRROR.get(kind, kind)) for path, kind in found(back))
    assert found(there) == mirrored


@pytest.mark.parametrize(
    ("legacy", "new", "verdict"),
    [
        ("1.0", "1", "match"),
        ("1e2", "100", "match"),
        ("-0", "0", "match"),
        ('"\\u00e9"', '"é"', "match"),
        ("true", "1", "mismatch"),
        ("[true, 1]", "[1, true]", "mismatch"),
        ('"1"', "1", "mismatch"),
        ("null", "0", "mismatch"),
        ("12345678901234567890", "12345678901234567891", "mismatch"),
        ('{"a": null}', "{}", "mismatch"),
        ("NaN", "NaN ", "match"),
        ("NaN", "null", "mismatch"),
        ("9" * 6000, "9" * 6000 + " ", "match"),
        ("9" * 6000, "9" * 5999 + "8", "mismatch"),
        ('{"a": 1, "a": 2}', '{"a": 2}', "mismatch"),
        ('{"a": 1, "a": 2}', '{"a": [1, 2]}', "mismatch"),
        ('{"a": 1, "a": 2}', '{ "a": 1, "a": 2}', "match"),
        ('{"a": ', '{"a":', "match"),
        ('{"a": 1', '{"a": 1}', "mismatch"),
        ("\ufeff{}", "{}", "mismatch"),
    ],
)
def test_corners(legacy: str, new: str, verdict: str) -> None:
    """Trap 36: NaN, huge integers, repeated members and cut JSON end in a verdict."""
    one, other = (answer(text, "application/json") for text in (legacy, new))
    comparison = compare(one, other)
    expected = verdict if legacy != '{"a": ' else "mismatch"
    assert comparison.verdict == expected
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_differences_are_named_by_their_template() -> None:
    legacy = {"items": [{"id": 1, "price": 5, "tag": "x"}, {"id": 2, "price": 6, "tag": "y"}]}
    new = {"items": [{"id": 1, "price": 7, "tag": "x"}, {"id": 2, "price": "6"}], "more": 1}
    comparison = compare_json(legacy, new)
    assert found(comparison) == [
        ("$.items[*].price", "changed"),
        ("$.items[*].price", "type"),
        ("$.items[*].tag", "missing"),
        ("$.more", "added"),
    ]
    price = next(d for d in comparison.differences if d.kind == "changed")
    assert (price.exact, price.legacy, price.new) == ("$.items[0].price", 5, 7)


def test_ids_as_member_names_make_one_path() -> None:
    """Trap 34: ids as names must not make a path, and so a signature, each."""
    first = compare_json({"users": {"1001": {"age": 1}}}, {"users": {"1001": {"age": 2}}})
    second = compare_json({"users": {"2002": {"age": 5}}}, {"users": {"2002": {"age": 9}}})
    assert found(first) == [("$.users[*].age", "changed")]
    assert first.signature == second.signature != ""


def test_order_counts_and_is_one_difference() -> None:
    """Trap 31: arrays are ordered by default, and a mere reordering is said as such."""
    comparison = compare_json([1, 2, 3], [3, 1, 2])
    assert found(comparison) == [("$", "order")]
    # What was asked for once may be in an order for a reason: no rule is proposed.
    assert comparison.differences[0].detector == "order_changed"
    assert comparison.differences[0].proposal is None


def test_reordered_objects_still_show_what_changed_in_them() -> None:
    legacy = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]
    comparison = compare_json(legacy, [{"id": "b", "n": 2}, {"id": "a", "n": 9}])
    assert found(comparison) == [("$", "order"), ("$[*].n", "changed")]


def test_one_element_more_is_one_difference() -> None:
    assert found(compare_json([1, 2, 3, 4], [1, 2, 9, 3, 4])) == [("$[*]", "added")]
    rows = [{"id": n, "n": n} for n in range(5)]
    assert found(compare_json(rows, rows[1:])) == [("$[*]", "missing")]


def test_the_list_of_differences_is_bounded_and_says_so() -> None:
    legacy, new = ({f"k{n}": n + side for n in range(500)} for side in (0, 1))
    comparison = compare_json(legacy, new)
    assert len(comparison.differences) == Context().limits.groups
    assert comparison.beyond == 300


def test_a_reordering_deep_inside_is_found_without_reading_for_ever() -> None:
    assert parse_json("[1]") == [1]
    deep: Any = [1, 2]
    other: Any = [2, 1]
    for level in range(60):
        deep, other = [deep, level], [other, level + 1]
    assert compare_json(deep, other).verdict == "mismatch"
