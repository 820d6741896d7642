"""The clock jumps, and a worker is frozen."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.suites.faults.arena import Arena, play

JUMPER = """
import os, time
_real = time.time

def jumped():
    try:
        return _real() + float(open(os.environ["JUMP_FILE"]).read())
    except (OSError, ValueError):
        return _real()

time.time = jumped
"""


@pytest.mark.parametrize("seconds", [3_600.0, -3_600.0])
def test_the_clock_jumps(tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """trap 60: deadlines, breakers and pools live on the monotonic clock; nobody notices."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(JUMPER)
    jump = tmp_path / "jump"
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.getcwd()}")
    monkeypatch.setenv("JUMP_FILE", str(jump))

    async def talk(arena: Arena) -> None:
        before = await arena.ask()
        jump.write_text(str(seconds))
        seen = [await arena.ask() for _ in range(5)] + [await arena.ask("POST", body=b"{}")]
        assert {(item.status, item.side) for item in seen} == {(200, "new")}
        moved = seen[-1].record["at"] - before.record["at"]
        assert abs(moved - seconds * 1_000) < 60_000, "the clock did not jump"
        assert all("failure" not in item.record for item in seen)
        assert all(0 <= item.record["total_us"] < 5_000_000 for item in seen)
        jump.unlink()
        words = "forward" if seconds > 0 else "back"
        await arena.tell(f"The clock jumps an hour {words}", *seen)

    play(talk, tmp_path)


def test_a_worker_is_frozen(tmp_path: Path) -> None:
    """trap 60: after a freeze, what is due is due at once, and connections are not trusted."""

    async def talk(arena: Arena) -> None:
        assert (await arena.ask()).side == "new"
        pid = arena.control.ack["workers"][0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(arena.ask())
        await asyncio.sleep(1.5)
        os.kill(pid, signal.SIGCONT)
        seen = await waiting
        assert (seen.status, seen.side) == (200, "new")
        await arena.tell("A worker is frozen for 1.5 s", seen)

    play(talk, tmp_path)
