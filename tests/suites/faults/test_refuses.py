"""New refuses connections."""

from __future__ import annotations

from pathlib import Path

from tests.suites.faults.arena import Arena, play


def test_new_refuses_connections(tmp_path: Path) -> None:
    """trap 44: nothing was sent, so writes fall back as well."""

    async def talk(arena: Arena) -> None:
        await arena.new.stop()
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        alone = await arena.ask(path="/alone/x")
        for seen in (read, write):
            assert (seen.status, seen.side) == (200, "legacy")
            assert (seen.record["failure"], seen.record["fallback"]) == ("connect", "connect")
        assert (alone.status, alone.problem) == (502, "backend_unreachable")
        assert alone.record["no_fallback"] == "retired"
        assert arena.legacy.asked("POST") == 1
        await arena.new.start()
        await arena.tell("New refuses connections", read, write)

    play(talk, tmp_path)
