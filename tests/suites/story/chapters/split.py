"""Weights move only the expected keys, and never one back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from figway.routing.split import bucket
from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.support.load import Connection, get

KEYS = 200
ROUTE = "catalogue-hotel"


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        async with tell.step("the routes are defined"):
            await system.define()
        met: set[str] = set()
        for weight in (100, 2_500, 10_000):
            async with tell.step(f"a weight of {weight / 100:g} % moves just its keys") as figures:
                flipped = await system.flip(ROUTE, weight=weight)
                new = await _served_by_new(system)
                expected = {key for key in _keys() if bucket(b"catalogue", key.encode()) < weight}
                figures |= {
                    "keys": KEYS,
                    "new": len(new),
                    "expected": len(expected),
                    "moved_back": len(met - new),
                    "propagation_ms": flipped["propagation"]["ms"],
                }
                assert new == expected
                assert met <= new
                met = new
        async with tell.step("undo goes back to the weight before") as figures:
            await system.call("POST", "/revisions/undo", {"reason": "back"}, wait="applied")
            new = await _served_by_new(system)
            figures["new"] = len(new)
            assert new == {key for key in _keys() if bucket(b"catalogue", key.encode()) < 2_500}


def _keys() -> list[str]:
    return [f"visitor-{number}" for number in range(KEYS)]


async def _served_by_new(system: System) -> set[str]:
    """The keys that new serves, as end users would tell: legacy alone says who it is."""
    found: set[str] = set()

    async def ask(keys: list[str]) -> None:
        connection = await Connection.open(system.facade)
        for key in keys:
            cookie = f"Cookie: figway_id={key}"
            reply = await connection.ask(get("/api/catalogue/12", system.host, cookie))
            assert reply.status == 200
            if reply.header(b"server") != b"Wayfarer/2.9":
                found.add(key)
        connection.close()

    keys = _keys()
    await asyncio.gather(*(ask(keys[start::4]) for start in range(4)))
    return found
