"""Pages of a list: a shift that data explain, and one that they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.verdict import compare

SHIFT = "$.items['shift()']|changed"


def page(start: int, size: int = 10, **more: Any) -> dict[str, Any]:
    return {"items": [{"id": 100 - n, "name": f"n{n}"} for n in range(start, start + size)], **more}


def fields(legacy: object, new: object) -> set[str]:
    one, other = (
        Answer(200, ((b"Content-Type", b"application/json"),), json.dumps(data).encode())
        for data in (legacy, new)
    )
    return {found.field for found in compare(one, other, (), Context()).differences}


TOLD = [{"total": 50}, {"meta": {"page": {"totalElements": 50}}}, {"item_count": 50},
        {"numFound": 50}, {"total": 50, "total_pages": 5}]  # fmt: skip


@pytest.mark.parametrize("total", TOLD, ids=str)
@pytest.mark.parametrize(("here", "there"), [(10, 11), (11, 10), (0, 1), (10, 13)])
def test_a_shift_beside_the_same_total_is_told(
    total: dict[str, Any], here: int, there: int
) -> None:
    assert SHIFT in fields(page(here, **total), page(there, **total))


MOVED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the total grew": (page(10, total=50), page(9, total=51)),
    "no total": (page(10), page(11)),
    "the number of this page": (page(10, count=10), page(11, count=10)),
    "the number of pages": (page(10, totalPages=5), page(11, totalPages=5)),
    "a discount": (page(10, discount=20), page(11, discount=20)),
    "one of two totals grew": (page(10, total=50, count=60), page(11, total=50, count=61)),
    "another length": (page(10, total=50), page(11, 9, total=50)),
    "nothing in common": (page(10, total=50), page(30, total=50)),
    "an item replaced": (
        page(10, total=50), {**page(10, total=50), "items": [{"id": 7}, *page(11, 9)["items"]]}),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVED)
def test_any_other_is_told_by_its_items_alone(name: str) -> None:
    found = fields(*MOVED[name])
    assert SHIFT not in found
    assert found
