"""Hostile requests: what could be read in two ways is refused, and nothing of it is forwarded."""

from __future__ import annotations

import pytest

from tests.suites.conformance.conftest import Open
from tests.support.wire import OK, Facade, Message, Peer, RawBackend, head_first

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def post(*headers: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *headers, b"", b""])


HEADS = {
    "length and chunked": post(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
    "chunked and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 4"),
    "two lengths": post(b"Content-Length: 4", b"Content-Length: 5"),
    "the same length twice": post(b"Content-Length: 4", b"content-length: 4"),
    "a list of lengths": post(b"Content-Length: 4, 4"),
    "a signed length": post(b"Content-Length: +4"),
    "a negative length": post(b"Content-Length: -4"),
    "a length with a space inside": post(b"Content-Length: 4 4"),
    "a hexadecimal length": post(b"Content-Length: 0x4"),
    "an empty length": post(b"Content-Length: "),
    "an enormous length": post(b"Content-Length: " + b"9" * 30),
    "an unknown coding": post(b"Transfer-Encoding: gzip"),
    "chunked not last": post(b"Transfer-Encoding: chunked, gzip"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked"),
    "two codings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "a coding with a tab": post(b"Transfer-Encoding: x\tchunked"),
    "a coding that only looks like it": post(b"Transfer-Encoding: xchunked"),
    "a vertical tab before chunked": post(b"Transfer-Encoding: \x0bchunked"),
    "chunked in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a folded header": post(b"X-A: 1\r\n folded"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked"),
    "a first header that is folded": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a space before the colon": post(b"Content-Length : 4"),
    "a tab before the colon": post(b"Content-Length\t: 4"),
    "a bare LF": b"GET / HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n",
    "a bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "a bare CR in a value": post(b"X-A: 1\rX-B: 2"),
    "a bare CR before a name": post(b"X-A: 1\r\rContent-Length: 4"),
    "NUL in a value": post(b"X-A: a\0b"),
    "NUL in a name": post(b"X-\0A: ab"),
    "no colon": post(b"nonsense"),
    "an empty name": post(b": value"),
    "a name with brackets": post(b"X(A): 1"),
    "no host": b"GET / HTTP/1.1\r\nX-A: 1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host with a slash": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host with an at": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a host list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the target": b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "a version that is none": b"GET / HTTP/1.x\r\nHost: a\r\n\r\n",
    "a method with a bracket": b"G[T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a form": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_is_refused(facade: Facade, legacy: RawBackend, name: str) -> None:
    """trap 17: 400 and close; nothing is forwarded, and what follows is not read as a request."""
    with facade.connect() as client:
        client.send(HEADS[name] + SMUGGLED)
        answer = client.rest()
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert legacy.requests == []


def test_two_spaces_in_a_request_line(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: refused, although llhttp is kinder: the doors take the same requests."""
    with facade.connect() as client:
        client.send(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 400
    assert legacy.requests == []


BODIES = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "an overflowing size": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a bare LF after a size": b"3\nabc\r\n0\r\n\r\n",
    "data longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "data shorter than its size": b"5\r\nabc\r\n0\r\n\r\n",
    "a bare LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BODIES)
def test_an_ambiguous_chunk_is_refused(facade: Facade, legacy: RawBackend, name: str) -> None:
    """trap 17: a body that is framed wrongly never completes a request at the backend."""
    with facade.connect() as client:
        client.send(CHUNKED + BODIES[name] + SMUGGLED)
        answer = client.rest()
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert legacy.requests == []


def test_trailers_frame_nothing(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: a trailer that would frame or route is refused."""
    with facade.connect() as client:
        client.send(CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n")
        answer = client.answer()
    assert answer.status == 400
    assert legacy.requests == []


def test_a_request_inside_a_get_body_is_a_body(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: the body of a GET is framed and forwarded as a body."""
    with facade.connect() as client:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
        client.send(head + SMUGGLED)
        assert client.answer().status == 200
        assert client.get(b"/next").status == 200
    assert [request.line for request in legacy.requests] == [
        b"GET / HTTP/1.1",
        b"GET /next HTTP/1.1",
    ]
    assert legacy.requests[0].body == SMUGGLED


def test_an_upgrade_that_would_carry_requests_is_not_tunnelled(
    facade: Facade, legacy: RawBackend
) -> None:
    """trap 17, trap 20: h2c would let further requests pass the table unseen."""
    with facade.connect() as client:
        answer = client.get(
            b"/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"
        )
    assert answer.status == 200
    assert not legacy.last.all(b"upgrade") + legacy.last.all(b"http2-settings")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 20_000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 201 + b"\r\n", 431),
    ],
)
def test_heads_are_finite(
    facade: Facade, legacy: RawBackend, request_bytes: bytes, status: int
) -> None:
    """trap 18: request line, whole head and number of fields each have a limit."""
    with facade.connect() as client:
        client.send(request_bytes)
        assert client.answer().status == status
    assert legacy.requests == []
    assert facade.last().status == status


def test_bodies_are_finite_where_a_limit_is_set(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: 413 at once for a length, and as soon as chunks exceed it."""
    facade = facade_of(max_body=10)
    with facade.connect() as client:
        assert client.ask(b"POST", b"/", body=b"x" * 10).status == 200
        assert client.ask(b"POST", b"/", body=b"x" * 11).status == 413
    with facade.connect() as client:
        client.send(CHUNKED + b"6\r\nabcdef\r\n6\r\nabcdef\r\n")
        assert client.answer().status == 413
    assert len([request for request in legacy.requests if request.body]) == 1


def test_an_early_answer_lifts_no_limit_of_a_body(facade_of: Open, legacy: RawBackend) -> None:
    """W18: what comes behind the head of the answer counts as well."""
    taken: list[bytes] = []

    def play(peer: Peer, request: Message) -> bool:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        taken.append(peer.rest())
        return False

    legacy.play = head_first(play)
    facade = facade_of(max_body=10)
    with facade.connect() as client:
        client.send(CHUNKED + b"6\r\nabcdef\r\n")
        assert client.until(b"half").startswith(b"HTTP/1.1 200")
        client.send(b"6\r\nabcdef\r\n")
        client.rest()
    assert facade.last().problem == "body_too_large"
    facade.wait_for(lambda: bool(taken))
    assert taken[0].count(b"abcdef") <= 1


def test_a_slow_head_is_given_up(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: slowloris gets 408, an idle connection is closed without a word."""
    facade = facade_of(head_ms=100, idle_ms=1_000)
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: ")
        assert client.answer().status == 408
    with facade.connect() as client:
        assert client.closed()
    assert facade.last().problem == "head_timeout"


def test_connections_are_finite(facade_of: Open, legacy: RawBackend) -> None:
    """trap 18: one connection too many gets 503 and Retry-After."""
    facade = facade_of(max_connections=1)
    with facade.connect() as first:
        assert first.get().status == 200
        with facade.connect() as second:
            answer = second.answer()
        assert (answer.status, answer.one(b"retry-after")) == (503, b"1")
        assert first.get().status == 200


HOSTILE_ANSWERS = {
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a folded length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\nContent-Length: 2\r\n\r\nok",
    "NUL": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 2\r\n\r\nok",
    "a space in a name": b"HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\nok",
    "garbage": b"garbage\r\n\r\n",
    "an unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
    b"Connection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_a_hostile_answer_is_refused(facade: Facade, legacy: RawBackend, name: str) -> None:
    """trap 17: 502, the backend's connection dropped, the next client unharmed."""
    legacy.play = HOSTILE_ANSWERS[name] + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with facade.connect() as client:
        answer = client.get()
        assert answer.status == 502
        assert answer.one(b"content-type") == b"application/problem+json"
        assert b"evil" not in answer.body
        legacy.play = OK
        assert client.get().body == b"ok"
    assert facade.last().failure == "protocol"


def test_surplus_bytes_of_an_answer_reach_nobody(facade: Facade, legacy: RawBackend) -> None:
    """trap 17: more than Content-Length is nobody's, and the connection is not used again."""
    legacy.play = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with facade.connect() as client:
        assert client.get().body == b"ok"
        legacy.play = OK
        assert client.get().body == b"ok"


def test_pipelined_requests_are_answered_in_order(facade: Facade, legacy: RawBackend) -> None:
    """One at a time, in order, however many arrive at once."""
    legacy.play = lambda peer, request: peer.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
        % (len(request.line.split()[1]), request.line.split()[1])
    )
    with facade.connect() as client:
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(200)))
        assert [client.answer().body for _ in range(200)] == [b"/%d" % n for n in range(200)]


def test_pipelined_requests_that_the_facade_answers_itself(facade: Facade) -> None:
    """A long row of immediate answers neither recurses nor stalls."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\nFigway-Hop: 9\r\n\r\n"
    with facade.connect() as client:
        client.send(request * 2_000)
        assert {client.answer().status for _ in range(2_000)} == {508}


def test_http_1_0(facade: Facade, legacy: RawBackend) -> None:
    """No Host needed, no chunks given, closed at the end unless asked otherwise."""
    with facade.connect() as client:
        client.send(b"GET /old HTTP/1.0\r\n\r\n")
        assert client.rest().endswith(b"\r\n\r\nok")
    assert legacy.last.one(b"host") == b"127.0.0.1:%d" % legacy.port
    legacy.play = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"
    legacy.play = OK
    with facade.connect() as client:
        for _ in range(2):
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert client.answer().one(b"connection") == b"keep-alive"


def test_a_head_in_single_bytes(facade: Facade, legacy: RawBackend) -> None:
    """The pieces in which a request arrives mean nothing."""
    request = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    request += b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with facade.connect() as client:
        for at in range(len(request)):
            client.send(request[at : at + 1])
        assert client.answer().status == 200
    assert legacy.last.body == b"abcde"


def test_absolute_targets_and_connect(facade: Facade, legacy: RawBackend) -> None:
    """Absolute form goes on in origin form (RFC 9112, 3.2.2); CONNECT is nobody's here."""
    with facade.connect() as client:
        client.send(b"GET http://public.example/a?b HTTP/1.1\r\nHost: other\r\n\r\n")
        assert client.answer().status == 200
    assert legacy.last.line == b"GET /a?b HTTP/1.1"
    assert legacy.last.one(b"host") == b"public.example"
    with facade.connect() as client:
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 200
    assert legacy.last.line == b"OPTIONS * HTTP/1.1"
    seen = len(legacy.requests)
    with facade.connect() as client:
        client.send(b"CONNECT else.where:443 HTTP/1.1\r\nHost: else.where:443\r\n\r\n")
        assert client.answer().status in (400, 501)
    assert len(legacy.requests) == seen
