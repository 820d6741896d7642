"""Elements that new's list alone holds twice, amid others that differ."""

from __future__ import annotations

import pytest

from tests.unit.figway.compare.test_page_window import fields

TWICE = "$.picks['twice()']|added"
A, B, C, D = ({"sku": name, "price": at} for at, name in enumerate("ABCD"))


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        ([A, B, C], [B, D, B]),
        ([A, B], [D, D]),
        (["x", "y", "z"], ["y", "w", "y"]),
        ([{"id": 1, "t": "q"}, {"id": 2, "t": "r"}], [{"id": 3, "t": "s"}, {"id": 3, "t": "u"}]),
    ],
    ids=str,
)
def test_an_element_that_is_there_twice_is_told_of_the_list(
    legacy: list[object], new: list[object]
) -> None:
    """`one of them twice`: a list that is drawn anew hides it among elements that differ."""
    assert TWICE in fields({"picks": legacy}, {"picks": new})


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        ([A, B, C], [B, D, C]),
        ([A, A, C], [B, B, D]),
        ([A, B], [A, B, B]),
        ([1, 2, 3], [4, 4, 5]),
        ([A, 2, C], [B, 2, B]),
        ([A], [B, B]),
    ],
    ids=str,
)
def test_it_is_not_told_where_it_is_plain_or_legacy_has_such_too(
    legacy: list[object], new: list[object]
) -> None:
    assert TWICE not in fields({"picks": legacy}, {"picks": new})
