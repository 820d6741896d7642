"""Bodies in motion: early bytes, slow readers, broken ends, clients that leave."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress

import pytest

from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.support.wire import (
    OK,
    WAIT,
    Facade,
    Message,
    Peer,
    RawBackend,
    head_first,
    table_of,
)

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def test_the_first_event_is_relayed_as_it_comes(facade: Facade, legacy: RawBackend) -> None:
    """trap 19: an SSE event is with the client while the stream is still open."""
    seen = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        peer.send(CHUNKED + b"9\r\ndata: 1\n\n\r\n")
        assert seen.wait(WAIT)
        peer.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        return True

    legacy.play = play
    with facade.connect() as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"data: 1\n\n" in client.until(b"\n\n")
        seen.set()
        assert client.until(b"0\r\n\r\n").endswith(b"data: 2\n\n\r\n0\r\n\r\n")


def test_a_head_without_body_bytes_is_relayed_at_once(facade: Facade, legacy: RawBackend) -> None:
    """trap 19: the head does not wait for the first byte of the body."""
    seen = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        assert seen.wait(WAIT)
        peer.send(b"x")
        return True

    legacy.play = play
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        seen.set()
        assert client.exactly(1) == b"x"


def test_a_slow_reader_slows_the_backend(facade: Facade, legacy: RawBackend) -> None:
    """trap 19: what waits in the facade is bounded, however much the backend has to give."""
    total, piece = 32 << 20, b"x" * 65_536
    sent = 0
    stuck = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        nonlocal sent
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        peer.sock.settimeout(0.5)
        view = memoryview(piece)
        while sent < total:
            try:
                sent += peer.sock.send(view)
            except TimeoutError:
                stuck.set()
                peer.sock.settimeout(WAIT)
        return False

    legacy.play = play
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert stuck.wait(WAIT)
        assert sent < total / 2
        client.until(b"\r\n\r\n")
        assert len(client.exactly(total)) == total


def test_a_slow_backend_slows_the_client(facade: Facade, legacy: RawBackend) -> None:
    """trap 19: an upload waits in the client, not in the facade; then arrives whole."""
    total, piece = 32 << 20, b"y" * 65_536
    go = threading.Event()
    digest = hashlib.sha256()

    @head_first
    def play(peer: Peer, request: Message) -> bool:
        assert go.wait(WAIT)
        left = total
        while left:
            data = peer.exactly(min(left, 1 << 20))
            digest.update(data)
            left -= len(data)
        peer.send(OK)
        return False

    legacy.play = play
    with facade.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
        client.sock.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError):
            while sent < total:
                sent += client.sock.send(piece)
        assert sent < total / 2
        go.set()
        client.sock.settimeout(WAIT)
        while sent < total:
            sent += client.sock.send(piece[: min(len(piece), total - sent)])
        assert client.answer().status == 200
    assert digest.digest() == hashlib.sha256(piece * (total // len(piece))).digest()
    assert facade.last().request_bytes == total


@pytest.mark.parametrize("framing", [b"Content-Length: 20", b"Transfer-Encoding: chunked"])
def test_an_answer_that_breaks_off_is_seen_to(
    facade: Facade, legacy: RawBackend, framing: bytes
) -> None:
    """trap 45, trap 17: a truncated answer is never made to look whole."""

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n4\r\nabcd\r\n")
        return False

    legacy.play = play
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        data = client.rest()
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert not data.endswith(b"0\r\n\r\n")
    record = facade.last()
    assert (record.failure, record.no_fallback) == ("reset", "response_started")


def test_no_fallback_once_bytes_reached_the_client(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """trap 45: new breaks off after its head; legacy is not asked."""

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        return False

    new.play = play
    route = Route(id="r", match=RouteMatch(path="/{p=**}"), stage=Stage.NEW, new="new")
    facade = facade_of(table_of(legacy.port, new.port, route))
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.rest().endswith(b"abc")
    assert legacy.requests == []
    assert facade.last().side == "new"


def test_an_early_answer_leaves_the_connection_in_step(facade: Facade, legacy: RawBackend) -> None:
    """trap 22: the answer comes before the body is complete; the next request is the next one."""

    @head_first
    def early(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        peer.sock.settimeout(1)
        peer.rest()
        return False

    legacy.play = early
    with facade.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.")
        answer = client.answer()
        assert (answer.status, answer.body) == (401, b"no")
        client.send(b"half.")
        legacy.play = OK
        assert client.get(b"/after").body == b"ok"


def test_an_early_answer_to_an_endless_upload(facade: Facade, legacy: RawBackend) -> None:
    """trap 22: the client reads the answer although it never stops sending."""

    @head_first
    def early(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        return False

    legacy.play = early
    with facade.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\nstart")
        assert client.answer().status == 413


def held(started: threading.Event, gone: threading.Event) -> object:
    """A backend that does not answer until its connection ends."""

    def play(peer: Peer, request: Message) -> bool:
        started.set()
        if not peer.more():
            gone.set()
        return False

    return play


def test_a_read_is_cancelled_with_its_client(facade_of: Open, legacy: RawBackend) -> None:
    """trap 21: the backend sees the connection end, and the record says so."""
    started, gone = threading.Event(), threading.Event()
    facade = facade_of(half_closed_ms=100)
    legacy.play = held(started, gone)  # type: ignore[assignment]
    client = facade.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert started.wait(WAIT)
    client.close()
    assert gone.wait(WAIT)
    record = facade.last()
    assert record.client_gone
    assert (record.method, record.status) == ("GET", 0)


def test_a_write_is_left_to_finish(facade_of: Open, legacy: RawBackend) -> None:
    """trap 21: the backend completes what it began, and the record has its status."""
    started, go = threading.Event(), threading.Event()
    facade = facade_of(half_closed_ms=100)

    def play(peer: Peer, request: Message) -> bool:
        started.set()
        assert go.wait(WAIT)
        peer.send(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes")
        return True

    legacy.play = play
    client = facade.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
    assert started.wait(WAIT)
    client.close()
    facade.wait_for(lambda: not facade.door.connections)
    assert facade.records == []
    go.set()
    record = facade.last()
    assert record.client_gone
    assert (record.status, record.response_bytes) == (201, 3)


def test_half_a_write_is_not_left_as_a_whole_one(facade: Facade, legacy: RawBackend) -> None:
    """trap 21: a client that leaves in the middle of its body takes the request with it."""
    gone = threading.Event()

    @head_first
    def play(peer: Peer, request: Message) -> bool:
        assert peer.rest() == b"half"
        gone.set()
        return False

    legacy.play = play
    client = facade.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
    facade.wait_for(lambda: bool(legacy.requests))
    client.close()
    assert gone.wait(WAIT)
    assert facade.last().client_gone


def test_the_deadline_ends_the_wait(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """trap 49: 504 at the deadline over both attempts, whatever the backends' own time-outs are."""
    new.play = lambda peer, request: peer.rest() and None
    route = Route(
        id="r",
        match=RouteMatch(path="/{p=**}"),
        stage=Stage.NEW,
        new="new",
        fallback=FallbackPolicy(deadline_ms=200),
    )
    facade = facade_of(table_of(legacy.port, new.port, route))
    with facade.connect() as client:
        answer = client.get()
    assert answer.status == 504
    assert facade.last().failure == "deadline"


