"""Open-loop load: requests start when they are due, whether or not earlier ones were answered.

    python -m bench.load.open_loop PORT RATE SECONDS ROUTES

Arrivals are Poisson per millisecond. Latency counts from the intended start, so a server that
stalls is charged for everybody who had to wait (no coordinated omission). Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections import deque

import uvloop

from bench.load.heads import browser_heads

CONNECTIONS = 64
_END = b"\r\n\r\n"


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: OpenLoop) -> None:
        self.load = load
        self.intended = 0.0
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def ask(self, intended: float) -> None:
        self.intended = intended
        self.left = -1
        self.transport.write(self.load.next_head())

    def data_received(self, data: bytes) -> None:
        if self.left < 0:
            end = data.find(_END)
            lowered = data[:end].lower()
            at = lowered.find(b"content-length: ") + 16
            if data[9:12] != b"200" or end < 0 or at < 16:
                self.load.errors += 1
            stop = lowered.find(b"\r", at)
            self.left = int(lowered[at : stop if stop > 0 else end]) + end + 4
        self.left -= len(data)
        if self.left <= 0:
            self.load.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.left > 0 or not self.load.over:
            self.load.errors += 1


class OpenLoop:
    """The schedule and what came of it."""

    def __init__(self, rate: float, seconds: float, routes: int) -> None:
        self.rate = rate
        self.seconds = seconds
        self.heads = browser_heads(20_000, routes)
        self.at = 0
        self.idle: list[Client] = []
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.errors = 0
        self.late = 0.0
        self.over = False

    def next_head(self) -> bytes:
        self.at = (self.at + 1) % len(self.heads)
        return self.heads[self.at]

    def answered(self, client: Client) -> None:
        self.latencies.append(time.perf_counter() - client.intended)
        if self.waiting:
            client.ask(self.waiting.popleft())
        else:
            self.idle.append(client)

    def arrive(self, intended: float) -> None:
        if self.idle:
            self.idle.pop().ask(intended)
        else:
            self.waiting.append(intended)

    async def run(self, port: int) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, client = await loop.create_connection(lambda: Client(self), "127.0.0.1", port)
            self.idle.append(client)
        chance = random.Random(11)
        began = time.perf_counter()
        ticks = int(self.seconds * 1_000)
        sent = 0
        for tick in range(ticks):
            intended = began + tick / 1_000
            wait = intended - time.perf_counter()
            if wait > 0.0005:
                await asyncio.sleep(wait)
            elif tick % 4 == 0:
                await asyncio.sleep(0)
            self.late = max(self.late, time.perf_counter() - intended)
            for _ in range(_poisson(chance, self.rate / 1_000)):
                self.arrive(intended)
                sent += 1
        for _ in range(200):
            if len(self.latencies) >= sent:
                break
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began
        self.over = True
        found = sorted(self.latencies) or [0.0]
        return {
            "requests": len(self.latencies),
            "seconds": took,
            "errors": self.errors + sent - len(self.latencies),
            "p50_ms": found[len(found) // 2] * 1e3,
            "p99_ms": found[len(found) * 99 // 100] * 1e3,
            "max_ms": found[-1] * 1e3,
            "generator_late_ms": self.late * 1e3,
        }


def _poisson(chance: random.Random, mean: float) -> int:
    """A Poisson number (Knuth): few arrivals a millisecond, so the product is short."""
    limit, product, count = math.exp(-mean), 1.0, -1
    while product > limit or count < 0:
        product *= chance.random()
        count += 1
    return count


def main() -> None:
    port, rate, seconds, routes = sys.argv[1:5]
    load = OpenLoop(float(rate), float(seconds), int(routes))
    print("RESULT " + json.dumps(uvloop.run(load.run(int(port)))))


if __name__ == "__main__":
    main()
