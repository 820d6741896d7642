"""What one read at the ASGI door under uvicorn costs others: work by read, not by piece."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.doors.uvicorn import UvicornDoor
from proxy.loop.piece_budget import FEW, TURN
from tests.support.flow import Stand
from tests.support.transport import Transport

CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = b"1\r\nx\r\n"
LAST = b"0\r\n\r\n"


class Line:
    """A connection whose application takes bodies, and answers when it has them whole."""

    def __init__(self, door: UvicornDoor) -> None:
        door.config.loaded_app = self.answer
        self.pieces: list[int] = []
        self.transport = Transport()
        self.protocol = door.connection()
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            self.pieces.append(len(message.get("body", b"")))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)


async def test_a_read_of_tiny_chunks_waits_for_the_turns_of_others() -> None:
    """W19: a turn takes so many chunks; nothing more is read until they are worked off, although
    the application asks for more; then all of it has arrived."""
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED)
    await line.turns(3)
    line.protocol.data_received(TINY * 5 * TURN + LAST)
    assert len(line.protocol.cycle.body) <= TURN
    assert not line.transport.reading
    await line.turns(1)
    assert not line.transport.reading
    await line.turns(60)
    assert line.transport.reading
    assert sum(line.pieces) == 5 * TURN
    assert max(line.pieces) <= 2 * TURN
    assert line.transport.written.startswith(b"HTTP/1.1 204")


async def test_what_arrives_in_between_waits_its_turn() -> None:
    """W19: a transport may hand over what it had read before it was paused."""
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY * 2 * TURN)
    line.protocol.data_received(TINY * 2 * TURN + LAST)
    assert len(line.protocol.cycle.body) <= TURN
    await line.turns(30)
    assert sum(line.pieces) == 4 * TURN


async def test_requests_behind_a_chunked_body_wait_for_its_answer() -> None:
    """W20: the parser sees one message at a time, whichever way the body's end is told."""
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY + LAST + b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
    assert not line.protocol.pipeline
    assert not line.transport.reading
    await line.turns(50 * 10)
    assert line.transport.written.count(b"HTTP/1.1 204") == 51


async def test_connections_share_a_turn() -> None:
    """W19: many floods at once take no more of a turn than one, but for a few chunks each."""
    door = UvicornDoor(Stand().runtime)
    lines = [Line(door) for _ in range(50)]
    for line in lines:
        line.protocol.data_received(CHUNKED + TINY * 500 + LAST)
    assert sum(len(line.protocol.cycle.body) for line in lines) <= TURN + 50 * FEW
    await lines[0].turns(200)
    assert [sum(line.pieces) for line in lines] == [500] * 50


async def test_a_connection_lost_in_between_ends_the_work() -> None:
    """W19: the rest of a flood is dropped with its client."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY * 5 * TURN)
    line.transport.closed = True
    line.protocol.connection_lost(None)
    await line.turns(10)
    assert sum(line.pieces) <= TURN
    assert faults == []


@pytest.mark.timeout(10)
async def test_a_head_that_comes_while_the_connection_closes_is_not_read() -> None:
    """W19: a write may have failed just before; the rest of what was read is dropped."""
    line = Line(UvicornDoor(Stand().runtime))
    line.transport.closed = True
    line.protocol.data_received(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    await line.turns(5)
    assert line.pieces == []


async def test_what_is_handed_over_waits_for_a_client_that_takes_no_answers() -> None:
    """W20: the transport has paused this side, and does not say so again to the other."""
    stand = Stand()
    line = Line(UvicornDoor(stand.runtime))
    line.protocol.data_received(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    await line.turns(5)
    line.protocol.pause_writing()
    line.protocol.data_received(b"GET http://a/y HTTP/1.1\r\nHost: a\r\n\r\n")
    await line.turns(5)
    assert not stand.fakes["legacy"][0].attempts
    assert line.transport.protocol is not None
    line.transport.protocol.resume_writing()
    await line.turns(5)
    assert len(stand.fakes["legacy"][0].attempts) == 1
    assert line.transport.written.count(b"HTTP/1.1 20") == 2
    assert line.transport.reading


async def test_an_upgrade_that_a_proxy_was_asked_for_is_no_end_of_the_connection() -> None:
    """W20: the parser beneath takes Proxy-Connection for Connection, and would stop behind it."""
    for option in (b"upgrade", b"close"):
        line = Line(UvicornDoor(Stand().runtime))
        odd = b"GET /x HTTP/1.1\r\nHost: a\r\nProxy-Connection: %b\r\nUpgrade: foo\r\n\r\n" % option
        line.protocol.data_received(odd)
        await line.turns(10)
        protocol = line.transport.protocol or line.protocol
        protocol.data_received(b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
        await line.turns(10)
        assert line.transport.written.count(b"HTTP/1.1 20") == 2, option
