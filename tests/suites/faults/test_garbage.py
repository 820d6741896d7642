"""New answers with what is not HTTP, or with more than it announced."""

from __future__ import annotations

from pathlib import Path

from tests.suites.faults.arena import Arena, Request, play
from tests.support.peer import Peer


async def garbage(peer: Peer, request: Request) -> bool:
    await peer.say(b"\x00\xff\x16\x03 this is not HTTP \r\n\r\n" * 20)
    return False


def test_new_answers_garbage(tmp_path: Path) -> None:
    """trap 17: never relayed; a read is served by legacy, a write is not repeated."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = garbage
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        assert (read.status, read.side, read.record["failure"]) == (200, "legacy", "protocol")
        assert (write.status, write.problem) == (502, "backend_protocol")
        assert arena.legacy.asked("POST") == 0
        arena.new.fault = None
        await arena.tell("New answers garbage", read, write)

    play(talk, tmp_path)


async def more(peer: Peer, request: Request) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"
    await peer.say(answer + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")


def test_new_sends_more_than_its_length(tmp_path: Path) -> None:
    """trap 17: the surplus reaches nobody, and its connection is not used again."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = more
        seen = [await arena.ask() for _ in range(10)]
        assert {(item.status, item.side) for item in seen} == {(200, "new")}
        assert len(arena.new.requests) == 10
        arena.new.fault = None
        await arena.tell("New sends more than its Content-Length", *seen)

    play(talk, tmp_path)
