"""One element more is one difference, and not one at every place after it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from figway.compare.align import by_content
from figway.compare.align_content import MOST_EDITS, matches
from figway.compare.canonical.json import Value
from figway.compare.limits import Budget, Limits
from tests.support.answers import compare_json

elements: st.SearchStrategy[list[Value]] = st.lists(st.integers(0, 3), max_size=12)


def longest_common(left: list[Value], right: list[Value]) -> int:
    row = [0] * (len(right) + 1)
    for one in left:
        before = row
        row = [0]
        for at, other in enumerate(right):
            row.append(before[at] + 1 if one == other else max(before[at + 1], row[at]))
    return row[-1]


@given(elements, elements)
def test_as_many_elements_as_can_be_belong_to_an_equal_one(
    left: list[Value], right: list[Value]
) -> None:
    found = matches(left, right, Budget(Limits()))
    assert found is not None
    assert all(left[here] == right[there] for here, there in found)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(found))
    assert len(found) == longest_common(left, right)


@given(elements, elements)
def test_every_element_stands_in_the_alignment_once(left: list[Value], right: list[Value]) -> None:
    found = by_content(left, right, Budget(Limits()))
    assert sorted([*(here for here, _ in found.pairs), *found.missing]) == list(range(len(left)))
    assert sorted([*(there for _, there in found.pairs), *found.added]) == list(range(len(right)))


def test_a_deletion_and_a_change_are_two_differences() -> None:
    legacy = [{"a": n, "b": n * n} for n in range(40)]
    new = [*legacy[:10], *legacy[11:39], {"a": 39, "b": 0}]
    assert [(one.exact, one.kind, one.count) for one in compare_json(legacy, new).differences] == [
        ("$[39].b", "changed", 1),
        ("$[10]", "missing", 1),
    ]


def test_arrays_that_differ_in_much_are_compared_by_position() -> None:
    left: list[Value] = list(range(200))
    right: list[Value] = list(range(1000, 1200))
    assert matches(left, right, Budget(Limits())) is None
    assert matches(left, left[MOST_EDITS + 1 :], Budget(Limits())) is None
