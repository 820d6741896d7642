"""A worker dies, and the proxy is stopped under load."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.suites.story.system import running
from tests.suites.story.tell import Tell
from tests.support.load import Load, get, post
from tests.support.until import until


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        host = system.host

        def make(number: int) -> bytes:
            if number % 5 == 0:
                return post("/api/users", host, b'{"broken": true}')
            return get(f"/api/users/{number % 200 + 1}", host)

        async with tell.step("a worker is killed and the facade answers on") as figures:
            victim = (await system.private())["workers"][0]["pid"]
            async with Load(system.facade, make, connections=8, pause=0.002) as load:
                await load.answered(100)
                os.kill(victim, signal.SIGKILL)
                await load.answered(300)

                async def replaced() -> bool:
                    workers = (await system.private())["workers"]
                    return len(workers) == 2 and victim not in {w["pid"] for w in workers}

                await until(replaced)
                await load.answered(100)
                tally = await load.stop()
            # What the dead worker held in its hands is gone with it, and nothing else.
            figures |= {
                "answered": tally.answered,
                "lost_with_the_worker": sum(tally.lost.values()),
                "repeated": tally.repeated,
                "refused": tally.refused,
            }
            assert sum(tally.lost.values()) <= 8, tally.lost
            assert set(tally.statuses) <= {200, 400, 422}, tally.statuses
        async with tell.step("SIGTERM under load loses no request") as figures:
            async with Load(system.facade, make, connections=8, pause=0.002) as load:
                await load.answered(200)
                code = await system.end("proxy")
                await asyncio.sleep(0.1)
                tally = await load.stop()
            figures |= {
                "exit_code": code,
                "answered": tally.answered,
                "lost": sum(tally.lost.values()),
                "repeated": tally.repeated,
            }
            assert code == 0
            assert not tally.lost, tally.lost
            assert set(tally.statuses) <= {200, 400, 422}, tally.statuses
