"""What a flood of tiny pieces costs everybody else, beside plain bodies of as many octets.

    python -m bench.floods [--door native|asgi] [--rounds 3]

Three floods: bodies in chunks of one byte (8 connections, 600 KB each on the wire), uploads in
chunks of two (300 connections, 70 KB each), and GETs that are pipelined without waiting for answers
(40 connections, 60 KB each). Somebody else asks meanwhile,
again and again on a connection of its own: the slowest of those answers is told in milliseconds,
beside the peak of the facade's resident memory over what it had before, in MB. Facade, flood and
the rest are three processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.control import make_table
from figway.routing.compile import compile_table
from proxy.doors.server import NativeDoor
from proxy.doors.uvicorn import UvicornDoor
from proxy.loop.deadlines import DeadlineTimer
from proxy.request.runtime import Runtime
from proxy.telemetry.recorder import WorkerRecorder
from proxy.upstreams.factory import open_upstream

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET: Final = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED: Final = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS: Final = {
    "chunks": (8, CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"),
    "uploads": (300, CHUNKED + b"2\r\nxx\r\n" * 10_000 + b"0\r\n\r\n"),
    "pipelined": (40, GET * (60_000 // len(GET))),
}
FLOOD_S: Final = 20.0
"""How long a flood may take; what is not answered by then is given up."""


def plain(flood: bytes) -> bytes:
    """As many octets as `flood`, as one plain body."""
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(flood)
    return head + b"x" * len(flood)


async def facade(door_name: str, legacy: int) -> None:
    """Serve until the input ends; the port is printed."""
    timer = DeadlineTimer()
    timer.start()
    spec = {"routes": 0, "split": False, "mirror": False, "legacy": legacy, "new": legacy}

    def report(where: str, error: BaseException) -> None:
        sys.stderr.write(f"{where}: {error}\n")

    runtime = Runtime(
        compile_table(make_table(spec)),
        open_upstream=lambda backend: open_upstream(backend, timer),
        timer=timer,
        recorder=WorkerRecorder(None),
        spawn=lambda work, name: asyncio.get_running_loop().create_task(work),
        report=report,
    )
    door = UvicornDoor(runtime) if door_name == "asgi" else NativeDoor(runtime)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    await door.listen(listener)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await door.close()
    await runtime.close()
    timer.stop()


async def flood(port: int, count: int, data: bytes) -> None:
    """Send `data` over `count` connections at once; until every request has its answer."""
    requests = data.count(b"HTTP/1.1\r\n")

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        answers, tail = 0, b""
        with suppress(OSError):
            while answers < requests and (read := await reader.read(65_536)):
                answers += (tail + read).count(b"HTTP/1.1 200")
                tail = read[-11:]
        writer.close()

    with suppress(TimeoutError):
        async with asyncio.timeout(FLOOD_S):
            await asyncio.gather(*[one() for _ in range(count)])


class Legacy(asyncio.Protocol):
    """Answers each request when its body is there; told apart by the end of a head or body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.held = b""
        self.left = 0
        self.chunked = False

    def data_received(self, data: bytes) -> None:
        self.held += data
        while self._one():
            pass

    def _one(self) -> bool:
        if self.chunked:
            done = self.held.endswith(b"0\r\n\r\n")
            self.held = b"" if done else self.held[-8:]
            if done:
                self.chunked = False
                self.transport.write(OK)
            return False
        if self.left:
            taken = min(self.left, len(self.held))
            self.left, self.held = self.left - taken, self.held[taken:]
            if not self.left:
                self.transport.write(OK)
            return bool(self.held)
        head, end, rest = self.held.partition(b"\r\n\r\n")
        if not end:
            return False
        self.held = rest
        lowered = head.lower()
        self.chunked = b"transfer-encoding" in lowered
        if b"content-length: " in lowered:
            self.left = int(lowered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if not self.chunked and not self.left:
            self.transport.write(OK)
        return True


def memory(pid: int, name: str) -> float:
    """A line of the process's status, in MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.partition(f"{name}:")[2].split()[0]) / 1_024


async def others(port: int, until: asyncio.Event) -> float:
    """The slowest answer that somebody else gets meanwhile, in milliseconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    slowest = 0.0
    while not until.is_set():
        began = time.perf_counter()
        writer.write(GET)
        await reader.readuntil(b"ok")
        slowest = max(slowest, time.perf_counter() - began)
        await asyncio.sleep(0.002)
    writer.close()
    return slowest * 1_000


async def measure(door: str, count: int, data: bytes) -> tuple[float, float]:
    """Slowest answer of others, and memory that the facade needed for it."""
    server = await asyncio.get_running_loop().create_server(Legacy, "127.0.0.1", 0)
    legacy = server.sockets[0].getsockname()[1]
    command = [sys.executable, "-m", "bench.floods", "--door", door]
    child = subprocess.Popen(  # noqa: ASYNC220
        [*command, "--legacy", str(legacy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    port = int(await asyncio.to_thread(child.stdout.readline))
    over = asyncio.Event()
    watch = asyncio.create_task(others(port, over))
    await asyncio.sleep(0.5)
    before = memory(child.pid, "VmRSS")
    sender = await asyncio.create_subprocess_exec(
        *command, "--flood", str(port), "--count", str(count), stdin=asyncio.subprocess.PIPE
    )
    await sender.communicate(data)
    over.set()
    slowest = await watch
    grown = memory(child.pid, "VmHWM") - before
    await asyncio.to_thread(child.communicate, b"")
    server.close()
    return slowest, grown


async def compare(door: str, rounds: int) -> None:
    """Measure each flood beside its plain twin; the median of the rounds."""
    for name, (count, data) in FLOODS.items():
        told: dict[str, object] = {"door": door, "flood": name}
        for kind, octets in (("flood", data), ("plain", plain(data))):
            found = [await measure(door, count, octets) for _ in range(rounds)]
            told[f"{kind}_slowest_ms"] = round(statistics.median([row[0] for row in found]), 1)
            told[f"{kind}_memory_mb"] = round(statistics.median([row[1] for row in found]), 1)
        sys.stdout.write(json.dumps(told) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--door", choices=("native", "asgi"), default="native")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--legacy", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--flood", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.legacy:
        uvloop.run(facade(options.door, options.legacy))
    elif options.flood:
        uvloop.run(flood(options.flood, options.count, sys.stdin.buffer.read()))
    else:
        uvloop.run(compare(options.door, options.rounds))


if __name__ == "__main__":
    main()
