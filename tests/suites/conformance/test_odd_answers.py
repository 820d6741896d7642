"""Answers that are odd and have one meaning: mended, relayed whole, counted by kind."""

from __future__ import annotations

import pytest

from tests.support.wire import OK, Facade, RawBackend

START = b"HTTP/1.1 200 OK\r\n"
ODD = {
    "a space before the colon": (START + b"Content-Length : 2\r\n\r\nok", "space_before_colon"),
    "a tab before the colon": (START + b"Content-Length\t: 2\r\n\r\nok", "space_before_colon"),
    "the same length twice": (
        START + b"Content-Length: 2\r\ncontent-length: 2\r\n\r\nok",
        "repeated_length",
    ),
    "a list of one length": (START + b"Content-Length: 2, 2\r\n\r\nok", "repeated_length"),
    "a folded field": (
        START + b"X-A: 1\r\n\t 2\r\nContent-Length: 2\r\n\r\nok",
        "folded_field",
    ),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "bare_lf"),
    "bare LF within": (START + b"X-A: 1\nContent-Length: 2\r\n\r\nok", "bare_lf"),
    "bare LF at the end": (START + b"Content-Length: 2\r\n\nok", "bare_lf"),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "version"),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", "version"),
    "two spaces before the status": (
        b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
        "status_line",
    ),
    "a tab before the status": (
        b"HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok",
        "status_line",
    ),
    "a control character": (
        START + b"X-A: \x01\r\nContent-Length: 2\r\n\r\nok",
        "control_character",
    ),
    "the coding identity": (
        START + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
        "identity_coding",
    ),
    "spaces after a chunk's size": (
        START + b"Transfer-Encoding: chunked\r\n\r\n2   \r\nok\r\n0  \r\n\r\n",
        "chunk_line",
    ),
    "chunks with bare LF": (
        START + b"Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
        "chunk_line",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_of_one_meaning_are_relayed(
    facade: Facade, legacy: RawBackend, name: str
) -> None:
    """W14, W31: a whole 200, as from legacy directly."""
    legacy.play, _ = ODD[name]
    with facade.connect() as client:
        answer = client.get()
        assert (answer.status, answer.body) == (200, b"ok")
        legacy.play = OK
        assert client.get().body == b"ok"


def test_a_folded_field_is_one_line(facade: Facade, legacy: RawBackend) -> None:
    """W14: each fold becomes a space (RFC 9112, 5.2)."""
    legacy.play = START + b"X-A: 1\r\n 2\r\n\t3\r\nContent-Length: 2\r\n\r\nok"
    with facade.connect() as client:
        assert client.get().one(b"x-a") == b"1 2 3"


@pytest.mark.parametrize(
    "fields",
    [b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"],
)
def test_framing_without_a_body_is_taken_off(
    facade: Facade, legacy: RawBackend, fields: bytes
) -> None:
    """W15: 204 has no body and no framing (RFC 9110, 8.6)."""
    legacy.play = b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n" + fields + b"\r\n"
    with facade.connect() as client:
        answer = client.get()
        assert answer.status == 204
        assert answer.all(b"content-length") == []
        assert answer.all(b"transfer-encoding") == []
        assert answer.one(b"x-a") == b"1"


def test_an_interim_answer_says_nothing_of_its_connection(
    facade: Facade, legacy: RawBackend
) -> None:
    """W15: a 1xx is relayed without the fields that are between two ends of a connection."""
    hints = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: close, X-Odd\r\n"
        b"X-Odd: 1\r\nKeep-Alive: timeout=1\r\n\r\n"
    )
    legacy.play = hints + OK
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        said = client.until(b"ok").lower()
        assert b"http/1.1 200 " in said
        assert not [name for name in (b"x-odd", b"keep-alive:", b"close") if name in said]
        legacy.play = OK
        assert client.get().body == b"ok"


@pytest.mark.parametrize(
    "name", [b"Set-Cookie", b"Content-Type", b"Content-Encoding", b"ETag", b"Cache-Control"]
)
def test_connection_takes_nothing_that_an_answer_means(
    facade: Facade, legacy: RawBackend, name: bytes
) -> None:
    """W17: RFC 9110, 7.6.1, lets no end-to-end field be named; clients of legacy itself read it."""
    legacy.play = (
        b"HTTP/1.1 200 OK\r\n" + name + b": v=1\r\nConnection: keep-alive, X-Odd, " + name + b"\r\n"
        b"X-Odd: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    with facade.connect() as client:
        answer = client.get()
    assert answer.one(name) == b"v=1"
    assert not answer.all(b"x-odd")


def test_an_upgrade_that_is_required_is_announced(facade: Facade, legacy: RawBackend) -> None:
    """W22: 426 keeps Upgrade (RFC 9110, 15.5.22)."""
    legacy.play = (
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    with facade.connect() as client:
        answer = client.get()
    assert answer.status == 426
    assert answer.one(b"upgrade") == b"websocket"
