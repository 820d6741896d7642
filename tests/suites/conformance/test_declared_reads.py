"""`reads`: a POST that only reads is repeated, and one that is not declared never runs twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.support.wire import Message, Peer, RawBackend, table_of

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
Play = Callable[[Peer, Message], object]


def breaks(peer: Peer, _: Message) -> bool:
    """New takes the request whole and dies before a byte of an answer."""
    peer.reset()
    return False


def hangs(peer: Peer, _: Message) -> bool:
    """New never answers."""
    return True


def searching(*reads: str) -> Route:
    policy = FallbackPolicy(deadline_ms=5_000)
    return Route(
        id="search",
        match=RouteMatch(path="/search", methods=("POST", "PUT")),
        stage=Stage.NEW,
        new="new",
        fallback=policy,
        reads=reads,
    )


def ran(backend: RawBackend) -> list[bytes]:
    """The journal: what a backend was sent whole."""
    return [request.body for request in backend.requests]


@pytest.mark.parametrize("play", [BUSY, breaks], ids=["503", "reset"])
def test_a_declared_read_is_served_by_legacy_with_one_execution_on_each_side(
    facade_of: Open, legacy: RawBackend, new: RawBackend, play: Play | bytes
) -> None:
    new.play = play
    facade = facade_of(table_of(legacy.port, new.port, searching("POST")))
    with facade.connect() as client:
        assert client.ask(b"POST", b"/search", body=b"q=lamp").body == b"ok"
    assert (ran(new), ran(legacy)) == ([b"q=lamp"], [b"q=lamp"])
    assert facade.last().fallback in ("status_503", "reset")


@pytest.mark.parametrize("play", [BUSY, breaks], ids=["503", "reset"])
@pytest.mark.parametrize(("reads", "method"), [((), b"POST"), (("POST",), b"PUT")])
def test_what_is_not_declared_never_runs_twice(
    facade_of: Open,
    legacy: RawBackend,
    new: RawBackend,
    play: Play | bytes,
    reads: tuple[str, ...],
    method: bytes,
) -> None:
    """trap 44: new may have done it, so legacy is not asked, whatever else the route declares."""
    new.play = play
    facade = facade_of(table_of(legacy.port, new.port, searching(*reads)))
    with facade.connect() as client:
        assert client.ask(method, b"/search", body=b"order").status in (502, 503)
    assert (ran(new), ran(legacy)) == ([b"order"], [])
    assert facade.last().no_fallback == "unsafe_method"


@pytest.mark.parametrize(("reads", "finished"), [(("POST",), False), ((), True)])
def test_a_read_ends_with_its_client_and_a_write_does_not(
    facade_of: Open,
    legacy: RawBackend,
    new: RawBackend,
    reads: tuple[str, ...],
    finished: bool,
) -> None:
    """trap 21: the connection of a read is closed at once, that of a whole write is not."""
    new.play = hangs
    table = table_of(legacy.port, new.port, searching(*reads))
    facade = facade_of(table, half_closed_ms=100)
    with facade.connect() as client:
        body = b"x" * 9
        head = b"POST /search HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        client.send(head + body)
        facade.wait_for(lambda: len(new.requests) == 1)
    facade.wait_for(lambda: not facade.door.connections)
    if finished:
        assert facade.call(lambda: facade.runtime.in_flight) == 1
    else:
        facade.wait_for(lambda: len(facade.records) == 1)
        assert facade.last().client_gone
