"""What one request of scenario (a) costs inside the worker, without sockets and without the kernel.

    python -m bench.pipeline [--door native|asgi] [--requests 20000] [--rounds 7] [--profile]

The door, the pipeline and the http upstream run as they are, between two transports that swallow
what is written; the ASGI door with uvicorn's protocol. The fastest round is printed beside the
median, as anything else on the machine only ever adds. `--profile` prints the functions by their
own time.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import platform
import pstats
import statistics
import time
from typing import Any

import uvloop

from bench.control import make_table
from bench.load.heads import browser_heads
from bench.origin import _SMALL as ANSWER
from figway.model.backend import Backend
from figway.routing.compile import compile_table
from proxy.doors.server import NativeDoor
from proxy.doors.uvicorn import UvicornDoor
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.write_batcher import WriteBatcher
from proxy.request.runtime import Runtime
from proxy.telemetry.recorder import WorkerRecorder
from proxy.upstreams.connection import Connection
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Upstream

CLIENTS = 64


class Wire:
    """A transport that swallows. `peer` is the protocol at this end."""

    def __init__(self, asked: list[Wire] | None = None) -> None:
        self.asked = asked
        self.peer: Any = None
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.asked is not None:
            self.asked.append(self)

    def writelines(self, pieces: Any) -> None:
        self.write(b"")

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 4711) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return True

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.peer.connection_lost(None)

    close = abort


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Drive the heads through, round by round."""
    asked: list[Wire] = []

    async def dial(connection: Connection) -> None:
        wire = Wire(asked)
        wire.peer = connection
        connection.connection_made(wire)  # type: ignore[arg-type]

    def open_upstream(backend: Backend) -> Upstream:
        upstream = HttpUpstream(backend, timer)
        upstream.pool._dial = dial
        upstream.pool.refuse_peer = lambda peer: ""
        return upstream

    def report(where: str, error: BaseException) -> None:
        raise error

    timer = DeadlineTimer()
    timer.start()
    spec = {"routes": 200, "split": True, "mirror": False, "legacy": 1, "new": 2}
    runtime = Runtime(
        compile_table(make_table(spec)),
        open_upstream=open_upstream,
        timer=timer,
        recorder=WorkerRecorder(None),
        spawn=lambda work, name: asyncio.get_running_loop().create_task(work),
        report=report,
    )
    door = UvicornDoor(runtime) if options.door == "asgi" else NativeDoor(runtime)
    batcher = door.batcher
    clients: list[Any] = []
    for _ in range(CLIENTS):
        client: Any = door.connection()
        wire = Wire()
        wire.peer = client
        client.connection_made(wire)
        clients.append(client)
    tasks: set[Any] = door.state.tasks if isinstance(door, UvicornDoor) else set()
    heads = browser_heads(options.requests, 200)
    gc.collect()
    gc.freeze()
    times = []
    profile = cProfile.Profile()
    for number in range(options.rounds + 1):  # the first opens the connections
        if options.profile and number:
            profile.enable()
        began = time.process_time()
        for start in range(0, len(heads) - CLIENTS, CLIENTS):
            for client, head in zip(clients, heads[start : start + CLIENTS], strict=True):
                client.data_received(head)
            while len(asked) < CLIENTS:  # noqa: ASYNC110  a connection is being opened
                await asyncio.sleep(0)
            await _answer_all(asked, batcher, tasks)
        times.append((time.process_time() - began) / (len(heads) // CLIENTS * CLIENTS) * 1e6)
        profile.disable()
        await asyncio.sleep(0)
    if options.profile:
        stats = pstats.Stats(profile)
        stats.sort_stats("tottime").print_stats(45)
    timer.stop()
    done = sum(row["requests"] for row in runtime.recorder.take())  # type: ignore[attr-defined]
    await door.close()
    await runtime.close()
    return {
        "python": platform.python_version(),
        "requests": done,
        "us_per_request": round(statistics.median(times[1:]), 2),
        "us_per_request_best": round(min(times[1:]), 2),
    }


async def _answer_all(asked: list[Wire], batcher: WriteBatcher, tasks: set[Any]) -> None:
    wires = asked[:]
    asked.clear()
    for wire in wires:
        wire.peer.data_received(ANSWER)
    while tasks:  # noqa: ASYNC110  the ASGI door's
        await asyncio.sleep(0)
    batcher.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--door", choices=("native", "asgi"), default="native")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    print(json.dumps(uvloop.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