def test_a_refused_connection_is_answered(facade_of: Open) -> None:
    """A backend that is not there: 502 as problem details, and the connection goes on."""
    gone = RawBackend()
    gone.stop()
    facade = facade_of(table_of(gone.port))
    with facade.connect() as client:
        for _ in range(2):
            answer = client.get()
            assert answer.status == 502
            assert b"urn:figway:problem:backend_unreachable" in answer.body


def test_a_drain_under_load_loses_no_request(facade: Facade, legacy: RawBackend) -> None:
    """Clients that keep their connections busy are each answered, and told to close."""
    served: list[int] = []
    lost: list[BaseException] = []

    def hammer() -> None:
        try:
            with facade.connect() as client:
                while True:
                    answer = client.get()
                    served.append(answer.status)
                    if answer.all(b"connection") == [b"close"]:
                        return
        except BaseException as error:
            lost.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    facade.wait_for(lambda: len(served) > 200)
    cut_off = facade.start(facade.door.drain(WAIT)).result(WAIT)
    for thread in threads:
        thread.join(WAIT)
    assert (lost, cut_off) == ([], 0)
    assert set(served) == {200}
    facade.wait_for(lambda: len(facade.records) == len(served))


def test_a_draining_facade_loses_no_request(facade: Facade, legacy: RawBackend) -> None:
    """A request under way is finished, and one on an idle connection is still answered."""
    started, go = threading.Event(), threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        if request.line.startswith(b"GET /slow"):
            started.set()
            assert go.wait(WAIT)
        peer.send(OK)
        return True

    legacy.play = play
    with facade.connect() as slow, facade.connect() as idle:
        assert idle.get().status == 200
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert started.wait(WAIT)
        drained = facade.start(facade.door.drain(WAIT))
        facade.wait_for(lambda: facade.door.draining)
        answer = idle.get()
        assert (answer.status, answer.one(b"connection")) == (200, b"close")
        go.set()
        answer = slow.answer()
        assert (answer.status, answer.one(b"connection")) == (200, b"close")
        assert slow.closed()
        assert drained.result(WAIT) == 0
        with pytest.raises(ConnectionRefusedError):
            facade.connect()
