"""Answers of new that say "later": what they are to its clients, its breaker and legacy."""

from __future__ import annotations

import pytest

from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.support.wire import RawBackend, table_of

LATER = b"HTTP/1.1 %d Later\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"


def moved(*statuses: int) -> Route:
    fallback = FallbackPolicy(statuses=statuses) if statuses else FallbackPolicy()
    match = RouteMatch(path="/{rest=**}")
    return Route(id="r", match=match, stage=Stage.NEW, new="new", fallback=fallback)


def test_too_many_requests_is_the_clients_own(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """429 and its Retry-After are relayed, however often; legacy is not asked, and no breaker
    opens."""
    new.play = LATER % 429
    facade = facade_of(table_of(legacy.port, new.port, moved()))
    with facade.connect() as client:
        answers = [client.get() for _ in range(40)]
    assert {(answer.status, answer.one(b"retry-after")) for answer in answers} == {(429, b"7")}
    assert (len(new.requests), legacy.requests) == (40, [])


@pytest.mark.parametrize(("status", "statuses"), [(429, (429,)), (503, ())])
def test_what_the_route_lists_falls_back_and_what_may_not_is_relayed(
    facade_of: Open, legacy: RawBackend, new: RawBackend, status: int, statuses: tuple[int, ...]
) -> None:
    """A read goes to legacy; a write is told when to come again."""
    new.play = LATER % status
    facade = facade_of(table_of(legacy.port, new.port, moved(*statuses)))
    with facade.connect() as client:
        assert client.get().status == 200
        written = client.ask(b"POST", b"/", body=b"x")
    assert (written.status, written.one(b"retry-after")) == (status, b"7")
    assert [request.line[:3] for request in legacy.requests] == [b"GET"]
    assert facade.last(2).no_fallback == "unsafe_method"


@pytest.mark.parametrize("status", [429, 503])
def test_legacys_own_is_relayed(facade_of: Open, legacy: RawBackend, status: int) -> None:
    """Nothing is repeated, and nobody else is asked."""
    legacy.play = LATER % status
    with facade_of().connect() as client:
        answer = client.get()
    assert (answer.status, answer.one(b"retry-after")) == (status, b"7")
    assert len(legacy.requests) == 1
