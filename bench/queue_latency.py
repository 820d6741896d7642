"""What the facade itself adds to a message: a queue that answers at once, three processes.

    python -m bench.queue_latency [--requests 5000] [--rates 250,500,1000] [--queue URL]

The same client sends the same requests twice, at a steady rate (open loop; a latency counts from
the moment at which a request was due): once to the facade, and once straight to the queue, as the
SendMessage that the facade makes of them, but for a valid signature. The difference is the
facade's. The queue, of this file, reads SQS's JSON protocol and answers each message at once;
`--queue` names another one, such as moto's. Client and queue share a core, the facade has the
other; where the queue is of this file, the one that is asked straight has the facade's core, so
that what else runs there shows in both. Printed as JSON, a line a rate; `facade_cpu_us` is the
processor time of the facade's process
for a request.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvloop

from bench.measure import use
from bench.queue_burst import table_of

_QUEUE_CORE, _FACADE_CORE = 0, 1
_TAKEN = b'{"MessageId":"11111111-2222-3333-4444-555555555555"}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_TAKEN), _TAKEN)
_POST = (
    b"POST %b HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
    b"Cookie: figway_id=user-7\r\n%bContent-Length: %d\r\n\r\n%b"
)


_URL = "http://127.0.0.1:{}/123456789012/burst.fifo"
_CALL = (
    b"X-Amz-Target: AmazonSQS.SendMessage\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20260101/"
    b"eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=x\r\n"
)


class Queue(asyncio.Protocol):
    """Answers every request as soon as its body is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            size = int(self.buffer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            self.transport.write(_ANSWER)


async def serve_queue() -> None:
    """The queue as a process: prints its port, and answers until its input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Queue, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def serve_facade(queue_url: str) -> None:
    """One worker's facade as a process: prints its port, and serves until its input closes."""
    from proxy.request.runtime import FacadeSettings
    from tests.support.wire import Facade

    facade = Facade("native", table_of(queue_url), FacadeSettings())
    gc.freeze()  # as a worker does: a collection that walks all modules takes 20 ms
    print(facade.port, flush=True)
    sys.stdin.read()
    facade.stop()


class Child:
    """One of the two as a process on a core of its own, and its port."""

    def __init__(self, core: int, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.queue_latency", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        with suppress(OSError):
            os.sched_setaffinity(self.pid, {core})
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)


@dataclass
class Seen:
    """Latencies in milliseconds, and how many answers were the expected one."""

    times: list[float]
    good: int = 0

    def at(self, share: float) -> float:
        """The latency that `share` of the requests stayed below."""
        times = sorted(self.times)
        return round(times[min(len(times) - 1, int(len(times) * share))], 2)


class Load:
    """Requests at a steady rate over kept connections, as many as it takes."""

    def __init__(self, port: int, request: bytes, status: bytes) -> None:
        self._port = port
        self._request = request
        self._status = status
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def run(self, requests: int, rate: float) -> Seen:
        """`requests` of them, one every `1 / rate` seconds, whatever becomes of those before."""
        seen = Seen([])
        began = time.perf_counter() + 0.01
        running = set[asyncio.Task[None]]()
        for number in range(requests):
            due = began + number / rate
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            task = asyncio.get_running_loop().create_task(self._one(due, seen))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
        return seen

    async def _one(self, due: float, seen: Seen) -> None:
        pair = self._idle.pop() if self._idle else None
        reader, writer = pair or await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        seen.times.append((time.perf_counter() - due) * 1_000)
        seen.good += head.split(b" ", 2)[1] == self._status
        self._idle.append((reader, writer))


def direct_request(queue_url: str) -> bytes:
    """The SendMessage that the facade makes of a request, but for the signature."""
    headers = {"host": "shop.example", "content-type": "application/json"}
    message = {
        "id": "0" * 32,
        "route": "jobs",
        "method": "POST",
        "target": "/jobs",
        "variables": {},
        "headers": headers | {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http"},
        "body": '{"hotel": 7, "format": "pdf"}',
        "isBase64Encoded": False,
    }
    fields = {"MessageGroupId": "g", "MessageDeduplicationId": "0" * 32}
    data = {"QueueUrl": queue_url, "MessageBody": json.dumps(message), **fields}
    body = json.dumps(data).encode()
    return _POST % (b"/", _CALL, len(body), body)


async def measure(facade: Child, queue_url: str, requests: int, rate: float) -> dict[str, object]:
    """The figures at one rate."""
    body = b'{"hotel": 7, "format": "pdf"}'
    through = Load(facade.port, _POST % (b"/jobs", b"", len(body), body), b"202")
    direct = Load(urlsplit(queue_url).port or 80, direct_request(queue_url), b"200")
    await through.run(min(500, requests), min(rate, 250))
    await direct.run(min(500, requests), min(rate, 250))
    plain = await direct.run(requests, rate)
    before = use(facade.pid).cpu_us
    seen = await through.run(requests, rate)
    spent = use(facade.pid).cpu_us - before
    return {
        "rate": rate,
        "requests": requests,
        "accepted": seen.good,
        "taken": plain.good,
        "facade_p50_ms": seen.at(0.5),
        "facade_p99_ms": seen.at(0.99),
        "direct_p50_ms": plain.at(0.5),
        "direct_p99_ms": plain.at(0.99),
        "facade_cpu_us": round(spent / requests, 1),
    }


def main() -> int:
    """Run as a command, and as its own two children."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("role", nargs="?", default="client", choices=("client", "queue", "facade"))
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--rates", default="250,500,1000", help="requests a second")
    parser.add_argument("--queue", default="", help="URL of another queue")
    given = parser.parse_args()
    if given.role == "queue":
        uvloop.run(serve_queue())
        return 0
    if given.role == "facade":
        serve_facade(given.queue)
        return 0
    with ExitStack() as stack:
        url = straight = given.queue
        if not url:
            port = stack.enter_context(Child(_QUEUE_CORE, "queue")).port
            url = _URL.format(port)
            straight = _URL.format(stack.enter_context(Child(_FACADE_CORE, "queue")).port)
        facade = stack.enter_context(Child(_FACADE_CORE, "facade", "--queue", url))
        os.sched_setaffinity(0, {_QUEUE_CORE})
        whole = True
        for rate in given.rates.split(","):
            row = uvloop.run(measure(facade, straight, given.requests, float(rate)))
            print(json.dumps(row), flush=True)
            whole = whole and row["accepted"] == given.requests
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
