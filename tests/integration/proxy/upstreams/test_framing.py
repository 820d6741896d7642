"""Answers as they should be, in every framing, and answers that lie about it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.peer import Peer, Sink, against, get

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def one_answer(answer: bytes, *, step: int = 0, method: str = "GET") -> tuple[Sink, bool]:
    """What the sink saw of `answer`, and whether the connection was kept."""

    async def script(peer: Peer) -> None:
        await peer.head()
        pieces = [answer[at : at + step] for at in range(0, len(answer), step)] if step else []
        for piece in pieces or [answer]:
            await peer.say(piece)
            if step:
                await asyncio.sleep(0)
        if answer.endswith(b"|"):
            return
        await peer.head()
        await peer.answer(b"second")

    async with against(script) as (client, server):
        sink = await client.ask(get(method=method))
        again = await client.ask()
        if not again.failure:
            assert again.body in (b"second", sink.body)
        return sink, server.accepted == 1


GOOD = {
    "length": (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "empty reason": (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "odd case and space": (OK + b"cOnTeNt-LeNgTh:  5 \t\r\n\r\nhello", b"hello", True),
    "empty value": (OK + b"X:\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "chunked": (CHUNKED + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello", True),
    "close asked": (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "until close": (OK + b"\r\nhello|", b"hello|", False),
    "http 1.0 until close": (b"HTTP/1.0 200 OK\r\n\r\nhello|", b"hello|", False),
    "status 299": (b"HTTP/1.1 299 X\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("case", GOOD)
async def test_well_formed(case: str, step: int) -> None:
    """Whole or byte by byte, the same meaning."""
    answer, body, kept = GOOD[case]
    sink, was_kept = await one_answer(answer, step=step)
    assert sink.events[-1] == "end"
    assert sink.body == body
    assert was_kept is kept


BAD_HEADS = {
    "length and chunked": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "list of other lengths": OK + b"Content-Length: 5, 6\r\n\r\nhello",
    "signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "hex length": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "empty length": OK + b"Content-Length:\r\n\r\nhello",
    "huge length": OK + b"Content-Length: 99999999999999999999\r\n\r\nhello",
    "unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "disguised coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in http 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded first": OK + b" X: a\r\nContent-Length: 5\r\n\r\nhello",
    "folded length": OK + b"Content-Length:\r\n 5\r\n\r\nhello",
    "space in name": OK + b"X Y: a\r\nContent-Length: 5\r\n\r\nhello",
    "bare CR": OK + b"X: a\rb\r\nContent-Length: 5\r\n\r\nhello",
    "NUL": OK + b"X: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    "NUL in name": OK + b"X\0: a\r\nContent-Length: 5\r\n\r\nhello",
    "no colon": OK + b"Nonsense\r\nContent-Length: 5\r\n\r\nhello",
    "no name": OK + b": x\r\nContent-Length: 5\r\n\r\nhello",
    "garbage first": b"\x16\x03\x01 garbage\r\n\r\n",
    "blank line first": b"\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    "no version": b"HTTP/ 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
    "unasked 101": b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "endless head": OK + b"X: " + b"a" * 70_000,
    "large head": OK + (b"X: " + b"a" * 1_000 + b"\r\n") * 70 + b"Content-Length: 0\r\n\r\n",
    "endless interim": b"HTTP/1.1 103 Hints\r\n\r\n" * 5_000,
}


@pytest.mark.parametrize("case", BAD_HEADS)
async def test_bad_heads_are_refused(case: str) -> None:
    """Trap 17: nothing of it is relayed, the connection is dropped, the next client unharmed."""

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            await peer.say(BAD_HEADS[case])
            await peer.hang()
        else:
            await peer.answer(b"clean")

    async with against(script) as (client, server):
        sink = await client.ask()
        assert sink.events[-1] == "failed protocol SOME"
        assert not [event for event in sink.events if event in ("head 200", "body")]
        assert sink.failure is not None
        assert sink.failure.detail
        assert (await client.ask()).body == b"clean"
        assert server.accepted == 2


BAD_CHUNKS = {
    "not hex": b"xyz\r\nhello\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "signed": b"-5\r\nhello\r\n0\r\n\r\n",
    "space first": b" 5\r\nhello\r\n0\r\n\r\n",
    "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "CR in size": b"5\r\rhello\r\n0\r\n\r\n",
    "LF in extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "NUL in trailer": b"0\r\nX: \0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 200_000,
    "endless trailers": b"0\r\n" + b"X: y\r\n" * 40_000,
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
async def test_bad_chunks_are_refused(case: str) -> None:
    """Trap 17: the answer breaks off after its head; the next client is unharmed."""

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            await peer.say(CHUNKED)
            await peer.say(BAD_CHUNKS[case])
            await peer.hang()
        else:
            await peer.answer(b"clean")

    async with against(script) as (client, _):
        sink = await client.ask()
        assert sink.events[0] == "head 200"
        assert sink.events[-1] == "failed protocol SOME"
        assert (await client.ask()).body == b"clean"


SURPLUS = {
    "beyond the length": OK + b"Content-Length: 5\r\n\r\nhello" + b"!",
    "a second answer": (OK + b"Content-Length: 5\r\n\r\nhello") * 2,
    "after the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + OK,
    "a blank line after the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n\r\n",
    "garbage after the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n\r\nxx",
}


@pytest.mark.parametrize("case", SURPLUS)
async def test_more_than_announced_is_nobodys(case: str) -> None:
    """Trap 17: the answer ends where it said; the connection is never used again."""

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            await peer.say(SURPLUS[case])
            await peer.hang()
        else:
            await peer.answer(b"clean")

    async with against(script) as (client, server):
        sink = await client.ask()
        assert sink.events == ["head 200", "body", "end"]
        assert sink.body == b"hello"
        assert (await client.ask()).body == b"clean"
        assert server.accepted == 2


async def test_late_surplus_drops_the_idle_connection() -> None:
    """Trap 17: bytes on an idle connection are not the next answer."""
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"%d" % peer.number)
        if peer.number == 1:
            await more.wait()
            await peer.say(OK + b"Content-Length: 6\r\n\r\npoison")
        await peer.hang()

    async with against(script) as (client, _):
        assert (await client.ask()).body == b"1"
        assert client.pool.idle == 1
        more.set()
        while client.pool.idle:
            await asyncio.sleep(0.005)
        assert (await client.ask()).body == b"2"


FEWER = {
    "length": OK + b"Content-Length: 50\r\n\r\nhello",
    "chunk": CHUNKED + b"50\r\nhello",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
}


@pytest.mark.parametrize("case", FEWER)
async def test_less_than_announced_fails_after_the_head(case: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(FEWER[case])

    async with against(script) as (client, _):
        sink = await client.ask()
        assert sink.events == ["head 200", "body", "failed reset SOME"]


NO_BODY = {
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n",
    "205": b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("case", NO_BODY)
async def test_statuses_without_a_body(case: str) -> None:
    """Trap 12: the connection is kept, and in step."""
    sink, kept = await one_answer(NO_BODY[case])
    assert sink.events == [f"head {case}", "end"]
    assert kept


@pytest.mark.parametrize("framing", [b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_head_has_no_body_whatever_the_framing_says(framing: bytes) -> None:
    """Trap 12."""
    sink, kept = await one_answer(OK + framing + b"\r\n", method="HEAD")
    assert sink.events == ["head 200", "end"]
    assert sink.head.headers == [tuple(framing.strip().split(b": "))]
    assert kept


async def test_interim_answers_are_told_and_are_not_the_answer() -> None:
    """Trap 12: 100 and 103, whole or in pieces."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    answer = interim + OK + b"Content-Length: 2\r\n\r\nok"
    for step in (0, 7):
        sink, kept = await one_answer(answer, step=step)
        assert sink.events == ["1xx 100", "1xx 103", "head 200", "body", "end"]
        assert sink.heads[1].headers == [(b"Link", b"</a>")]
        assert kept


async def test_headers_and_trailers_keep_order_case_and_repetition() -> None:
    """Traps 2 and 3: as received, framing fields included; trailers cannot reframe."""
    fields = b"sEt-CoOkIe: a\r\nX-Latin: caf\xe9\r\nSet-Cookie: b\r\nContent-Encoding: gzip\r\n"
    answer = OK + fields + b"Transfer-Encoding: chunked\r\n\r\n"
    answer += b"2\r\n\x1f\x8b\r\n0\r\nX-Sum: 1\r\nTransfer-Encoding: chunked\r\nx-sum: 2\r\n\r\n"
    sink, kept = await one_answer(answer)
    assert sink.head.headers == [
        (b"sEt-CoOkIe", b"a"),
        (b"X-Latin", b"caf\xe9"),
        (b"Set-Cookie", b"b"),
        (b"Content-Encoding", b"gzip"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    assert sink.body == b"\x1f\x8b"
    assert sink.trailers == [(b"X-Sum", b"1"), (b"x-sum", b"2")]
    assert kept
