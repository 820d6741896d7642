"""A worker is killed under load."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.suites.faults.arena import HOST, Arena, play
from tests.suites.faults.rows import note
from tests.support.load import Load, get
from tests.support.until import until


def test_a_worker_is_killed(tmp_path: Path) -> None:
    """trap 50: what it had in hand is lost and nothing else; another takes its place."""

    async def talk(arena: Arena) -> None:
        request = get("/moved/x", HOST)
        async with Load(arena.proxy.facade, lambda _: request, connections=8, pause=0.002) as load:
            await load.answered(200)
            victim = arena.control.ack["workers"][0]["pid"]
            os.kill(victim, signal.SIGKILL)
            killed = time.perf_counter()

            def replaced() -> bool:
                pids = [item["pid"] for item in arena.control.ack["workers"]]
                return len(pids) == 2 and victim not in pids

            await until(replaced, "another worker")
            took = (time.perf_counter() - killed) * 1_000
            await load.answered(200)
            tally = await load.stop()
        assert sum(tally.lost.values()) <= 8
        assert set(tally.statuses) == {200}
        await until(
            lambda: arena.control.ack["revision"] == arena.control.revision, "it serves the table"
        )
        lost = sum(tally.lost.values())
        note(
            "A worker is killed under load",
            f"{lost} of {tally.sent} requests cut off, all others 200",
            "event `worker_died`, a new pid in the fleet",
            took,
        )
        assert any("worker" in str(event["event"]) for event in arena.proxy.events)

    play(talk, tmp_path, workers="2")
