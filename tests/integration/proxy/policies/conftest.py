"""A facade with one route `/r/{id}` that has policies, and its two recorded sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from figway.model.policies import RoutePolicies
from figway.model.table import Route, RouteMatch, Stage
from proxy.request.runtime import FacadeSettings
from tests.support.wire import Facade, RawBackend, table_of


class Stand:
    """The facade with both sides."""

    def __init__(self, legacy: RawBackend, new: RawBackend) -> None:
        self.legacy = legacy
        self.new = new
        self.opened: list[Facade] = []

    def route(self, policies: RoutePolicies, **fields: Any) -> Route:
        given = {"stage": Stage.NEW, "new": "new", **fields}
        return Route(id="r", match=RouteMatch(path="/r/{id}"), policies=policies, **given)

    def facade(self, policies: RoutePolicies, door: str = "native", **settings: Any) -> Facade:
        table = table_of(self.legacy.port, self.new.port, self.route(policies))
        self.opened.append(Facade(door, table, FacadeSettings(**settings)))
        return self.opened[-1]


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand(RawBackend(), RawBackend())
    yield made
    for facade in made.opened:
        facade.stop()
    made.legacy.stop()
    made.new.stop()
