"""The control plane dies; traffic goes on, a proxy starts cold, and the kill switch works."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.support.load import Connection, Load, get

ROUTE = "users-get"


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        async with tell.step("a route is served by new"):
            await system.define()
            await system.flip(ROUTE, stage="new")
            assert await _side(system) == "new"
        async with tell.step("the control plane is killed and traffic goes on") as figures:
            make = lambda number: get(f"/api/users/{number % 200 + 1}", system.host)  # noqa: E731
            async with Load(system.facade, make, connections=2, pause=0.005) as load:
                await load.answered(20)
                await system.end("control plane", signal.SIGKILL)
                await load.answered(100)
                tally = await load.stop()
            figures |= {"answered": tally.answered, "lost": sum(tally.lost.values())}
            assert not tally.lost, tally.lost
            assert set(tally.statuses) == {200}, tally.statuses
            assert await _side(system) == "new"
        async with tell.step("the proxy starts cold without the control plane") as figures:
            await system.end("proxy")
            begun = time.perf_counter()
            await system.restart_proxy()
            figures["ready_ms"] = round((time.perf_counter() - begun) * 1000)
            assert await _side(system) == "new"
        async with tell.step("the kill switch by file takes effect within a second") as figures:
            kill = system.state / "proxy" / "kill"
            kill.touch()
            figures["effect_ms"] = await _until_side(system, "legacy")
            assert figures["effect_ms"] < 1_000
        async with tell.step("and is taken back the same way") as figures:
            kill.unlink()
            figures["effect_ms"] = await _until_side(system, "new")


async def _side(system: System) -> str:
    connection = await Connection.open(system.facade)
    reply = await connection.ask(get("/api/users/17", system.host))
    connection.close()
    assert reply.status == 200, reply
    return "legacy" if reply.header(b"server") == b"Wayfarer/2.9" else "new"


async def _until_side(system: System, side: str) -> int:
    """Milliseconds until ten new connections in a row, over both workers, meet `side`."""
    begun = time.perf_counter()
    async with asyncio.timeout(10):
        row, first = 0, 0.0
        while row < 10:
            if await _side(system) == side:
                row += 1
                first = first or time.perf_counter()
            else:
                row, first = 0, 0.0
    return round((first - begun) * 1000)
