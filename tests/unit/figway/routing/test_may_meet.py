"""Whether one request may meet two routes: certain where it says no."""

from __future__ import annotations

import pytest

from figway.model.table import Condition, ConditionKind, RouteMatch
from figway.routing.overlap import may_meet

EXACT = ConditionKind.EXACT


def _match(path: str = "/a", **fields: object) -> RouteMatch:
    return RouteMatch(path=path, **fields)  # type: ignore[arg-type]


def _header(value: str) -> Condition:
    return Condition(name="x-kind", kind=EXACT, value=value)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (_match("/a"), _match("/a"), True),
        (_match("/a/{id}"), _match("/a/1"), True),
        (_match("/a/{rest=**}"), _match("/a/1/2/3"), True),
        (_match("/a/{id}"), _match("/a/1/2"), False),
        (_match("/a/1"), _match("/b/1"), False),
        (_match("/a/"), _match("/a"), True),
        (_match(methods=("GET",)), _match(methods=("POST",)), False),
        (_match(methods=("GET",)), _match(), True),
        (_match(hosts=("a.example",)), _match(hosts=("b.example",)), False),
        (_match(hosts=("a.example",)), _match(hosts=("*.example",)), True),
        (_match(hosts=("*.a.example",)), _match(hosts=("*.example",)), True),
        (_match(hosts=("A.example",)), _match(hosts=("a.example",)), True),
        (_match(hosts=("a.example",)), _match(), True),
        (_match(headers=(_header("x"),)), _match(headers=(_header("y"),)), False),
        (_match(headers=(_header("x"),)), _match(), True),
    ],
)
def test_may_meet(one: RouteMatch, other: RouteMatch, meet: bool) -> None:
    """The same whichever comes first."""
    assert may_meet(one, other) is meet
    assert may_meet(other, one) is meet
