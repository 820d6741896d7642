"""Every test of this folder runs once a door."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from figway.model.table import Table
from proxy.request.runtime import FacadeSettings
from tests.support.wire import OK, Facade, Play, RawBackend, table_of

Open = Callable[..., Facade]


@pytest.fixture(params=["native", "asgi"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backends() -> Iterator[Callable[..., RawBackend]]:
    """Makes backends that end with the test."""
    made: list[RawBackend] = []

    def make(play: Play | bytes = OK) -> RawBackend:
        made.append(RawBackend(play))
        return made[-1]

    yield make
    for raw in made:
        raw.stop()


@pytest.fixture
def legacy(backends: Callable[..., RawBackend]) -> RawBackend:
    return backends()


@pytest.fixture
def new(backends: Callable[..., RawBackend]) -> RawBackend:
    return backends()


@pytest.fixture
def facade_of(door: str, legacy: RawBackend) -> Iterator[Open]:
    """Opens facades that end with the test."""
    opened: list[Facade] = []

    def make(
        table: Table | None = None, tls: ssl.SSLContext | None = None, **settings: Any
    ) -> Facade:
        served = table or table_of(legacy.port)
        opened.append(Facade(door, served, FacadeSettings(**settings), tls))
        return opened[-1]

    yield make
    for facade in opened:
        facade.stop()


@pytest.fixture
def facade(facade_of: Open) -> Facade:
    return facade_of()
