"""What a shadow costs those who are served: latency beside broken sides, and processor time.

Prints one JSON object:

- `served`: p50, p99 (milliseconds) and error share of the served side, by what the shadow side
  does: `none` (the route copies nothing), `fine`, `hung`, `refusing`, `failing` (500), `huge`
  (64 MB). All in one run, in blocks that take turns, each at the same fixed rate; `none_again` is a
  second series without a shadow, which tells how far two equal series lie apart on this machine.
- `cpu_us`: processor time of the serving worker a request, user and system, at a sample of 0 %
  and of 100 %, in blocks that take turns; `ratio` is what the sampling adds, as a share.

Run it as `python -m bench.shadow [--rounds N] [--block N] [--rate N] [--cpu-rounds N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvloop

from figway.model.backend import Backend
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.support.children import children
from tests.support.fleet import Proxy
from tests.support.load import Connection, get
from tests.support.shadow_world import ShadowControl

BODY = json.dumps({"items": [{"id": n, "name": f"item {n}", "price": 9.5} for n in range(20)]})
HEAD = "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
FINE = (HEAD.format(200, len(BODY)) + BODY).encode()
FAILING = HEAD.format(500, 0).encode()
HUGE = HEAD.format(200, 64 << 20).encode() + bytes(1 << 20)
SIDES = ("none", "hung", "refusing", "none_again", "failing", "huge", "fine")
REQUEST = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: application/json, text/plain, */*",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Cookie: session=0123456789abcdef0123456789abcdef; figway_id=0123456789abcdef",
)


class Origin(asyncio.Protocol):
    """Answers every request head in one way."""

    answer: bytes | None = FINE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.answer is not None:
            self.transport.write(self.answer * data.count(b"\r\n\r\n"))


async def serve(kind: str, legacy: bool) -> None:
    """Be a backend: print the port, answer until killed."""
    answers = {"fine": FINE, "hung": None, "failing": FAILING, "huge": HUGE}
    Origin.answer = answers[kind]
    if not legacy:
        os.nice(10)  # it stands for another machine: its own work is not what is measured
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def origin(name: str, kind: str) -> tuple[subprocess.Popen[str], str]:
    """A backend as a process, and its URL."""
    command = [sys.executable, "-m", "bench.shadow", "--origin", kind, "--name", name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"


def table(urls: dict[str, str]) -> Table:
    """A route a kind of shadow side."""
    backends = {"legacy": Backend(id="legacy", side=Side.LEGACY, url=urls["legacy"])}
    routes = {}
    for kind in SIDES:
        backends[kind] = Backend(id=kind, side=Side.NEW, url=urls[kind])
        stage = Stage.LEGACY if kind.startswith("none") else Stage.SHADOW
        match = RouteMatch(path=f"/{kind}/**")
        routes[kind] = Route(id=kind, match=match, new=kind, stage=stage)
    return Table(
        default_backend="legacy",
        backends=MappingProxyType(backends),
        routes=MappingProxyType(routes),
    )


class Block:
    """Requests to one route, counted and timed."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.errors = 0

    async def run(self, url: str, path: str, number: int, rate: float, connections: int) -> None:
        """`number` requests at `rate` a second (0: as fast as it goes)."""
        began = time.perf_counter()
        numbers = iter(range(number))

        async def one() -> None:
            connection = await Connection.open(url)
            for n in numbers:
                if rate and (wait := began + n / rate - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                asked = time.perf_counter()
                reply = await connection.ask(get(f"{path}{n % 100}", "shop.example", *REQUEST))
                self.milliseconds.append((time.perf_counter() - asked) * 1_000)
                self.errors += reply.status != 200
            connection.close()

        await asyncio.gather(*(one() for _ in range(connections)))

    def data(self) -> dict[str, Any]:
        """p50, p99 and the share of errors."""
        ordered = sorted(self.milliseconds)
        return {
            "requests": len(ordered),
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
            "error_share": round(self.errors / len(ordered), 5),
        }


def cpu_s(pid: int) -> float:
    """Time that all threads of a process were on a processor, exact to the nanosecond."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


async def served(proxy: Proxy, options: argparse.Namespace) -> dict[str, Any]:
    """Latency by what the shadow side does."""
    found = {kind: Block() for kind in SIDES}
    for kind in SIDES:  # connections, first tables, imports: not what is measured
        await Block().run(proxy.facade, f"/{kind}/", 100, options.rate, 4)
    for _ in range(options.rounds):
        for kind, block in found.items():
            await block.run(proxy.facade, f"/{kind}/", options.block, options.rate, 4)
            await asyncio.sleep(0.2)
    return {kind: block.data() for kind, block in found.items()}


async def cpu(proxy: Proxy, options: argparse.Namespace) -> dict[str, Any]:
    """Processor time of the serving worker a request, without a copy and with one of each."""
    (pid,) = children(proxy, "proxy.processes.worker")
    spent: dict[str, list[float]] = {"none": [], "fine": []}
    number = options.cpu_block
    for _ in range(options.cpu_rounds):
        for kind, found in spent.items():
            before = cpu_s(pid)
            await Block().run(proxy.facade, f"/{kind}/", number, options.cpu_rate, 8)
            await asyncio.sleep(0.15)
            found.append((cpu_s(pid) - before) / number * 1e6)
    plain, copied = (statistics.median(found) for found in spent.values())
    ratios = [two / one - 1 for one, two in zip(*spent.values(), strict=True)]
    return {
        "sample_0": round(plain, 1),
        "sample_100": round(copied, 1),
        "ratio": round(copied / plain - 1, 3),
        "ratio_of_neighbours": round(statistics.median(ratios), 3),
        "blocks": {kind: [round(value, 1) for value in found] for kind, found in spent.items()},
    }


async def main(options: argparse.Namespace) -> None:
    """Run both parts."""
    processes, urls = [], {}
    for name, kind in (
        *(("legacy", "fine"), ("none", "fine"), ("none_again", "fine"), ("fine", "fine")),
        *(("hung", "hung"), ("failing", "failing"), ("huge", "huge")),
    ):
        process, urls[name] = origin(name, kind)
        processes.append(process)
    urls["refusing"] = "http://127.0.0.1:9"
    control = ShadowControl(table(urls))
    await control.start()
    with tempfile.TemporaryDirectory() as directory:
        settings = {"control_url": control.url, "control_key": "proxy-key", "log_sample": "0"}
        proxy = Proxy(Path(directory), **settings, workers="1", shadow_timeout_s="2")
        try:
            await proxy.start()
            found = {
                "served": await served(proxy, options),
                "cpu_us": await cpu(proxy, options),
            }
            await proxy.stop()
            batches = control.batches
            found["accounts"] = {
                "captured": batches.captured,
                "verdicts": dict(batches.verdicts),
                "dropped": dict(batches.dropped),
                "balanced": batches.balanced,
            }
            print(
                json.dumps({"options": vars(options), "cores": os.cpu_count(), **found}, indent=2)
            )
        finally:
            await proxy.destroy()
            control.stop()
            for process in processes:
                process.kill()
                process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--origin", default="")
    parser.add_argument("--name", default="")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--block", type=int, default=600)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--cpu-rate", type=float, default=300.0)
    parser.add_argument("--cpu-block", type=int, default=300)
    parser.add_argument("--cpu-rounds", type=int, default=15)
    given = parser.parse_args()
    uvloop.run(serve(given.origin, given.name == "legacy") if given.origin else main(given))
