"""New begins an answer and does not end it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.faults.arena import Arena, Fault, Request, play
from tests.support.peer import Peer

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"


async def hang(peer: Peer, request: Request) -> bool:
    await peer.say(HALF)
    await peer.hang()
    return False


async def reset(peer: Peer, request: Request) -> bool:
    await peer.say(HALF)
    peer.reset()
    return False


async def less(peer: Peer, request: Request) -> bool:
    await peer.say(HALF)
    return False


async def no_last_chunk(peer: Peer, request: Request) -> bool:
    await peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
    return False


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (hang, "timeout", "New hangs in the body"),
        (reset, "reset", "New resets in the body"),
        (less, "reset", "New sends less than its Content-Length"),
        (no_last_chunk, "reset", "New leaves out the last chunk"),
    ],
)
def test_an_answer_breaks_off(tmp_path: Path, fault: Fault, kind: str, words: str) -> None:
    """trap 45: bytes reached the client, so nothing falls back, and the client can tell."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = fault
        read = await arena.ask()
        assert read.cut == "answer cut off"
        assert read.record["failure"] == kind
        assert read.record["no_fallback"] == "response_started"
        assert not arena.legacy.requests
        arena.new.fault = None
        await arena.tell(words, read)

    play(talk, tmp_path)


async def reset_at_once(peer: Peer, request: Request) -> bool:
    peer.reset()
    return False


def test_a_reset_before_the_head(tmp_path: Path) -> None:
    """trap 44: the write may have run."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = reset_at_once
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        assert (read.status, read.side, read.record["failure"]) == (200, "legacy", "reset")
        assert (write.status, write.problem) == (502, "backend_reset")
        assert write.record["no_fallback"] == "unsafe_method"
        assert (arena.new.asked("POST"), arena.legacy.asked("POST")) == (1, 0)
        arena.new.fault = None
        await arena.tell("New resets before the head", read, write)

    play(talk, tmp_path)
