"""What clients may take of the facade: connections, time, a backend's patience. Trap 18."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from figway.model.backend import ConnectionLimits
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.tunnels import open_tunnel
from tests.support.wire import (
    OK,
    WAIT,
    Client,
    Facade,
    Message,
    Peer,
    RawBackend,
    head_first,
    table_of,
)

POST = b"POST /x HTTP/1.1\r\nHost: shop.example\r\n"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def by_client(facade: Facade) -> dict[bytes, int]:
    """How many connections the facade counts for each address."""
    door: Any = facade.door
    counts: dict[bytes, int] = getattr(door, "native", door)._by_client
    return counts


def test_one_address_cannot_take_every_connection(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: 503 and close beyond the limit; a closed connection makes room; both recorded."""
    facade = facade_of(max_connections_per_client=2)
    with facade.connect() as one, facade.connect() as two:
        assert (one.get().status, two.get().status) == (200, 200)
        with facade.connect() as three:
            answer = three.answer()
            assert (answer.status, answer.one(b"retry-after")) == (503, b"1")
            assert three.closed()
        assert one.get().status == 200
        two.close()
        facade.wait_for(lambda: by_client(facade) == {b"127.0.0.1": 1})
        with facade.connect() as four:
            assert four.get().status == 200
    facade.wait_for(lambda: not by_client(facade))
    assert [r.problem for r in facade.records if r.problem] == ["too_many_connections"]
    assert len(legacy.requests) == 4


def test_a_trusted_proxy_is_many_clients(facade_of: Open) -> None:
    facade = facade_of(max_connections_per_client=1, trusted_proxies=LOOPBACK)
    with facade.connect() as one, facade.connect() as two:
        assert (one.get().status, two.get().status) == (200, 200)


def test_a_tunnel_is_a_connection_like_any_other(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18, trap 20: counted once, whoever holds it, until it ends."""

    def play(peer: Peer, request: Message) -> bool:
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\nhi"
        )
        return peer.more() != b""

    legacy.play = play
    facade = facade_of(max_connections_per_client=1)
    with facade.connect() as tunnel:
        open_tunnel(tunnel)
        assert by_client(facade) == {b"127.0.0.1": 1}
        with facade.connect() as second:
            assert second.answer().status == 503
    facade.wait_for(lambda: not by_client(facade))
    legacy.play = OK
    with facade.connect() as third:
        assert third.get().status == 200


@pytest.mark.parametrize(
    "frame", [b"Content-Length: 4\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"]
)
def test_a_slow_body_is_given_up(facade_of: Open, legacy: RawBackend, frame: bytes) -> None:
    """trap 18: a body that stops gets 408 and the end of the connection."""
    facade = facade_of(body_ms=150)
    with facade.connect() as client:
        client.send(POST + frame)
        answer = client.answer()
        assert (answer.status, answer.one(b"connection").lower()) == (408, b"close")
        assert client.closed()
    assert facade.last().problem == "body_timeout"
    assert len(facade.records) == 1


def test_a_body_in_slow_pieces_is_not_given_up(facade_of: Open, legacy: RawBackend) -> None:
    """The limit is between two pieces, not on the whole."""
    facade = facade_of(body_ms=400)
    pause = threading.Event()
    with facade.connect() as client:
        client.send(POST + b"Content-Length: 6\r\n\r\n")
        for at in range(6):
            pause.wait(0.15)
            client.send(b"abcdef"[at : at + 1])
        assert client.answer().status == 200
    assert legacy.last.body == b"abcdef"


def test_an_idle_connection_is_closed(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: before the first request, and after one; without a word and without a record."""
    facade = facade_of(idle_ms=300)
    with facade.connect() as fresh, facade.connect() as used:
        assert used.get().status == 200
        assert fresh.closed()
        assert used.closed()
    assert len(facade.records) == 1


def test_idle_after_an_answer_that_was_taken_late(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: the last of an answer leaves after its end; the clock of the next request runs."""
    facade = facade_of(idle_ms=300)
    with facade.connect() as client:
        assert client.get().status == 200
        (connection,) = facade.door.connections
        connection.pause_writing()  # as the transport says it, whose buffer is full
        connection.resume_writing()
        assert client.closed()


def test_a_slow_head_on_a_kept_connection(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: the second request has no more time than the first."""
    facade = facade_of(head_ms=150, idle_ms=10_000)
    with facade.connect() as client:
        assert client.get().status == 200
        client.send(b"GET / HTTP/1.1\r\nHost: ")
        assert client.answer().status == 408
        assert client.closed()
    assert facade.last(2).problem == "head_timeout"


def test_what_came_while_the_process_stood_still_is_read_before_time_is_up(
    facade_of: Open,
) -> None:
    """trap 18: the client was in time, whatever the facade's processor did meanwhile."""
    facade = facade_of(idle_ms=200)
    ours, theirs = socket.socketpair()
    still = threading.Event()

    def stand_still() -> None:
        theirs.recv(1)
        still.set()
        time.sleep(0.6)

    with facade.connect() as client, ours, theirs:
        facade.wait_for(lambda: len(facade.door.connections) == 1)
        facade.call(lambda: facade.loop.add_reader(theirs, stand_still))
        try:
            ours.send(b"x")
            assert still.wait(WAIT)
            assert client.get().status == 200
        finally:
            facade.call(lambda: facade.loop.remove_reader(theirs))


def test_a_client_that_takes_nothing_is_cut_off(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18, trap 19: an answer that nobody reads holds nothing for ever."""
    size = 64 * 1024 * 1024

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"x" * 1_048_576
        for _ in range(size // len(piece)):
            peer.send(piece)
        return False

    legacy.play = play
    facade = facade_of(write_ms=300)
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert facade.last().client_gone
        assert facade.runtime.in_flight == 0


def test_a_full_backend_sheds_after_a_bounded_wait(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18, trap 28: 503 and Retry-After, at once beyond the queue and soon within it; what
    waits its turn is served."""
    gate = threading.Event()

    def play(peer: Peer, request: Message) -> None:
        gate.wait(10)
        peer.send(OK)

    legacy.play = play
    limits = ConnectionLimits(max_connections=1, max_waiting=1, wait_ms=300)
    facade = facade_of(table_of(legacy.port, limits=limits))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(ask, facade)
        facade.wait_for(lambda: len(legacy.requests) == 1)
        shed = [found.result(10) for found in [pool.submit(ask, facade), pool.submit(ask, facade)]]
        assert [answer.status for answer in shed] == [503, 503]
        assert {answer.one(b"retry-after") for answer in shed} == {b"1"}
        assert len(legacy.requests) == 1
        second = pool.submit(ask, facade)
        gate.set()
        assert (first.result(10).status, second.result(10).status) == (200, 200)
    problems = [record.problem for record in facade.records if record.problem]
    assert problems == ["backend_saturated"] * 2
    assert {record.failure for record in facade.records if record.problem} == {"saturated"}


def ask(facade: Facade) -> Message:
    """One request on a connection of its own."""
    with Client(facade.port) as client:
        return client.get()


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (b"9.9.9.9", "9.9.9.9"),
        (b"6.6.6.6, 9.9.9.9, 10.1.2.3", "9.9.9.9"),
        (b"9.9.9.9, 10.1.2.3, 10.1.2.4", "9.9.9.9"),
        (b"9.9.9.9, nonsense, 10.1.2.3", "10.1.2.3"),
        (b"6.6.6.6, [2001:db8::1]:443, 10.1.2.3", "2001:db8::1"),
        (b"", "127.0.0.1"),
    ],
)
def test_the_right_most_untrusted_address_is_the_client(
    facade_of: Open, legacy: RawBackend, sent: bytes, client: str
) -> None:
    """trap 7: what stands left of it anybody could have written; what is sent on says it all."""
    facade = facade_of(trusted_proxies=(*LOOPBACK, ipaddress.ip_network("10.0.0.0/8")))
    with facade.connect() as link:
        link.get(b"/", b"X-Forwarded-For: " + sent)
    assert facade.last().client == client
    assert legacy.last.one(b"x-forwarded-for") == b", ".join(filter(None, [sent, b"127.0.0.1"]))


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"]
)
def test_what_is_no_request_leaves_a_record(
    facade: Facade, legacy: RawBackend, data: bytes
) -> None:
    """trap 17: 400 as a problem, and whoever looks at the figures sees it."""
    with facade.connect() as client:
        client.send(data + b"\r\n\r\n")
        answer = client.answer()
        assert answer.status == 400
        assert answer.one(b"content-type") == b"application/problem+json"
        assert client.closed()
    assert (facade.last().status, facade.last().client) == (400, "127.0.0.1")
    assert facade.last().problem
    assert not legacy.requests


