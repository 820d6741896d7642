"""What goes out in one write, and when."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from proxy.doors.uvicorn_transport import Gathered
from proxy.loop.write_batcher import SMALL, WriteBatcher


class Wire:
    """A transport that remembers each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        self.writes.append(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def _gathered() -> tuple[Wire, Gathered]:
    wire = Wire()
    return wire, Gathered(WriteBatcher(), cast(Any, wire), wire.close)


async def test_a_head_goes_with_the_first_piece_of_its_body() -> None:
    wire, gathered = await _gathered()
    for body in (b"small", b"x" * SMALL):
        gathered.write(b"head ")
        gathered.write(body)
        assert wire.writes.pop() == b"head " + body
        await asyncio.sleep(0)
        assert not wire.writes


async def test_a_head_alone_leaves_at_the_end_of_the_turn() -> None:
    wire, gathered = await _gathered()
    gathered.write(b"head ")
    assert not wire.writes
    await asyncio.sleep(0)
    assert wire.writes == [b"head "]
    gathered.write(b"x" * SMALL)  # nothing to join, and too much to hold
    assert len(wire.writes) == 2


async def test_closing_loses_nothing() -> None:
    wire, gathered = await _gathered()
    gathered.write(b"head ")
    gathered.close()
    assert (wire.writes, wire.closed, gathered.is_closing()) == ([b"head "], True, True)
    await asyncio.sleep(0)
    assert len(wire.writes) == 1


async def test_everybody_who_waits_is_flushed_once() -> None:
    batcher, flushed = WriteBatcher(), list[int]()
    items = [
        SimpleNamespace(flush=lambda number=number: flushed.append(number)) for number in range(3)
    ]
    for item in items:
        batcher.flush_soon(cast(Any, item))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert flushed == [0, 1, 2]
