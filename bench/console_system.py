"""What the benchmark of the console runs: a filled database, a control plane, proxies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import console_fill as data
from bench.console_fill import Size, route_id
from bench.measure import use
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.processes import Group, answers, python_module
from tests.support import postgres

PROXIES = 3
REPORT_S = 2.0
ACK_S = 5.0
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A running control plane over a filled database."""

    database: str
    url: str
    key: str
    pid: int
    size: Size


# -- starting ----------------------------------------------------------------------------------


@contextmanager
def empty(kind: str, home: Path) -> Iterator[str]:
    """An empty database of a kind; its URL."""
    if kind == "sqlite":
        yield f"sqlite:///{home}/figway.sqlite3"
        return
    # The tests' server gives durability away; this one is to cost what a real one does.
    options = ("fsync=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=8GB")
    with postgres.server(options) as server, postgres.database(server) as url:
        yield url


@asynccontextmanager
async def control_plane(kind: str, database: str, home: Path, size: Size) -> AsyncIterator[Target]:
    """Fill a database, and start the control plane over it."""
    say(f"{kind}: filling")
    filled = await data.fill(database, size)
    say(f"{kind}: {filled['rows']} in {filled['seconds']} s")
    address = f"{LOOPBACK}:{free_port(0)}"
    settings = {
        "FIGWAY_DATABASE_URL": database,
        "FIGWAY_ADMIN_LISTEN": address,
        "FIGWAY_STATE_DIR": str(home),
        "FIGWAY_KEEP_EXAMPLE_MEGABYTES": "16000",
        "FIGWAY_LOG_LEVEL": "warning",
    }
    async with Group(home / "logs") as group:
        child = await group.start(
            "control",
            python_module("control_plane"),
            env={**os.environ, **settings},
            ready=answers(f"http://{address}/live"),
        )
        assert child.process is not None
        yield Target(kind, f"http://{address}", filled["key"], child.process.pid, size)


async def log_in(target: Target, stack: AsyncExitStack) -> httpx.AsyncClient:
    """A browser with a session; it may use the API too."""
    client = await stack.enter_async_context(
        httpx.AsyncClient(
            base_url=target.url, timeout=60, headers={"Authorization": f"Bearer {target.key}"}
        )
    )
    answer = await client.post("/console/login", data={"key": target.key})
    assert answer.status_code == 303, answer.text
    return client


# -- proxies -----------------------------------------------------------------------------------


class Proxies:
    """Three proxies, and their shadow workers, as far as the control plane hears of them.

    Each report names a third of the routes, so that each proxy names all of them in six seconds.
    """

    def __init__(self, target: Target, client: httpx.AsyncClient) -> None:
        self._target = target
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Proxies:
        current = (await self._client.get("/api/v1/table")).json()
        for number in range(PROXIES):
            for work, seconds in ((self._report, REPORT_S), (self._compare, REPORT_S)):
                self._tasks.append(asyncio.create_task(self._every(work, seconds, number)))
            self._tasks.append(asyncio.create_task(self._acks(number, current)))
        await asyncio.sleep(ACK_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for error in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(error, Exception):
                raise error

    async def _every(self, work: Any, seconds: float, number: int) -> None:
        await asyncio.sleep(number * seconds / PROXIES)
        turn = 0
        begun = time.monotonic()
        while True:
            turn += 1
            path, body = work(number, turn)
            answer = await self._client.post(f"/api/v1{path}", json=body)
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(max(0.0, begun + turn * seconds - time.monotonic()))

    def _report(self, number: int, turn: int) -> tuple[str, Row]:
        now = int(time.time() * 1_000)
        chosen = range(turn % 3, self._target.size.routes, 3)
        latency = {str(60 + step): 2 + step % 3 for step in range(12)}
        series = [
            {"route": route_id(n), "side": side, "backend": backend, "requests": 30,
             "statuses": {"2xx": 29, "4xx": 1}, "latency": latency, "request_bytes": 9_000,
             "response_bytes": 90_000}
            for n in chosen for side, backend in data.sides(n)
        ]  # fmt: skip
        return "/reports", {**self._frame(number, turn, now), "series": series}

    def _compare(self, number: int, turn: int) -> tuple[str, Row]:
        now = int(time.time() * 1_000)
        chosen = data.compared(self._target.size)
        routes = [
            {"route": route_id(chosen[(turn * 20 + i) % len(chosen)]), "window": data.WINDOW,
             "revision": 2, "captured": 2, "verdicts": {"match": 2},
             "latency": {"legacy": {"70": 2}, "new": {"66": 2}}}
            for i in range(20)
        ]  # fmt: skip
        return "/comparisons/batches", {**self._frame(number, turn, now), "routes": routes}

    def _frame(self, number: int, turn: int, now: int) -> Row:
        return {"instance": f"p{number}", "boot": f"b{number}-{self._boot}", "sequence": turn,
                "from_ms": now - 2_000, "to_ms": now}  # fmt: skip

    @property
    def _boot(self) -> int:
        return id(self)

    async def _acks(self, number: int, current: Row) -> None:
        while True:
            workers = [{"id": n, "revision": current["revision"]} for n in range(2)]
            body = {"instance": f"p{number}", "boot": f"b{number}", "workers": workers,
                    "revision": current["revision"], "etag": current["etag"]}  # fmt: skip
            await self._client.post("/api/v1/fleet/acks", json=body)
            await asyncio.sleep(ACK_S)


# -- clocks


async def share(target: Target, seconds: float) -> float:
    """The share of a core that the control plane takes for a while."""
    before, begun = use(target.pid).cpu_us, time.monotonic()
    await asyncio.sleep(seconds)
    return (use(target.pid).cpu_us - before) / 1e6 / (time.monotonic() - begun)


def spent_ms(pid: int) -> float:
    """Processor time of a process's threads so far, finer than ticks where the kernel says it."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, ValueError):
            continue
    return total / 1e6 if total else use(pid).cpu_us / 1_000


def say(line: str) -> None:
    """Progress, beside the figures."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
