"""The other end of an upstream, on a real socket, and a sink that writes down what it was told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from figway.message.http import Headers
from figway.model.backend import Backend, ConnectionLimits, Timeouts
from figway.model.words import Side
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Failure, Sending
from proxy.wire.message import OutboundRequest, ResponseHead

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One accepted connection, as the backend sees it. `number` counts connections from 1."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """One request head, the empty line included."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"ok", extra: bytes = b"") -> None:
        head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (extra, len(body))
        await self.say(head + body)

    async def hang(self) -> None:
        """Stay open until the other end closes."""
        while await self.reader.read(65_536):
            pass

    def reset(self) -> None:
        """Close with RST: no lingering, nothing flushed."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """Listens; each connection plays `script`, and is closed at its end."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.accepted = 0
        self.errors: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def listen(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.errors:
            raise self.errors[0]

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self.script(Peer(self.accepted, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except AssertionError as error:
            self.errors.append(error)
        finally:
            writer.close()


class Sink:
    """Records the calls in order; `done` is set at the end. Set `on_*` to react in the call."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.heads: list[ResponseHead] = []
        self.pieces: list[bytes] = []
        self.trailers: Headers = []
        self.failure: Failure | None = None
        self.done = asyncio.Event()
        self.started = asyncio.Event()
        self.pauses = 0
        self.resumes = 0
        self.on_head: Callable[[], None] = lambda: None
        self.on_body: Callable[[], None] = lambda: None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def head(self) -> ResponseHead:
        return self.heads[-1]

    def response_informational(self, head: ResponseHead) -> None:
        self._note(f"1xx {head.status}")
        self.heads.append(head)

    def response_head(self, head: ResponseHead) -> None:
        self._note(f"head {head.status}")
        self.heads.append(head)
        self.started.set()
        self.on_head()

    def response_body(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        if self.events[-1] != "body":
            self._note("body")
        self.pieces.append(data)
        self.on_body()

    def response_end(self, trailers: Headers) -> None:
        self._note("end")
        self.trailers = trailers
        self.done.set()

    def response_failed(self, failure: Failure) -> None:
        self._note(f"failed {failure.kind.value} {failure.sent.name}")
        self.failure = failure
        self.done.set()

    def request_paused(self) -> None:
        self.pauses += 1

    def request_resumed(self) -> None:
        self.resumes += 1

    def _note(self, event: str) -> None:
        assert not self.done.is_set(), f"{event} after the end: {self.events}"
        self.events.append(event)


HOST: Headers = [(b"Host", b"shop.example")]


def get(target: bytes = b"/", method: str = "GET", **options: Any) -> OutboundRequest:
    return OutboundRequest(method, target, options.pop("headers", HOST), **options)


def post(length: int | None, **options: Any) -> OutboundRequest:
    return get(b"/", "POST", has_body=True, content_length=length, **options)


class Client:
    """An http upstream with its sweep, and one call to ask and wait."""

    def __init__(self, upstream: HttpUpstream, timer: DeadlineTimer) -> None:
        self.upstream = upstream
        self.pool = upstream.pool
        self.timer = timer

    def send(self, request: OutboundRequest) -> tuple[Sending, Sink]:
        sink = Sink()
        return self.upstream.send(request, sink), sink

    async def ask(self, request: OutboundRequest | None = None, body: bytes | None = None) -> Sink:
        sending, sink = self.send(request or get())
        if body is not None:
            sending.write(body)
        sending.end()
        await sink.done.wait()
        return sink


@asynccontextmanager
async def client_for(
    port: int,
    *,
    timeouts: Timeouts | None = None,
    limits: ConnectionLimits | None = None,
    timer: DeadlineTimer | None = None,
    **fields: Any,
) -> AsyncIterator[Client]:
    """An http upstream to `port` of this machine; closed at the end, with nothing left over."""
    timer = DeadlineTimer(10) if timer is None else timer
    backend = Backend(id="b", side=Side.NEW, url=fields.pop("url", f"http://127.0.0.1:{port}"))
    backend = replace(
        backend, timeouts=timeouts or Timeouts(), limits=limits or ConnectionLimits(), **fields
    )
    client = Client(HttpUpstream(backend, timer), timer)
    timer.start()
    try:
        yield client
    finally:
        await client.upstream.close()
        timer.stop()
        assert (client.pool.open, client.pool.idle, client.pool.waiting) == (0, 0, 0)
        assert timer.entries == 0


@asynccontextmanager
async def against(script: Script, **options: Any) -> AsyncIterator[tuple[Client, Server]]:
    """A client and the server that it talks to, which plays `script` on each connection."""
    async with Server(script).listen() as server, client_for(server.port, **options) as client:
        yield client, server
