"""A worker has no descriptors left."""

from __future__ import annotations

import asyncio
import os
import resource
from contextlib import suppress
from pathlib import Path

from tests.suites.faults.arena import Arena, play
from tests.suites.faults.rows import note
from tests.support.load import Connection
from tests.support.until import until


def test_no_descriptors_are_left(tmp_path: Path) -> None:
    """trap 18: those who are connected are served; the worker lives, and takes up again."""

    async def talk(arena: Arena) -> None:
        kept = await Connection.open(arena.proxy.facade)
        assert (await arena.ask(connection=kept)).side == "new"
        (worker,) = arena.control.ack["workers"]
        pid = worker["pid"]
        used = len(os.listdir(f"/proc/{pid}/fd"))
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, limits[1]))
        crowd = []
        for _ in range(30):
            with suppress(OSError):
                crowd.append(await Connection.open(arena.proxy.facade))
        await asyncio.sleep(0.2)
        assert (await arena.ask(connection=kept)).status == 200
        # A new connection towards a backend cannot be opened now: legacy has none yet.
        seen = await arena.ask(path="/other/x", connection=kept)
        assert seen.status in (200, 502)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for connection in crowd:
            connection.close()
        kept.close()
        took = await arena.normal()
        (after,) = arena.control.ack["workers"]
        assert after["pid"] == pid, "the worker did not survive"
        await until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= used + 4, "descriptors are freed")
        recorded = seen.recorded()
        note(
            "A worker has no descriptors left",
            f"open connections are served; new ones wait or are closed; {seen.words()}",
            recorded,
            took,
        )

    play(talk, tmp_path)
