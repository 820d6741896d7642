"""What a flip takes in a large table: real control plane, real proxy, light load. One JSON object.

    python -m bench.flip [--routes 10000] [--flips 20] [--workers 2]

One route is flipped to new and back with `wait=applied`, while requests come in.
`propagation_ms` is from the flip's commit until the last worker serves it, as the control plane
measured; `flip_ms` is the whole call. After each answer the route is asked over fresh connections:
`wrong_side` counts answers of the other side. `match_ns` is what a match costs in a table of that
size. Exit code 1 if a flip took a second or more, a match 20 microseconds or more, a request was
lost, or a side was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.match import measure
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.client import Api
from control_plane.cli.processes import Group
from control_plane.cli.up import Place, start_figway
from tests.support.load import Connection, Load, Tally, get
from tests.support.sides import side

SHAPES = ("/{id}", "/{id}/items", "/{id}/items/{item}", "/{rest=**}")
MOST_MS = 1_000
MOST_MATCH_NS = 20_000


def table(count: int, legacy: str, new: str) -> dict[str, Any]:
    """A table of `count` routes, all in stage legacy."""
    return {
        "default_backend": "legacy",
        "backends": [
            {"id": "legacy", "side": "legacy", "url": legacy},
            {"id": "new", "side": "new", "url": new},
        ],
        "routes": [
            {"id": f"r{n}", "match": {"path": f"/api/resource-{n}{SHAPES[n % 4]}"}, "new": "new"}
            for n in range(count)
        ],
    }


async def flips(place: Place, key: str, number: int) -> dict[str, Any]:
    """Flip route r0 to and fro; the times, and how often the wrong side answered."""
    api = Api(place.admin, key, timeout=60.0)
    spread, whole, wrong = [], [], 0
    for turn in range(number):
        stage = "new" if turn % 2 == 0 else "legacy"
        body = {"stage": stage, "reason": "bench"}
        begun = time.perf_counter()
        found, _ = await asyncio.to_thread(
            api.call, "POST", "/routes/r0/flip", body,
            query={"wait": "applied", "timeout": 30, "confirm": "exposure"},
            headers={"if-match": "*"},
        )  # fmt: skip
        whole.append((time.perf_counter() - begun) * 1000)
        assert found["propagation"]["applied"], found["propagation"]
        spread.append(float(found["propagation"]["ms"]))
        wrong += await other_sides(place.facade, stage)
        await asyncio.sleep(0.1)
    return {
        "propagation_ms": {"median": statistics.median(spread), "max": max(spread)},
        "flip_ms": {"median": round(statistics.median(whole), 1), "max": round(max(whole), 1)},
        "wrong_side": wrong,
    }


async def other_sides(facade: str, stage: str) -> int:
    """Of some fresh connections, spread over the workers: how many meet another side?"""
    wrong = 0
    for _ in range(6):
        connection = await Connection.open(facade)
        reply = await connection.ask(get("/api/resource-0/7", "bench.example"))
        wrong += reply.header(b"answered-by") != stage.encode()
        connection.close()
    return wrong


async def run(state: Path, legacy: str, new: str, options: argparse.Namespace) -> dict[str, Any]:
    """Start everything, define the table, flip under load."""
    addresses = (f"{LOOPBACK}:{free_port(0)}" for _ in range(3))
    place = Place(state, *addresses)
    async with Group(state / "logs") as group:
        key = await start_figway(group, place, legacy, options.workers)
        api = Api(place.admin, key, timeout=120.0)
        body = json.dumps(table(options.routes, legacy, new)).encode()
        begun = time.perf_counter()
        await asyncio.to_thread(
            api.send_document, "/table/apply", body, "application/json",
            reason="bench", wait="applied", timeout=60, confirm="exposure",
        )  # fmt: skip
        applied = (time.perf_counter() - begun) * 1000

        def request(n: int) -> bytes:
            return get(f"/api/resource-{n * 7_919 % options.routes}/{n}", "bench.example")

        async with Load(place.facade, request, connections=4, pause=0.02) as load:
            found = await flips(place, key, options.flips)
            tally: Tally = await load.stop()
    lost = sum(tally.lost.values()) + tally.refused
    return {
        "routes": options.routes,
        "workers": options.workers,
        "flips": options.flips,
        **found,
        "apply_ms": round(applied, 1),
        "requests": tally.sent,
        "lost": lost,
        "statuses": dict(tally.statuses),
        "p99_ms": round(tally.quantile(0.99), 1),
    }


def main() -> int:
    """Print the figures; 1 if they are not good enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--flips", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, side("legacy") as legacy, side("new") as new:
        found = asyncio.run(run(Path(folder), legacy, new, options))
    found["match_ns"] = measure(options.routes, 3)["match_ns"]
    found["ok"] = (
        found["propagation_ms"]["max"] < MOST_MS
        and found["match_ns"] < MOST_MATCH_NS
        and not found["lost"]
        and not found["wrong_side"]
    )
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
