"""Clients that close their half of a connection behind a request, and read (RFC 9112, 9.6)."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.suites.conformance.conftest import Open
from tests.support.wire import OK, WAIT, Client, Facade, Message, Peer, RawBackend

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


def half_closed(client: Client, data: bytes) -> None:
    """Send `data`, and say that nothing follows."""
    client.send(data)
    client.sock.shutdown(socket.SHUT_WR)


class Held:
    """A backend that answers when it is told to, and notes that its connection ended."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.gone = threading.Event()

    def answers(self, peer: Peer, request: Message) -> bool:
        self.asked.set()
        assert self.go.wait(WAIT)
        peer.send(OK)
        return True

    def hangs(self, peer: Peer, request: Message) -> bool:
        self.asked.set()
        if not peer.more():
            self.gone.set()
        return False


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (GET % 1, b""),
        (HEAD + b"Content-Length: 4\r\n\r\nbody", b"body"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", b"body"),
        (b"GET / HTTP/1.0\r\n\r\n", b""),
    ],
    ids=["get", "length", "chunked", "HTTP/1.0"],
)
def test_a_client_that_half_closes_gets_its_answer(
    facade: Facade, legacy: RawBackend, data: bytes, body: bytes
) -> None:
    """Legacy alone would answer it. The connection ends with the answer, which says so."""
    held = Held()
    legacy.play = held.answers
    with facade.connect() as client:
        half_closed(client, data)
        assert held.asked.wait(WAIT)
        threading.Timer(0.1, held.go.set).start()
        head, _, answered = client.rest().partition(b"\r\n\r\n")
    assert (head[:15], answered) == (b"HTTP/1.1 200 OK", b"ok")
    assert b"connection: close" in head.lower()
    assert legacy.last.body == body
    assert not facade.last().client_gone


def test_what_was_pipelined_before_the_half_close_is_answered(
    facade: Facade, legacy: RawBackend
) -> None:
    """Each of three requests, in their order, then the end."""
    with facade.connect() as client:
        half_closed(client, GET % 1 + GET % 2 + GET % 3)
        assert client.rest().count(b"HTTP/1.1 200 OK\r\n") == 3
    lines = [request.line for request in legacy.requests]
    assert lines == [b"GET /%d HTTP/1.1" % number for number in (1, 2, 3)]


@pytest.mark.parametrize("rest", [GET % 3 + b"GET /", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_what_is_not_whole_behind_the_half_close_ends_it(
    facade: Facade, legacy: RawBackend, rest: bytes
) -> None:
    """Half a head is no request; what one door hands to the other is one."""
    with facade.connect() as client:
        half_closed(client, GET % 1 + GET % 2 + rest)
        assert client.rest().count(b"HTTP/1.1 200 OK\r\n") == 3


def test_half_a_body_before_the_half_close_is_no_request(
    facade: Facade, legacy: RawBackend
) -> None:
    """The rest can never come: the connection ends, and no backend hears a whole request."""
    with facade.connect() as client:
        half_closed(client, HEAD + b"Content-Length: 8\r\n\r\nhalf")
        assert b" 200 " not in client.rest()
    assert facade.last().client_gone


def test_a_half_closed_client_gets_a_long_answer(facade_of: Open, legacy: RawBackend) -> None:
    """It is gone only if nothing of its answer came for as long as the setting says."""
    wait = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            wait.wait(0.2)
            peer.send(b"x")
        return True

    legacy.play = play
    with facade_of(half_closed_ms=900).connect() as client:
        half_closed(client, GET % 1)
        assert client.rest().endswith(b"\r\n\r\nxxxxxxxx")


@pytest.mark.parametrize("half", [True, False])
def test_a_client_that_resets_is_gone(facade_of: Open, legacy: RawBackend, half: bool) -> None:
    """trap 21: a reset ends the read at the backend, behind a half-close as well."""
    held = Held()
    legacy.play = held.hangs
    facade = facade_of(half_closed_ms=3_600_000)
    client = facade.connect()
    client.send(GET % 1)
    if half:
        client.sock.shutdown(socket.SHUT_WR)
    assert held.asked.wait(WAIT)
    client.reset()
    assert held.gone.wait(WAIT)
    assert facade.last().client_gone


def test_a_client_that_closed_is_gone_once_it_cannot_be_written_to(
    facade_of: Open, legacy: RawBackend
) -> None:
    """trap 21: a close looks like a half-close until bytes come back as a reset."""
    gone = threading.Event()
    step = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        assert step.wait(WAIT)
        peer.send(b"data: 2\n\n")
        if not peer.more():
            gone.set()
        return False

    legacy.play = play
    facade = facade_of(half_closed_ms=3_600_000)
    client = facade.connect()
    client.send(GET % 1)
    client.until(b"data: 1\n\n")
    client.close()
    step.set()
    assert gone.wait(WAIT)
    assert facade.last().client_gone


def test_the_last_of_several_requests_is_watched_as_well(
    facade_of: Open, legacy: RawBackend
) -> None:
    """trap 21: with a body that came before the half-close."""
    held = Held()

    def play(peer: Peer, request: Message) -> bool:
        if request.line.startswith(b"POST"):
            return held.hangs(peer, request)
        peer.send(OK)
        return True

    legacy.play = play
    facade = facade_of(half_closed_ms=300)
    with facade.connect() as client:
        half_closed(client, GET % 1 + GET % 2 + HEAD + b"Content-Length: 4\r\n\r\nbody")
        assert client.rest().count(b"HTTP/1.1 200 OK\r\n") == 2
        facade.wait_for(lambda: not facade.door.connections)


@pytest.mark.parametrize("patience", [0, 300])
def test_a_half_closed_client_is_waited_for_no_longer_than_set(
    facade_of: Open, legacy: RawBackend, patience: int
) -> None:
    """trap 21: a close and a half-close look the same, so a read is cancelled after a while."""
    held = Held()
    legacy.play = held.hangs
    facade = facade_of(half_closed_ms=patience)
    with facade.connect() as client:
        half_closed(client, GET % 1)
        assert client.rest() == b""
    record = facade.last()
    assert (record.client_gone, record.status) == (True, 0)
