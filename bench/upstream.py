"""CPU time a request of the http upstream alone: one process asks, another answers.

Prints one JSON object. The time is that of this process, user and system, so the kernel's part of
reading and writing a socket is in it; `floor_us` is what an asyncio.Protocol costs that writes
the same request and counts bytes, without HTTP. Run it as
`python -m bench.upstream [--requests N] [--in-flight N] [--body BYTES] [--post BYTES]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

import uvloop

from figway.message.http import Headers
from figway.model.backend import Backend
from figway.model.words import Side
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.factory import open_upstream
from proxy.upstreams.port import Failure, Upstream
from proxy.wire.message import OutboundRequest, ResponseHead
from proxy.wire.request_head import encode_request_head

HEADERS: Headers = [
    (b"Host", b"shop.example"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"Accept", b"application/json, text/plain, */*"),
    (b"Accept-Language", b"en-GB,en;q=0.7,de;q=0.3"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Cookie", b"session=0123456789abcdef0123456789abcdef; figway_id=0123456789abcdef"),
    (b"Referer", b"https://shop.example/catalogue?page=3"),
    (b"X-Forwarded-For", b"192.0.2.1"),
    (b"X-Forwarded-Host", b"shop.example"),
    (b"X-Forwarded-Proto", b"https"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]


class Origin(asyncio.Protocol):
    """Answers every head, and skips the body of `post` bytes after it."""

    answer = b""
    post = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            if len(self.buffer) < end + 4 + self.post:
                return
            self.buffer = self.buffer[end + 4 + self.post :]
            self.transport.write(self.answer)


def answer_of(body: int) -> bytes:
    """What the origin answers."""
    head = (
        b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
        b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    return head % body + b"x" * body


async def serve(body: int, post: int) -> None:
    """The origin: prints its port and answers until its standard input closes."""
    Origin.post = post
    Origin.answer = answer_of(body)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


class Asker:
    """A sink that asks again as soon as it has its answer."""

    left = 0
    failures = 0
    running = 0
    finished: asyncio.Event

    def __init__(self, upstream: Upstream, post: bytes) -> None:
        self.upstream = upstream
        self.post = post

    def ask(self) -> None:
        cls = type(self)
        if cls.left <= 0:
            cls.running -= 1
            if not cls.running:
                cls.finished.set()
            return
        cls.left -= 1
        post = self.post
        request = OutboundRequest(
            "POST" if post else "GET",
            b"/api/v2/orders/4711?expand=items",
            HEADERS,
            has_body=bool(post),
            content_length=len(post) or None,
        )
        sending = self.upstream.send(request, self)
        if post:
            sending.write(post)
            sending.end()

    def response_informational(self, head: ResponseHead) -> None:
        pass

    def response_head(self, head: ResponseHead) -> None:
        pass

    def response_body(self, data: bytes) -> None:
        pass

    def response_end(self, trailers: Headers) -> None:
        self.ask()

    def response_failed(self, failure: Failure) -> None:
        type(self).failures += 1
        self.ask()

    def request_paused(self) -> None:
        pass

    def request_resumed(self) -> None:
        pass


class Bare(asyncio.Protocol):
    """The floor: writes a request, counts the bytes of the answer, writes the next."""

    left = 0
    running = 0
    finished: asyncio.Event

    def __init__(self, request: bytes, expected: int) -> None:
        self.request = request
        self.expected = expected
        self.seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def ask(self) -> None:
        cls = type(self)
        if cls.left <= 0:
            cls.running -= 1
            if not cls.running:
                cls.finished.set()
            return
        cls.left -= 1
        self.seen = 0
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.seen += len(data)
        if self.seen >= self.expected:
            self.ask()


async def floor(port: int, args: argparse.Namespace, answer: int) -> float:
    """CPU microseconds a request of `Bare`."""
    head = encode_request_head(
        "GET", b"/api/v2/orders/4711?expand=items", HEADERS, has_body=False, content_length=None
    )
    Bare.finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    peers = [
        (await loop.create_connection(lambda: Bare(head, answer), "127.0.0.1", port))[1]
        for _ in range(args.in_flight)
    ]
    Bare.left, Bare.running = args.requests, len(peers)
    began = time.process_time()
    for peer in peers:
        peer.ask()
    await Bare.finished.wait()
    spent = time.process_time() - began
    for peer in peers:
        peer.transport.close()
    return spent / args.requests * 1e6


async def measure(port: int, args: argparse.Namespace) -> dict[str, object]:
    """Ask `args.requests` times over kept connections, after a warm-up."""
    timer = DeadlineTimer()
    timer.start()
    upstream = open_upstream(Backend(id="b", side=Side.NEW, url=f"http://127.0.0.1:{port}"), timer)
    cost = wall = 0.0
    for count in (args.requests // 10, args.requests):
        Asker.left, Asker.running, Asker.finished = count, args.in_flight, asyncio.Event()
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(args.in_flight):
            Asker(upstream, b"x" * args.post).ask()
        await Asker.finished.wait()
        cost, wall = time.process_time() - cpu, time.perf_counter() - began
    timer.stop()
    await upstream.close()
    bare = 0.0 if args.post else await floor(port, args, len(answer_of(args.body)))
    return {
        "cpu_us_per_request": round(cost / args.requests * 1e6, 1),
        "floor_us": round(bare, 1),
        "rps": round(args.requests / wall),
        "requests": args.requests,
        "in_flight": args.in_flight,
        "body": args.body,
        "post": args.post,
        "failures": Asker.failures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--body", type=int, default=1_024)
    parser.add_argument("--post", type=int, default=0)
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    if args.serve:
        uvloop.run(serve(args.body, args.post))
        return
    command = [sys.executable, "-m", "bench.upstream", "--serve"]
    command += ["--body", str(args.body), "--post", str(args.post)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as origin:
        assert origin.stdout is not None
        port = int(origin.stdout.readline())
        print(json.dumps(uvloop.run(measure(port, args))))
        assert origin.stdin is not None
        origin.stdin.close()


if __name__ == "__main__":
    main()
