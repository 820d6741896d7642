"""Bodies beside trailers, upgrades and Expect: everything arrives, and only where it belongs."""

from __future__ import annotations

import threading

import pytest

from tests.suites.conformance.conftest import Open
from tests.suites.conformance.test_fields import route
from tests.support.wire import OK, Facade, Message, Peer, RawBackend, head_first, table_of

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "trailers",
    [
        b"X-User: admin\r\n",
        b"X-Forwarded-For: 6.6.6.6\r\nX-User: admin\r\n",
        b"x-tenant: t\r\nDigest: x\r\nX-User: admin\r\n",
        b"Authorization: Bearer x\r\nX-User: admin\r\n",
        b"Cookie: figway_id=victim\r\nX-User: admin\r\n",
        b"Host: evil\r\nX-User: admin\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"", b"3\r\nabc\r\n"])
def test_trailers_never_become_header_fields(
    facade: Facade, legacy: RawBackend, trailers: bytes, body: bytes
) -> None:
    """W4: head, last chunk and trailers in one segment: no trailer is a header at the backend."""
    with facade.connect() as client:
        client.send(CHUNKED + b"X-Real: 1\r\n\r\n" + body + b"0\r\n" + trailers + b"\r\n")
        answer = client.answer()
    assert answer.status in (200, 400)
    for request in legacy.requests:
        assert request.one(b"x-real") == b"1"
        assert not [name for name, value in request.headers if value in trailers and b"X-U" in name]
        for name in (b"x-user", b"authorization", b"cookie", b"x-tenant", b"digest"):
            assert request.all(name) == []
        assert request.one(b"host") == b"a"


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (H2C + b"Content-Length: 5\r\n", b"hello"),
        (H2C + b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n", b"hello"),
        (b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\nContent-Length: 5\r\n", b"hello"),
        (b"Connection: Upgrade\r\nContent-Length: 5\r\n", b"hello"),
        (b"Upgrade: h2c\r\nContent-Length: 5\r\n", b"hello"),
        (b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c, h2\r\nContent-Length: 5\r\n", b"hello"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_body_beside_an_upgrade_arrives_whole(
    facade: Facade, legacy: RawBackend, fields: bytes, body: bytes, whole: bool
) -> None:
    """W28: a backend that switches to nothing gets a plain request with its whole body."""
    head = b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    with facade.connect() as client:
        client.send(head + body if whole else head)
        if not whole:
            client.send(body)
        assert client.answer().status == 200
        assert client.get(b"/next").status == 200
    assert legacy.requests[0].body == b"hello"
    assert not legacy.requests[0].all(b"http2-settings")
    assert b"h2c" not in b"".join(legacy.requests[0].all(b"upgrade"))


@pytest.mark.parametrize("kept", [True, False])
def test_a_switch_after_a_body(facade: Facade, legacy: RawBackend, kept: bool) -> None:
    """W32: the body first, then the other protocol (RFC 9110, 7.8), as `docker exec` does it; over
    a connection that is open already as well."""

    def play(peer: Peer, request: Message) -> bool:
        peer.send(SWITCH)
        assert peer.exactly(4) == b"ping"
        peer.send(b"pong")
        return False

    with facade.connect() as client:
        assert not kept or client.get().status == 200
        legacy.play = play
        client.send(
            b"POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"Tty":false}'
        )
        assert client.until(b"\r\n\r\n") == SWITCH
        client.send(b"ping")
        assert client.rest() == b"pong"
    assert legacy.last.body == b'{"Tty":false}'
    assert legacy.last.one(b"upgrade") == b"tcp"


@pytest.mark.parametrize(
    "offer",
    [
        b"websocket, h2c",
        b"h2c, websocket",
        b"h2c-14,websocket",
        b"websocket, HTTP/2.0",
        b"TLS/1.0,websocket",
        b"h2 , websocket, http/1.1",
        b'websocket, h"2c, a b',
    ],
)
def test_a_list_of_protocols_loses_what_is_not_offered(
    facade: Facade, legacy: RawBackend, offer: bytes
) -> None:
    """W32: HTTP and TLS, which would carry further requests, are taken off; the others stay."""
    legacy.play = SWITCH.replace(b"tcp", b"websocket")
    with facade.connect() as client:
        client.send(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + offer + b"\r\n\r\n"
        )
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert legacy.last.one(b"upgrade") == b"websocket"


EXPECTS = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"


def test_legacy_itself_refuses_by_the_head(facade: Facade, legacy: RawBackend) -> None:
    """W33: no second attempt is possible, so legacy decides, and no body is sent for nothing."""

    def play(peer: Peer, request: Message) -> bool:
        assert request.one(b"expect") == b"100-continue"
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        return False

    legacy.play = head_first(play)
    with facade.connect() as client:
        client.send(EXPECTS)
        assert client.answer().status == 413


@pytest.mark.parametrize("waits", [True, False])
def test_legacy_itself_says_go_on(facade: Facade, legacy: RawBackend, waits: bool) -> None:
    """W33: its 100 reaches the client, once; a client that does not wait is served as well."""

    def play(peer: Peer, request: Message) -> None:
        if request.all(b"expect"):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert peer.exactly(4) == b"body"
        peer.send(OK)

    legacy.play = head_first(play)
    with facade.connect() as client:
        client.send(EXPECTS if waits else EXPECTS + b"body")
        if waits:
            assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(b"body")
        answer = client.until(b"ok")
        assert answer.count(b" 100 ") <= (0 if waits else 1)
        assert answer.endswith(b"ok")
        assert client.get(b"/next", b"Connection: close").status == 200


def test_legacy_that_knows_no_expect(facade: Facade, legacy: RawBackend) -> None:
    """W33: a client that tires of waiting sends its body; it arrives."""
    with facade.connect() as client:
        client.send(EXPECTS)
        facade.wait_for(lambda: facade.runtime.in_flight == 1)
        client.send(b"body")
        assert client.until(b"ok").endswith(b"ok")
    assert legacy.last.body == b"body"


def test_legacy_that_knows_no_expect_and_an_empty_body(facade: Facade, legacy: RawBackend) -> None:
    """W33: a chunked body that is empty comes without a first piece, and ends all the same."""
    with facade.connect() as client:
        client.send(CHUNKED + b"Expect: 100-continue\r\n\r\n")
        facade.wait_for(lambda: facade.runtime.in_flight == 1)
        client.send(b"0\r\nX-Note: 1\r\n\r\n")
        assert client.until(b"ok").endswith(b"ok")
    assert legacy.last.body == b""


def test_legacy_that_knows_no_expect_and_a_body_that_does_not_wait(
    facade: Facade, legacy: RawBackend
) -> None:
    """W33: a body that comes in one piece with its head was sent without waiting; it arrives."""
    with facade.connect() as client:
        client.send(EXPECTS + b"body")
        assert client.until(b"ok").endswith(b"ok")
    assert legacy.last.body == b"body"


def test_the_facade_answers_where_a_second_attempt_may_need_the_body(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """W33: with a fallback the body is wanted anyway, so the facade says so itself."""
    facade = facade_of(table_of(legacy.port, new.port, route()))
    with facade.connect() as client:
        client.send(EXPECTS)
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert client.answer().status == 200
    assert new.last.body == b"body"
    assert not new.last.all(b"expect")


def test_pipelined_requests_wait_unread(facade: Facade, legacy: RawBackend) -> None:
    """W20: while an answer is under way, what a client pipelines is not read without end."""
    go = threading.Event()

    def play(peer: Peer, request: Message) -> None:
        go.wait(10)
        peer.send(OK)

    legacy.play = play
    flood = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 400_000
    with facade.connect() as client:
        client.sock.setblocking(False)
        sent = 0
        quiet = 0
        while quiet < 20 and sent < len(flood):
            try:
                sent += client.sock.send(flood[sent : sent + 262_144])
                quiet = 0
            except BlockingIOError:
                quiet += 1
                threading.Event().wait(0.05)
        assert sent < len(flood), "everything was read while one answer was under way"
        go.set()


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"0\r\nX-Note: 1\r\n\r\n"])
def test_an_upgrade_behind_a_chunked_body_is_one(
    facade: Facade, legacy: RawBackend, end: bytes
) -> None:
    """W28: where a chunked body ends is known, so that the next request is seen from its start."""

    def play(peer: Peer, request: Message) -> None:
        peer.send(SWITCH if request.all(b"upgrade") else OK)

    legacy.play = play
    with facade.connect() as client:
        client.send(
            CHUNKED + b"\r\n3\r\nabc\r\n" + end + b"GET /exec HTTP/1.1\r\nHost: a\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        assert client.answer().status == 200
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert legacy.requests[0].body == b"abc"


def test_a_head_that_begins_behind_a_chunked_body(facade: Facade, legacy: RawBackend) -> None:
    """W28: the rest of the next head comes later, and it may begin with the end of a line."""
    with facade.connect() as client:
        client.send(CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\nGET /y HTTP/1.1\r\nHost: a")
        assert client.answer().status == 200
        client.send(b"\r\n\r\n")
        assert client.answer().status == 200
    assert legacy.last.line == b"GET /y HTTP/1.1"


@pytest.mark.parametrize(
    "body", [b"x\r\n", b"3\r\nabcd\r\n", b"1\nx\r\n", b"-1\r\n", b"1 \r\nx\r\n"]
)
def test_a_malformed_chunk_is_named_at_every_door(facade: Facade, body: bytes) -> None:
    """W19: the doors decode chunks with one reader, and say the same of a bad one."""
    with facade.connect() as client:
        client.send(CHUNKED + b"\r\n" + body + b"0\r\n\r\n")
        answer = client.answer()
    assert answer.status == 400
    assert b"bad_chunk" in answer.body
