"""New takes the request and says nothing."""

from __future__ import annotations

from pathlib import Path

from tests.suites.faults.arena import Arena, Request, play
from tests.support.peer import Peer


async def hang(peer: Peer, request: Request) -> bool:
    await peer.hang()
    return False


def test_new_hangs_before_the_head(tmp_path: Path) -> None:
    """trap 44, trap 49: a read falls back, a write that may have run does not."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = hang
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        assert (read.status, read.side) == (200, "legacy")
        assert (read.record["failure"], read.record["fallback"]) == ("timeout", "timeout")
        assert (write.status, write.problem) == (504, "backend_timeout")
        assert write.record["no_fallback"] == "unsafe_method"
        assert (arena.new.asked("POST"), arena.legacy.asked("POST")) == (1, 0)
        arena.new.fault = None
        await arena.tell("New hangs before the head", read, write)

    play(talk, tmp_path)


def test_both_hang_within_one_deadline(tmp_path: Path) -> None:
    """trap 49: one deadline over both attempts."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = arena.legacy.fault = hang
        read = await arena.ask()
        assert (read.status, read.problem) == (504, "backend_timeout")
        assert read.record["attempts"] == 2
        assert read.record["total_us"] < 2_500_000
        arena.new.fault = arena.legacy.fault = None
        await arena.tell("New and legacy hang before the head", read)

    play(talk, tmp_path)
