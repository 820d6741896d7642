"""New dies under load and comes back: legacy serves meanwhile, and traffic returns by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from control_plane.cli.processes import Child, said
from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.support.load import Load, Tally, get
from tests.support.until import until

ROUTE = "users-get"
BREAKER = {"min_calls": 10, "open_ms": 2_000, "ramp_ms": 2_000}


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        async with tell.step("a route is served whole by new, under load") as figures:
            await system.define()
            await _sensitive(system)
            await system.flip(ROUTE, stage="new")
            load = Load(system.facade, lambda n: _request(system, n), connections=6, pause=0.03)
            await load.__aenter__()
            await load.answered(600)
            figures |= {"answered": load.tally.answered, "breakers": await _breakers(system)}
            _all_answered(load.tally)
            assert not figures["breakers"]
        try:
            await _fire(tell, system, load)
        finally:
            await load.stop()


async def _fire(tell: Tell, system: System, load: Load) -> None:
    functions = system.group.child("functions")
    async with tell.step("new is killed, and its breakers open") as figures:
        await system.end("functions", signal.SIGKILL)
        begun = time.perf_counter()
        await until(lambda: _states(system, {"open"}))
        figures["opened_ms"] = _since(begun)
        _all_answered(load.tally)
        assert figures["opened_ms"] < 5_000
    async with tell.step("legacy serves its users, and nobody notices") as figures:
        before = (await system.stats()).get(_USER, 0)
        await load.answered(200)
        figures["legacy_served"] = (await system.stats()).get(_USER, 0) - before
        figures["answered"] = load.tally.answered
        _all_answered(load.tally)
        assert figures["legacy_served"] > 0
    async with tell.step("new is started again, and traffic returns by itself") as figures:
        await _start(system, functions)
        begun = time.perf_counter()
        await until(lambda: _states(system, set()), limit_s=30)
        figures["closed_ms"] = _since(begun)
        before = (await system.stats()).get(_USER, 0)
        await load.answered(200)
        figures["legacy_served"] = (await system.stats()).get(_USER, 0) - before
        assert figures["legacy_served"] == 0
    async with tell.step("no request of the whole time was lost or failed") as figures:
        tally = await load.stop()
        figures |= {"answered": tally.answered, "statuses": dict(tally.statuses)}
        _all_answered(tally)


async def _sensitive(system: System) -> None:
    """Give the route a breaker with shorter times, as a story is told in seconds."""
    api, path, change = system.api, f"/routes/{ROUTE}", {"breaker": BREAKER}
    headers = {"if-match": "*"}
    await asyncio.to_thread(api.call, "PATCH", path, change, headers=headers)


def _request(system: System, number: int) -> bytes:
    """One read in twelve is the route's, so that the budget of fallbacks holds it."""
    if number % 12 == 0:
        return get(f"/api/users/{number % 200 + 1}", system.host)
    return get(f"/api/catalogue/{number % 20 + 1}", system.host)


def _all_answered(tally: Tally) -> None:
    assert not tally.lost, tally.lost
    assert set(tally.statuses) == {200}, tally.statuses


async def _breakers(system: System) -> list[str]:
    """The states of the breakers that are not closed, as the control plane knows them."""
    fleet = await system.call("GET", "/fleet")
    return [item["state"] for proxy in fleet["items"] for item in proxy["breakers"]]


async def _states(system: System, wanted: set[str]) -> bool:
    return set(await _breakers(system)) == wanted


async def _start(system: System, functions: Child) -> None:
    await system.group.start("functions", functions.command, ready=said("functions ready on"))


def _since(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1_000)


_USER = "GET /api/users/{id}"
