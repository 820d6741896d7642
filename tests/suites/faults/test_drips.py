"""New gives its answer in drips."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.suites.faults.arena import Arena, Request, play
from tests.support.peer import Peer


async def drip_head(peer: Peer, request: Request) -> bool:
    for octet in b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew":
        await peer.say(bytes([octet]))
        await asyncio.sleep(0.1)
    return False


async def drip_body(peer: Peer, request: Request) -> None:
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    for octet in b"new":
        await asyncio.sleep(0.3)
        await peer.say(bytes([octet]))


def test_new_drips_its_head(tmp_path: Path) -> None:
    """trap 18: single bytes do not put off the time to the whole head."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = drip_head
        read = await arena.ask()
        assert (read.status, read.side, read.record["failure"]) == (200, "legacy", "timeout")
        arena.new.fault = None
        await arena.tell("New drips its head, slower than its time", read)

    play(talk, tmp_path)


def test_new_drips_its_body(tmp_path: Path) -> None:
    """trap 19: a slow answer is whole, however long it takes, as long as it moves."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = drip_body
        read = await arena.ask()
        assert (read.status, read.body) == (200, b"new")
        assert read.record["total_us"] > 800_000
        assert "failure" not in read.record
        arena.new.fault = None
        await arena.tell("New drips its body", read)

    play(talk, tmp_path)
