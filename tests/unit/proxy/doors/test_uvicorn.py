"""What one read at the ASGI door under uvicorn costs others: work by read, not by piece."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.doors.uvicorn import FacadeProtocol, UvicornDoor
from proxy.wire.chunked import MAX_CHUNKS
from tests.support.flow import Stand

CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = b"1\r\nx\r\n"
LAST = b"0\r\n\r\n"


class Transport:
    """A client's end that only remembers. Implements what the protocol asks of a transport."""

    def __init__(self) -> None:
        self.reading = True
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 4711) if name == "peername" else None

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


class Line:
    """A connection whose application takes bodies, and answers when it has them whole."""

    def __init__(self, door: UvicornDoor) -> None:
        door.config.loaded_app = self.answer
        self.pieces: list[int] = []
        self.transport = Transport()
        self.protocol = FacadeProtocol(door)
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
    line.protocol.data_received(TINY * 5 * MAX_CHUNKS + LAST)
    assert len(line.protocol.cycle.body) <= MAX_CHUNKS
    assert not line.transport.reading
    await line.turns(1)
    assert not line.transport.reading
    await line.turns(30)
    assert line.transport.reading
    assert sum(line.pieces) == 5 * MAX_CHUNKS
    assert max(line.pieces) <= 2 * MAX_CHUNKS
    assert line.transport.written.startswith(b"HTTP/1.1 204")


async def test_what_arrives_in_between_waits_its_turn() -> None:
    """W19: a transport may hand over what it had read before it was paused."""
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY * 2 * MAX_CHUNKS)
    line.protocol.data_received(TINY * 2 * MAX_CHUNKS + LAST)
    assert len(line.protocol.cycle.body) <= MAX_CHUNKS
    await line.turns(30)
    assert sum(line.pieces) == 4 * MAX_CHUNKS


async def test_requests_behind_a_chunked_body_wait_for_its_answer() -> None:
    """W20: the parser sees one message at a time, whichever way the body's end is told."""
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY + LAST + b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
    assert not line.protocol.pipeline
    assert not line.transport.reading
    await line.turns(50 * 10)
    assert line.transport.written.count(b"HTTP/1.1 204") == 51


async def test_a_connection_lost_in_between_ends_the_work() -> None:
    """W19: the rest of a flood is dropped with its client."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    line = Line(UvicornDoor(Stand().runtime))
    line.protocol.data_received(CHUNKED + TINY * 5 * MAX_CHUNKS)
    line.transport.closed = True
    line.protocol.connection_lost(None)
    await line.turns(10)
    assert sum(line.pieces) <= MAX_CHUNKS
    assert faults == []
