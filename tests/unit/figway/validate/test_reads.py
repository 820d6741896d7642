"""`reads`: the word itself, and what traffic says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from figway.model.codec import from_data, to_data
from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage
from figway.model.words import Side
from figway.rollout.lint import comparable
from figway.routing.compile import compile_table
from figway.routing.shadow import Skip, why_not_copied
from figway.validate.findings import Findings
from figway.validate.reads import check_traffic
from figway.validate.table import validate
from tests.support.tables import table

SEARCH = Route(
    id="search",
    match=RouteMatch(path="/search", methods=("POST",)),
    stage=Stage.SHADOW,
    new="functions",
    reads=("POST",),
)


def codes(route: Route) -> list[str]:
    return [finding.code for finding in validate(table(route))]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"reads": ("GET", "POST")}, ["reads_unused"]),
        ({"reads": ("post",)}, ["method_case", "reads_unused", "shadow_copies_nothing"]),
        ({"reads": ("POST", "POST")}, ["method_duplicate"]),
        ({"reads": ("POST", "a b")}, ["method_invalid", "reads_unused"]),
        ({"reads": ("POST", "DELETE")}, ["reads_writing_method"]),
        ({"reads": ("REPORT",)}, ["reads_unused", "shadow_copies_nothing"]),
        ({"shadow": ShadowPolicy(unsafe_get=True)}, ["reads_unsafe"]),
        ({"reads": ()}, ["shadow_copies_nothing"]),
    ],
)
def test_the_word_itself(fields: dict[str, object], expected: list[str]) -> None:
    assert sorted(codes(replace(SEARCH, **fields))) == sorted(expected)  # type: ignore[arg-type]


def traffic(status: int, *headers: tuple[str, str], method: str = "POST") -> list[str]:
    findings = Findings()
    check_traffic(SEARCH, method, Side.LEGACY, status, headers, "routes.search", findings)
    return [finding.code for finding in findings.found]


def test_traffic_that_contradicts_the_word() -> None:
    assert traffic(200, ("Content-Type", "text/html")) == []
    assert traffic(201) == ["reads_answers_201"]
    assert traffic(200, ("Set-Cookie", "cart=7")) == ["reads_sets_cookie"]
    assert traffic(200, ("set-cookie", "figway_id=1")) == []
    assert traffic(201, ("Set-Cookie", "cart=7"), method="GET") == []


def test_a_declared_read_is_copied_both_ways_and_counts_for_a_rollout() -> None:
    copying = replace(SEARCH, shadow=ShadowPolicy(from_new=True))
    plan = compile_table(table(copying)).plans["search"]
    assert why_not_copied(plan, Side.LEGACY, "POST") is Skip.NO
    assert why_not_copied(plan, Side.NEW, "POST") is Skip.NO
    assert why_not_copied(plan, Side.LEGACY, "PATCH") is Skip.UNSAFE_METHOD
    assert comparable(copying, table(copying))
    silent = replace(copying, reads=())
    assert not comparable(silent, table(silent))


def test_it_is_written_and_read() -> None:
    data = to_data(SEARCH)
    assert data["reads"] == ["POST"]
    assert from_data(Route, data) == SEARCH
    assert "reads" not in to_data(replace(SEARCH, reads=()))
