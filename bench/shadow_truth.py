"""Does the comparison find every seeded difference, and nothing else?

The travel shop and the functions that replace parts of it run as in the demo; every route that only
reads stands in stage `shadow`, and no comparison rule is written. Two phases:

1. The functions answer with their seeded differences (`new_services/differences.toml`). Each
   must be found under its path, as a real difference.
2. The differences are switched off ("the functions are fixed"), which leaves timestamps, UUIDs and
   CSRF tokens. Every mismatch is then a false one.

Prints one JSON object; exits 0 only if both hold. Run it as

    python -m bench.shadow_truth [--pairs 10000] [--rate 150] [--write FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from control_plane import outbound
from tests.suites.story.system import System, running
from tests.support.load import Connection, get
from tests.support.until import until

MOST_FALSE = 0.01
_READS = {
    "users-list": "/api/users?page={page}",
    "users-get": "/api/users/{n}",
    "profile-get": "/api/users/{n}/profile",
    "catalogue-search": "/api/catalogue?page={page}&sort=name",
    "catalogue-hotel": "/api/catalogue/{n}",
    "catalogue-availability": "/api/catalogue/{n}/availability"
    "?from=2027-0{month}-10&to=2027-0{month}-13",
    "catalogue-page": "/hotels/{n}",
    "bookings-list": "/api/bookings?user={n}",
    "bookings-get": "/api/bookings/WF-{booking}",
    "site-login": "/login",
    "site-redirects": "/old-home",
}


class Crowd:
    """Asks for pages at a rate, over a few connections."""

    def __init__(self, system: System, rate: float) -> None:
        self._system = system
        self._rate = rate
        self._chance = random.Random(11)
        self.sent = 0
        self.statuses: Counter[int] = Counter()

    async def ask(self, requests: int) -> None:
        """Send `requests` requests, the routes in turn."""
        connections = 6
        paths = [self._path(number) for number in range(requests)]
        parts = [paths[start::connections] for start in range(connections)]
        await asyncio.gather(*(self._run(part, connections / self._rate) for part in parts))

    def _path(self, number: int) -> str:
        chance = self._chance
        form = list(_READS.values())[number % len(_READS)]
        return form.format(
            n=chance.randint(1, 240),
            page=chance.randint(1, 12),
            month=chance.randint(1, 9),
            booking=100_000 + chance.randint(1, 600),
        )

    async def _run(self, paths: list[str], pause: float) -> None:
        connection = await Connection.open(self._system.facade)
        for path in paths:
            if not connection.open_still:
                connection = await Connection.open(self._system.facade)
            begun = time.perf_counter()
            reply = await connection.ask(get(path, self._system.host))
            self.statuses[reply.status] += 1
            self.sent += 1
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - begun)))
        connection.close()


async def shadow_everything(system: System) -> int:
    """Define the demo's routes and shadow those that only read; the first revision of those."""
    await system.define()
    return await to_shadow(system)


async def to_shadow(system: System) -> int:
    """Put the routes that only read into stage shadow; the first revision of those."""
    flipped = [await system.flip(route, stage="shadow") for route in _READS]
    return int(flipped[0]["revision"])


async def switch(system: System, **differences: bool) -> None:
    """Switch seeded differences of the functions on or off, while they run."""
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.put(f"{system.functions}/host/differences", json=differences)
        answer.raise_for_status()


async def settled(system: System, pairs: int, since: int) -> dict[str, Any]:
    """The overview by route, once every request captured since a revision is accounted for."""
    found: dict[str, Any] = {}

    async def complete() -> bool:
        page = await system.call("GET", "/comparisons/routes", limit=100)
        found.clear()
        found.update({row["route"]: row for row in page["items"] if row["evidence"]})
        windows = [row["evidence"] for row in found.values()]
        if len(windows) < len(_READS) or any(window["revision"] < since for window in windows):
            return False
        captured = sum(window["captured"] for window in windows)
        return captured >= pairs and all(window["pending"] == 0 for window in windows)

    await until(complete, limit_s=120.0)
    return found


def totals(rows: dict[str, Any]) -> dict[str, Any]:
    """What became of the captured requests of all routes."""
    verdicts: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for row in rows.values():
        verdicts.update(row["evidence"]["verdicts"])
        dropped.update(row["evidence"]["dropped"])
    return {
        "captured": sum(row["evidence"]["captured"] for row in rows.values()),
        "verdicts": dict(verdicts),
        "dropped": dict(dropped),
    }


async def real_paths(system: System, route: str) -> dict[str, int]:
    """Paths of a route that stand as real differences, with the pairs that differ there."""
    page = await system.call("GET", f"/comparisons/routes/{route}/fields", limit=1_000)
    return {row["path"]: row["pairs"] for row in page["items"] if row["standing"] == "real"}


def declared() -> list[dict[str, Any]]:
    """The seeded differences that are on by default, from the functions' own table."""
    text = Path("new_services/differences.toml").read_text(encoding="utf-8")
    return [entry for entry in tomllib.loads(text)["difference"] if entry["default"]]


async def run(pairs: int, rate: float) -> dict[str, Any]:
    """Both phases on one system."""
    with tempfile.TemporaryDirectory(prefix="figway-truth-") as folder:
        async with running(Path(folder)) as system:
            since = await shadow_everything(system)
            crowd = Crowd(system, rate)
            await crowd.ask(pairs)
            seeded = totals(await settled(system, pairs, since))
            found = [
                {
                    "difference": entry["name"],
                    "kind": entry["kind"],
                    "route": entry["function"],
                    "paths": {
                        path: count
                        for path, count in (await real_paths(system, entry["function"])).items()
                        if path in entry["paths"]
                    },
                    "missed": sorted(
                        set(entry["paths"]) - set(await real_paths(system, entry["function"]))
                    ),
                }
                for entry in declared()
            ]
            await switch(system, **{"*": False})
            for route in _READS:  # a new window: old pairs say nothing about fixed functions
                await system.flip(route, stage="legacy")
            since = await to_shadow(system)
            await crowd.ask(pairs)
            rows = await settled(system, pairs, since)
            fixed = totals(rows)
            left = {route: await real_paths(system, route) for route in _READS}
    rated = fixed["verdicts"].get("match", 0) + fixed["verdicts"].get("mismatch", 0)
    false = fixed["verdicts"].get("mismatch", 0)
    return {
        "seeded": {"pairs": seeded, "differences": found},
        "fixed": {
            "pairs": fixed,
            "rated": rated,
            "false_mismatches": false,
            "share": round(false / max(1, rated), 5),
            "left": {route: paths for route, paths in left.items() if paths},
        },
        "rules_written": 0,
        "served": {"requests": crowd.sent, "statuses": dict(crowd.statuses)},
        "holds": {
            "every difference found": all(entry["paths"] for entry in found),
            "every path named": not any(entry["missed"] for entry in found),
            "false mismatches under 1 %": rated >= pairs * 0.9 and false <= MOST_FALSE * rated,
        },
    }


def main() -> int:
    """Run, print, and say by the exit code whether it holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.shadow_truth", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs a phase")
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second")
    parser.add_argument("--write", type=Path, help="also write the result there")
    arguments = parser.parse_args()
    result = asyncio.run(run(arguments.pairs, arguments.rate))
    text = json.dumps(result, indent=2)
    sys.stdout.write(text + "\n")
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(text + "\n", encoding="utf-8")
    return 0 if all(result["holds"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
