"""The name of new does not resolve."""

from __future__ import annotations

from pathlib import Path

from tests.suites.faults.arena import Arena, play


def test_the_name_does_not_resolve(tmp_path: Path) -> None:
    """trap 44: nothing was sent."""

    async def talk(arena: Arena) -> None:
        good = arena.control.table
        await arena.publish(arena.table("http://no-such-host.invalid:8080"))
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        for seen in (read, write):
            assert (seen.status, seen.side, seen.record["failure"]) == (200, "legacy", "connect")
        await arena.publish(good)
        await arena.tell("The name of new does not resolve", read, write)

    play(talk, tmp_path)
