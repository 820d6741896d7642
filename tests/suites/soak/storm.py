"""A storm of flips under load: no request is lost, and every worker ends on the last revision.

Meanwhile clients send requests and leave, and the supervisor is frozen for a while; at the end the
proxy must stop by itself.

    python -m tests.suites.soak.storm [--seconds 30] [--rate 50]

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from figway.model.change import flip
from figway.model.table import Stage
from tests.suites.faults.arena import HOST, arena
from tests.suites.soak.leavers import Leavers, freeze
from tests.support.load import Load, get, post
from tests.support.until import until

STAGES = (Stage.LEGACY, Stage.NEW, Stage.CANARY)


def request(number: int) -> bytes:
    """Reads, and every fourth a write."""
    if number % 4 == 0:
        return post(f"/moved/{number}", HOST, b'{"n":1}')
    return get(f"/moved/{number}", HOST)


async def storm(folder: Path, seconds: float, rate: int, workers: int = 2) -> dict[str, Any]:
    """Flip `rate` times a second for some seconds, under load."""
    async with arena(folder, workers=str(workers), log_sample="0") as ring:
        control = ring.control
        async with (
            Leavers(ring).running() as leavers,
            Load(ring.proxy.facade, request, connections=12, pause=0.02) as load,
        ):
            await load.answered(100)
            frozen = asyncio.create_task(freeze(ring.proxy.process.pid, seconds / 4))
            begun, flips, last = time.perf_counter(), 0, Stage.NEW
            while (now := time.perf_counter() - begun) < seconds:
                if flips < now * rate:
                    last = STAGES[flips % 3]
                    route = flip(control.table.routes["moved"], stage=last, weight=flips % 10_000)
                    control.publish(
                        replace(control.table, routes={**control.table.routes, "moved": route})
                    )
                    flips += 1
                await asyncio.sleep(0.004)
            await frozen
            ended = time.perf_counter()
            await until(lambda: control.ack["revision"] == control.revision, "the last revision")
            took = time.perf_counter() - ended
            await load.answered(100)
            tally = await load.stop()
        served = [(item["revision"], item["etag"]) for item in control.ack["workers"]]
        executed = [
            request.path
            for request in [*ring.legacy.requests, *ring.new.requests]
            if request.method == "POST"
        ]
        exit_code = await ring.proxy.stop()
    return {
        "seconds": seconds,
        "flips": flips,
        "requests": tally.sent,
        "statuses": dict(tally.statuses),
        "lost": dict(tally.lost),
        "refused": tally.refused,
        "left_early": leavers.left,
        "exit_code": exit_code,
        "writes_executed_twice": len(executed) - len(set(executed)),
        "workers_on_the_last_revision": served.count((control.revision, control.etag)),
        "last_revision_after_ms": round(took * 1_000, 1),
        "p99_ms": round(tally.quantile(0.99), 1),
        "slowest_ms": round(tally.quantile(1.0), 1),
        "held": exit_code == 0
        and not tally.lost
        and not tally.refused
        and set(tally.statuses) == {200}
        and len(executed) == len(set(executed))
        and served == [(control.revision, control.etag)] * workers,
    }


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="figway-storm-") as folder:
        found = asyncio.run(storm(Path(folder), given.seconds, given.rate))
    print(json.dumps(found, indent=2))
    return int(not found["held"])


if __name__ == "__main__":
    sys.exit(main())
