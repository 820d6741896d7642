"""A burst of writes to a queue route: 202 for all, and a worker that takes its time.

    python -m bench.queue_burst [--requests 5000] [--keys 100] [--rate 200]

Each key's client posts one request after the other; all clients at once. The worker receives at its
own rate. Printed as JSON: the time of the burst, the latency of the 202s, how deep the queue was,
how long the worker went on. Fails unless every request was answered 202, every id came once, and
each key's came in order.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass

from figway.model.backend import AwsResource, Backend, BackendKind
from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from proxy.request.runtime import FacadeSettings
from tests.support.fake_sqs import FakeQueue
from tests.support.wire import Facade


@dataclass(frozen=True, slots=True)
class Burst:
    """What was seen. Times are milliseconds, rates a second."""

    requests: int
    accepted: int
    messages: int
    twice: int
    out_of_order: int
    burst_ms: float
    p50_ms: float
    p99_ms: float
    deepest: int
    drained_ms: float

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing twice, order kept."""
        whole = self.accepted == self.messages == self.requests
        return whole and not self.twice and not self.out_of_order


def table_of(queue_url: str) -> Table:
    """Everything under /jobs goes to the queue; legacy is nowhere."""
    legacy = Backend(id="legacy", side=Side.LEGACY, url="http://127.0.0.1:1")
    queue = Backend(
        id="queue",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        region="eu-west-1",
        aws=AwsResource(resource=queue_url, location="/jobs/{id}"),
    )
    route = Route(
        id="jobs",
        match=RouteMatch(path="/jobs", methods=("POST",)),
        stage=Stage.NEW,
        new="queue",
        fallback=FallbackPolicy(enabled=False),
    )
    return Table(
        default_backend="legacy",
        backends={"legacy": legacy, "queue": queue},
        routes={"jobs": route},
    )


async def client(port: int, key: int, count: int, times: list[float]) -> int:
    """Post `count` numbered requests of one key, one after the other; how many were accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    accepted = 0
    for number in range(count):
        body = b'{"key":%d,"n":%d}' % (key, number)
        began = time.perf_counter()
        writer.write(
            b"POST /jobs HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
            b"Cookie: figway_id=user-%d\r\nContent-Length: %d\r\n\r\n%b" % (key, len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        times.append((time.perf_counter() - began) * 1_000)
        accepted += head.startswith(b"HTTP/1.1 202 ")
    writer.close()
    return accepted


async def drain(queue: FakeQueue, rate: int, done: asyncio.Event) -> list[dict[str, object]]:
    """Receive and delete at `rate` messages a second, until the burst is over and none is left."""
    found = []
    while not (done.is_set() and not queue.waiting):
        for _ in range(max(1, rate // 100)):
            message = queue.receive()
            if message is None:
                break
            found.append(json.loads(message["MessageBody"]))
            queue.delete(message)
        await asyncio.sleep(0.01)
    return found


async def burst(requests: int, keys: int, rate: int) -> Burst:
    """One burst against a facade of one worker."""
    async with FakeQueue() as queue:
        facade = await asyncio.to_thread(Facade, "native", table_of(queue.url), FacadeSettings())
        gc.freeze()  # as a worker does: a collection that walks all modules takes 20 ms
        done, times = asyncio.Event(), list[float]()
        worker = asyncio.get_running_loop().create_task(drain(queue, rate, done))
        began = time.perf_counter()
        each = [requests // keys + (key < requests % keys) for key in range(keys)]
        clients = [client(facade.port, key, count, times) for key, count in enumerate(each)]
        accepted = sum(await asyncio.gather(*clients))
        ended = time.perf_counter()
        done.set()
        messages = await worker
        drained = time.perf_counter()
        await asyncio.to_thread(facade.stop)
    return seen(requests, accepted, messages, times, queue, (began, ended, drained))


def seen(
    requests: int,
    accepted: int,
    messages: list[dict[str, object]],
    times: list[float],
    queue: FakeQueue,
    moments: tuple[float, float, float],
) -> Burst:
    """The figures, and what is wrong with the messages."""
    numbers: dict[object, list[int]] = defaultdict(list)
    for message in messages:
        body = json.loads(str(message["body"]))
        numbers[body["key"]].append(body["n"])
    ids = [str(message["id"]) for message in messages]
    times.sort()
    began, ended, drained = moments
    return Burst(
        requests=requests,
        accepted=accepted,
        messages=len(messages),
        twice=len(ids) - len(set(ids)),
        out_of_order=sum(found != sorted(found) for found in numbers.values()),
        burst_ms=round((ended - began) * 1_000, 1),
        p50_ms=round(times[len(times) // 2], 2),
        p99_ms=round(times[len(times) * 99 // 100], 2),
        deepest=queue.deepest,
        drained_ms=round((drained - ended) * 1_000, 1),
    )


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--keys", type=int, default=100, help="clients at once, one a key")
    parser.add_argument("--rate", type=int, default=200, help="messages a second of the worker")
    given = parser.parse_args()
    found = asyncio.run(burst(given.requests, given.keys, given.rate))
    print(json.dumps(asdict(found) | {"holds": found.holds}))
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