def test_what_came_before_a_bad_request_is_answered(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: in order, each once: the refusal does not overtake or replace an answer."""
    hold = threading.Event()

    def play(peer: Peer, request: Message) -> None:
        hold.wait(10)
        peer.send(OK)

    legacy.play = play
    with facade.connect() as client:
        client.send(POST + b"Content-Length: 2\r\n\r\nabBAD\0 / HTTP/1.1\r\nHost : a\r\n\r\n" * 2)
        facade.wait_for(lambda: len(legacy.requests) == 1)
        hold.set()
        assert [client.answer().status, client.answer().status] == [200, 400]
        assert client.closed()
    assert [record.status for record in facade.records] == [200, 400]
    assert legacy.last.body == b"ab"


def test_a_refusal_outlives_what_is_still_sent(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: bytes behind a bad request do not turn the 400 into a reset."""
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
        for _ in range(50):
            client.send(b"more of it " * 100)
        assert client.answer().status == 400
    assert len(facade.records) == 1


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (POST + b"Host: other\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n", 400),
        (b"POST /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (POST + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX : 1\r\n\r\n", 400),
        (POST + CHUNKED + b"\r\nno chunk\r\n", 400),
        (POST + b"Connection: close\r\nContent-Length: 900\r\n\r\nhello", 200),
    ],
)
def test_an_early_answer_is_not_lost_to_the_body_behind_it(
    facade_of: Open, legacy: RawBackend, begun: bytes, status: int
) -> None:
    """trap 18: what comes after the last answer is read and dropped (RFC 9112, 9.6): a reset would
    take the answer with it."""

    def play(peer: Peer, request: Message) -> None:
        if status == 200:
            peer.send(OK)
        peer.rest()

    legacy.play = head_first(play)
    facade = facade_of()
    with facade.connect() as client:
        client.send(begun)
        facade.last()
        for _ in range(3):
            client.send(b"more\r\n")
            threading.Event().wait(0.02)
        assert client.answer().status == status
        assert client.rest() == b""
