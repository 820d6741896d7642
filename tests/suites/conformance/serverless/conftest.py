"""The proxy function behind each kind of event, with sandboxes shared by the tests of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from figway.model.table import Table
from proxy.request.runtime import FacadeSettings
from tests.suites.conformance.serverless.cannot_carry import why_not
from tests.support.serverless.events import KINDS
from tests.support.serverless.facade import LambdaFacade, Sandboxes
from tests.support.wire import RawBackend, table_of

Open = Callable[..., LambdaFacade]


@pytest.fixture(params=KINDS)
def door(request: pytest.FixtureRequest) -> str:
    kind = str(request.param)
    if reason := why_not(request.node.name, kind):
        pytest.skip(reason)
    return kind


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[Sandboxes]:
    found = Sandboxes()
    yield found
    found.stop()


@pytest.fixture
def facade_of(door: str, legacy: RawBackend, sandboxes: Sandboxes) -> Iterator[Open]:
    opened: list[LambdaFacade] = []

    def make(table: Table | None = None, **settings: Any) -> LambdaFacade:
        served = table or table_of(legacy.port)
        opened.append(LambdaFacade(door, sandboxes.get(FacadeSettings(**settings), served)))
        return opened[-1]

    yield make
    for facade in opened:
        facade.stop()


@pytest.fixture
def facade(facade_of: Open) -> LambdaFacade:
    return facade_of()
