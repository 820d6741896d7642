"""Mixed traffic with flips and faults, for minutes or hours: what grows, what was not expected.

    python -m tests.suites.soak.soak --minutes 10

Prints a JSON object every ten seconds (memory, asyncio tasks, descriptors and threads of each
worker) and one at the end: latency quantiles of quiet and of troubled time, every answer that was
not expected, and whether memory, tasks and descriptors stayed flat. Clients also send requests and
leave, and the supervisor or a worker is frozen for seconds. At the end the proxy must stop by
itself. Legacy, new and the clients live in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import psutil

from figway.model.change import flip
from figway.model.table import Stage
from tests.suites.faults.arena import HOST, Arena, Fault, Request, arena
from tests.suites.soak.leavers import Leavers, freeze
from tests.support.load import Closed, Connection, get, post
from tests.support.peer import Peer

EVERY_S = 10.0
QUIET_S, TROUBLE_S = 6.0, 4.0
FREEZE_EVERY_S = 15.0
FREEZE_WORKER_S = 1.5
"""Within the time that a worker may be silent before the proxy says that it is unready."""
FREEZE_SUPERVISOR_S = 5.0
FLAT_MB = 24.0
FLAT_TASKS = 8
FLAT_DESCRIPTORS = 48  # clients and pooled connections come and go
PATIENCE_MS = 2_000  # clients and both sides share one process, which may stall


async def hang(peer: Peer, request: Request) -> bool:
    await peer.hang()
    return False


async def reset(peer: Peer, request: Request) -> bool:
    peer.reset()
    return False


async def garbage(peer: Peer, request: Request) -> bool:
    await peer.say(b"\x00 garbage \r\n\r\n")
    return False


async def half(peer: Peer, request: Request) -> bool:
    await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    return False


async def unavailable(peer: Peer, request: Request) -> None:
    await peer.say(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n")


async def closing(peer: Peer, request: Request) -> bool:
    await peer.answer(b"new")
    return False


FAULTS: tuple[Fault, ...] = (hang, reset, garbage, half, unavailable, closing)


@dataclass(slots=True)
class Tally:
    """What clients saw."""

    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    quiet: list[float] = field(default_factory=list)
    troubled: list[float] = field(default_factory=list)


class Soak:
    """Traffic, flips, faults and samples around one arena."""

    def __init__(self, ring: Arena, seconds: float) -> None:
        self._ring = ring
        self._ends = time.monotonic() + seconds
        self._trouble = ""
        self._calm_since = time.monotonic()
        self._worker_frozen = False
        self.leavers = Leavers(ring)
        self.frozen = 0
        self._numbers = itertools.count()
        self._random = Random(1)
        self.tally = Tally()
        self.samples: list[dict[str, Any]] = []

    @property
    def _over(self) -> bool:
        return time.monotonic() >= self._ends

    async def run(self) -> None:
        """All of it, until the time is over."""
        async with self.leavers.running(), asyncio.TaskGroup() as tasks:
            for _ in range(12):
                tasks.create_task(self._client())
            tasks.create_task(self._flips())
            tasks.create_task(self._faults())
            tasks.create_task(self._freezes())
            tasks.create_task(self._watch())

    async def _client(self) -> None:
        link: Connection | None = None
        while not self._over:
            if link is None or not link.open_still or self._random.random() < 0.02:
                if link is not None:
                    link.close()
                link = await Connection.open(self._ring.proxy.facade)
            kind, data = self._request()
            status, begun = "", time.perf_counter()
            try:
                status = str((await link.ask(data)).status)
            except Closed as closed:
                status = "cut" if closed.started else "closed"
            except OSError:
                status = "cut"
            self._count(kind, status, (time.perf_counter() - begun) * 1_000)
            await asyncio.sleep(self._random.random() * 0.06)
        if link is not None:
            link.close()

    def _request(self) -> tuple[str, bytes]:
        number = next(self._numbers)
        kind = ("read", "read", "own", "write", "read", "own", "own", "upload")[number % 8]
        if kind == "own":
            return kind, get(f"/other/{number}", HOST)
        if kind == "read":
            return kind, get(f"/moved/{number}", HOST)
        size = 20 if kind == "write" else 150_000
        return kind, post(f"/moved/{number}", HOST, b"x" * size)

    def _count(self, kind: str, status: str, ms: float) -> None:
        tally = self.tally
        tally.sent += 1
        tally.statuses[f"{kind} {status}"] += 1
        calm = not self._trouble and time.monotonic() - self._calm_since > 3.0
        (tally.quiet if calm and not self._worker_frozen else tally.troubled).append(ms)
        if status == "200":
            return
        # In trouble a write may fail, and so may an answer that has begun; a read may not.
        allowed = set() if calm or kind == "own" else {"cut"}
        if kind in ("write", "upload") and not calm:
            allowed |= {"502", "503", "504", "closed"}
        if status not in allowed:
            tally.unexpected[f"{kind} {status}, trouble: {self._trouble or 'none'}"] += 1

    async def _flips(self) -> None:
        stages = itertools.cycle((Stage.NEW, Stage.NEW, Stage.CANARY, Stage.LEGACY))
        control = self._ring.control
        while not self._over:
            await asyncio.sleep(0.5)
            route = flip(control.table.routes["moved"], stage=next(stages), weight=5_000)
            routes = {**control.table.routes, "moved": route}
            control.publish(replace(control.table, routes=routes))

    async def _faults(self) -> None:
        faults: Iterator[Fault] = itertools.cycle(FAULTS)
        while not self._over:
            await asyncio.sleep(QUIET_S)
            fault = next(faults)
            self._trouble = getattr(fault, "__name__", "fault")
            self._ring.new.fault = fault
            await asyncio.sleep(TROUBLE_S)
            self._ring.new.fault, self._trouble = None, ""
            self._calm_since = time.monotonic()

    async def _freezes(self) -> None:
        """The supervisor and a worker by turns; both wake before anybody gives them up."""
        for supervisor in itertools.cycle((False, True)):
            await asyncio.sleep(FREEZE_EVERY_S)
            if self._over:
                return
            self.frozen += 1
            if supervisor:
                await freeze(self._ring.proxy.process.pid, FREEZE_SUPERVISOR_S)
                continue
            self._worker_frozen = True
            await freeze(self._ring.control.ack["workers"][0]["pid"], FREEZE_WORKER_S)
            self._worker_frozen = False

    async def _watch(self) -> None:
        begun = time.monotonic()
        while not self._over:
            await asyncio.sleep(EVERY_S)
            for party in (self._ring.legacy, self._ring.new):
                party.requests.clear()
            control = self._ring.control
            control.acks[:-1], control.reports[:] = [], []
            self._ring.proxy.lines.clear()
            workers = [psutil.Process(item["pid"]) for item in control.ack["workers"]]
            told = (await self._ring.proxy.inside("/metrics")).text
            sample = {
                "at_s": round(time.monotonic() - begun),
                "sent": self.tally.sent,
                "memory_mb": [round(item.memory_info().rss / 1e6, 1) for item in workers],
                "tasks": gauge(told, "figway_worker_tasks"),
                "descriptors": gauge(told, "figway_worker_descriptors"),
                "threads": [item.num_threads() for item in workers],
                "unexpected": sum(self.tally.unexpected.values()),
            }
            self.samples.append(sample)
            print(json.dumps(sample), flush=True)


def gauge(text: str, name: str) -> list[int]:
    """A metric that each worker has, worker by worker."""
    return [
        int(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{")
    ]


def growth(first: dict[str, Any], last: dict[str, Any], name: str) -> float:
    """How much the worker that grew most grew between two samples."""
    return max((b - a for a, b in zip(first[name], last[name], strict=True)), default=0)


def quantiles(found: list[float]) -> dict[str, float]:
    """The usual ones, in milliseconds."""
    ordered = sorted(found) or [0.0]
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
        for name, share in shares.items()
    }


async def soak(folder: Path, minutes: float) -> dict[str, Any]:
    """Run, and sum up."""
    async with arena(folder, PATIENCE_MS, workers="2", log_sample="0") as ring:
        before = list(ring.control.ack["workers"])
        found = Soak(ring, minutes * 60)
        await found.run()
        await asyncio.sleep(1.5)
        in_step = ring.control.ack["revision"] == ring.control.revision
        same = [item["pid"] for item in before] == [
            item["pid"] for item in ring.control.ack["workers"]
        ]
        exit_code = await ring.proxy.stop()
    tally, samples = found.tally, found.samples
    # The first third warms up: pools, caches, the allocator.
    warm = samples[len(samples) // 3 :] or samples
    grown = growth(warm[0], warm[-1], "memory_mb")
    tasks, descriptors = (growth(warm[0], warm[-1], name) for name in ("tasks", "descriptors"))
    flat = grown < FLAT_MB and tasks < FLAT_TASKS and descriptors < FLAT_DESCRIPTORS
    return {
        "minutes": minutes,
        "requests": tally.sent,
        "answers": dict(sorted(tally.statuses.items())),
        "unexpected": dict(tally.unexpected),
        "quiet_ms": quantiles(tally.quiet),
        "troubled_ms": quantiles(tally.troubled),
        "memory_grown_mb": round(grown, 1),
        "tasks": [warm[0]["tasks"], warm[-1]["tasks"]],
        "descriptors": [warm[0]["descriptors"], warm[-1]["descriptors"]],
        "left_early": found.leavers.left,
        "frozen": found.frozen,
        "exit_code": exit_code,
        "the_same_workers": same,
        "on_the_last_revision": in_step,
        "held": not tally.unexpected and flat and same and in_step and exit_code == 0,
    }


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="figway-soak-") as folder:
        found = asyncio.run(soak(Path(folder), given.minutes))
    print(json.dumps(found, indent=2))
    return int(not found["held"])


if __name__ == "__main__":
    sys.exit(main())
