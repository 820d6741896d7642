"""New answers before it has the whole request."""

from __future__ import annotations

from pathlib import Path

from tests.suites.faults.arena import Arena, Request, play
from tests.support.peer import Peer

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnew"


async def early(peer: Peer, request: Request) -> bool:
    await peer.say(REFUSAL)
    await peer.hang()
    return False


def test_new_answers_early(tmp_path: Path) -> None:
    """trap 22: the early answer is the answer; the rest of the body goes nowhere."""

    async def talk(arena: Arena) -> None:
        arena.new.fault, arena.new.body_first = early, False
        write = await arena.ask("POST", body=b"x" * 600_000)
        assert (write.status, write.side) == (413, "new")
        assert "failure" not in write.record
        assert arena.legacy.asked("POST") == 0
        arena.new.fault, arena.new.body_first = None, True
        await arena.tell("New answers before the body is there", write)

    play(talk, tmp_path)
