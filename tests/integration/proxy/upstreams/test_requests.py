"""What goes over the wire towards a backend, to the byte."""

from __future__ import annotations

import pytest

from figway.serving.attempts.failures import FailureKind, Sent
from tests.support.peer import Peer, against, get, post
from tests.support.until import until

HEADERS = [(b"Host", b"shop.example"), (b"x-ODD", b"1"), (b"Cookie", b"a=1"), (b"x-odd", b"")]


async def test_the_head_is_what_was_given_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traps 4, 5 and 16: no Accept, no User-Agent, no proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.head())
        await peer.answer()

    async with against(script) as (client, _):
        await client.ask(get(b"/%2F?b=1&a=%zz&b=\xff", headers=HEADERS))
    assert seen == [
        b"GET /%2F?b=1&a=%zz&b=\xff HTTP/1.1\r\nHost: shop.example\r\nx-ODD: 1\r\n"
        b"Cookie: a=1\r\nx-odd: \r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("length", "framing", "wire"),
    [
        (5, b"Content-Length: 5", b"hello"),
        (None, b"Transfer-Encoding: chunked", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
    ],
)
async def test_bodies_are_framed_as_told(length: int | None, framing: bytes, wire: bytes) -> None:
    async def script(peer: Peer) -> None:
        while True:
            assert (await peer.head()).split(b"\r\n")[-3] == framing
            assert await peer.exactly(len(wire)) == wire
            await peer.answer()

    async with against(script) as (client, server):
        for _ in range(2):  # on a new connection, then on a kept one
            sending, sink = client.send(post(length))
            sending.write(b"hel")
            sending.write(b"lo")
            sending.end()
            await sink.done.wait()
            assert sink.body == b"ok"
        assert server.accepted == 1


async def test_the_head_goes_without_waiting_for_the_body() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            await peer.exactly(2)
            await peer.answer()

    async with against(script) as (client, _):
        for _ in range(2):
            sending, sink = client.send(post(2))
            await until(lambda sink=sink: bool(sink.events))
            assert sink.events == ["1xx 100"]
            sending.write(b"ok")
            sending.end()
            await sink.done.wait()
            assert sink.body == b"ok"


@pytest.mark.parametrize(
    "request_",
    [
        get(headers=[(b"X", b"a\r\nEvil: 1")]),
        get(headers=[(b"X\nY", b"a")]),
        get(headers=[(b"X", b"a\0")]),
        get(b"/ HTTP/1.1\r\nEvil: 1"),
        get(b"/a b"),
        get(method="GET /x"),
    ],
    ids=["CRLF", "LF in name", "NUL", "target", "space", "method"],
)
async def test_nothing_is_sent_of_a_head_that_would_be_two(request_: object) -> None:
    """Trap 17: defence in depth; the doors have refused it before."""

    async def script(peer: Peer) -> None:
        raise AssertionError("connected")

    async with against(script) as (client, server):
        sink = await client.ask(request_)  # type: ignore[arg-type]
        assert sink.failure is not None
        assert sink.failure.kind is FailureKind.PROTOCOL
        assert sink.failure.sent is Sent.NOTHING
        assert server.accepted == 0


@pytest.mark.parametrize("pieces", [[b"12345", b"6"], [b"1234"]], ids=["longer", "shorter"])
async def test_a_body_that_breaks_its_promise_breaks_the_connection(pieces: list[bytes]) -> None:
    """Trap 17: else the surplus would be a second request to the backend."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.hang()

    async with against(script) as (client, _):
        sending, sink = client.send(post(5))
        for piece in pieces:
            sending.write(piece)
        sending.end()
        await sink.done.wait()
        assert sink.failure is not None
        assert sink.failure.kind is FailureKind.PROTOCOL
        assert client.pool.open == 0
