"""New dies on a fully migrated route: whether every read is still answered, rate by rate.

    python -m bench.outage_rates [--json FILE] [--strict]

Real processes, all defaults, two workers. Legacy carries reads at a steady rate for some seconds,
the route moves to new whole, new is killed (refuses) or stopped (hangs), and reads go on. Once on
one connection, as a balancer or a client of one's own would, once on several. The promise: no read
fails as long as legacy stays within what it carried before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.suites.faults.journals import Backend as Process
from tests.support.fleet import FakeControl, Proxy
from tests.support.load import Closed, Connection, get
from tests.support.until import until

HOST = "shop.example"
RATES = (7, 50, 200)
READ = get("/moved/x", HOST)
HANG_LIMIT_S = 25.0


@dataclass(frozen=True, slots=True)
class Case:
    """One experiment: reads a second, over how many connections, and how new ends."""

    rate: int
    connections: int
    ends: str = "killed"
    carry_s: float = 8.0
    outage_s: float = 8.0


CASES = tuple(Case(rate, connections) for rate in RATES for connections in (1, 6))


class Reads:
    """Reads at a steady rate, shared by connections, until told to stop."""

    def __init__(self, proxy: Proxy, case: Case) -> None:
        self.statuses: Counter[str] = Counter()
        self._proxy = proxy
        self._case = case
        self._going = True

    async def run(self, seconds: float) -> Counter[str]:
        """The statuses of so many seconds of reads."""
        self.statuses, self._going = Counter(), True
        tasks = [asyncio.ensure_future(self._one(i)) for i in range(self._case.connections)]
        await asyncio.sleep(seconds)
        self._going = False
        await asyncio.wait(tasks, timeout=60)
        return self.statuses

    async def _one(self, number: int) -> None:
        loop, gap = asyncio.get_running_loop(), self._case.connections / self._case.rate
        link = await Connection.open(self._proxy.facade)
        due = loop.time() + gap * number / self._case.connections
        while self._going:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + gap, loop.time() - gap)  # what it fell behind is not made up for
            try:
                reply = await link.ask(READ)
                self.statuses[str(reply.status)] += 1
            except (Closed, OSError):
                self.statuses["lost"] += 1
                link = await Connection.open(self._proxy.facade)
        link.close()


def table(legacy: str, new: str, stage: Stage) -> Table:
    """One route, and every default."""
    route = Route(id="moved", match=RouteMatch(path="/moved/{x}"), stage=stage, new="new")
    backends = {
        "legacy": Backend(id="legacy", side=Side.LEGACY, url=legacy),
        "new": Backend(id="new", side=Side.NEW, url=new),
    }
    return Table(
        default_backend="legacy",
        backends=MappingProxyType(backends),
        routes=MappingProxyType({"moved": route}),
    )


async def experiment(case: Case, folder: Path) -> dict[str, Any]:
    """Run one case. What clients saw, as JSON."""
    legacy, new = Process("legacy", folder), Process("new", folder)
    await legacy.start()
    await new.start()
    control = FakeControl(table(legacy.url, new.url, Stage.LEGACY))
    await control.start()
    proxy = Proxy(folder, control_url=control.url, control_key="proxy-key")
    try:
        await proxy.start()
        reads = Reads(proxy, case)
        before = dict(await reads.run(case.carry_s))
        control.publish(table(legacy.url, new.url, Stage.NEW))
        await until(lambda: control.ack["etag"] == control.etag, "the route is new's")
        await reads.run(1.5)
        if case.ends == "killed":
            await new.kill()
        else:
            new.signal(signal.SIGSTOP)
        during = dict(await reads.run(case.outage_s))
        return {
            "rate": case.rate,
            "connections": case.connections,
            "new": case.ends,
            "carried": before,
            "outage": during,
            "held": set(during) == {"200"},
        }
    finally:
        if case.ends != "killed":
            new.signal(signal.SIGCONT)
        await proxy.destroy()
        control.stop()
        await legacy.kill()
        await new.kill()


def main() -> int:
    """Run every case; 0 if every read of each was answered, or without `--strict`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--strict", action="store_true")
    given = parser.parse_args()
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="figway-outage-") as folder:
            row = asyncio.run(experiment(case, Path(folder)))
        rows.append(row)
        print(json.dumps(row), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(given.strict and not all(row["held"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
