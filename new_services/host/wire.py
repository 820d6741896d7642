"""A small HTTP/1.1 server on asyncio and httptools, shared by the Invoke API and the Runtime API.

It serves trusted local callers: keep-alive, pipelining in order, chunked and sized bodies,
100-continue. It buffers bodies whole, as both APIs do, up to a limit given by the caller.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httptools

from new_services.host.tasks import TaskKeeper

_PIPELINE = 16  # requests parsed ahead on one connection before reading pauses


class DropConnection(Exception):
    """Raised by a handler that wants the connection reset instead of an answer."""


@dataclass
class Request:
    """One request, whole. `path` and `query` are as received, not decoded."""

    method: str = ""
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case; of a repeated header the last counts."""
    body: bytes = b""
    too_large: bool = False
    """The body passed the limit and was thrown away."""
    keep_alive: bool = True


@dataclass
class Response:
    """One answer. Content-Length is added; `headers` are written as given."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


Handler = Callable[[Request], Awaitable[Response]]


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def encode(response: Response, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {reason(response.status)}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if response.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(response.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + response.body


class HttpProtocol(asyncio.Protocol):
    """One connection: parses requests, runs the handler for each in order, writes the answers."""

    def __init__(
        self, handler: Handler, tasks: TaskKeeper, body_limit: int, cancel_when_gone: bool
    ) -> None:
        self._handler = handler
        self._tasks = tasks
        self._limit = body_limit
        self._cancel_when_gone = cancel_when_gone
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._target = bytearray()
        self._body = bytearray()
        self._request = Request()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._queue.clear()
        if self._cancel_when_gone and self._worker is not None:
            self._worker.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._transport is not None:
                self._transport.write(encode(Response(400), keep_alive=False))
                self._transport.close()

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        self._request = Request()
        self._target.clear()
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if "100-continue" in self._request.headers.get("expect", "") and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._request.too_large or len(self._body) + len(body) > self._limit:
            self._request.too_large = True
            self._body.clear()
        else:
            self._body += body

    def on_message_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method().decode("ascii")
        request.keep_alive = self._parser.should_keep_alive()
        path, _, query = bytes(self._target).decode("latin-1").partition("?")
        request.path, request.query, request.body = path, query, bytes(self._body)
        self._queue.append(request)
        if self._worker is None:
            self._worker = self._tasks.start(self._work(), "connection")
        elif len(self._queue) > _PIPELINE and self._transport is not None:
            self._transport.pause_reading()

    async def _work(self) -> None:
        try:
            while self._queue and self._transport is not None:
                request = self._queue.popleft()
                self._transport.resume_reading()
                await self._answer(request)
        finally:
            self._worker = None

    async def _answer(self, request: Request) -> None:
        try:
            response = await self._handler(request)
        except DropConnection:
            if self._transport is not None:
                self._transport.abort()
            return
        except Exception:
            self._write(encode(Response(500), keep_alive=False), close=True)
            raise
        self._write(encode(response, request.keep_alive), close=not request.keep_alive)

    def _write(self, data: bytes, close: bool) -> None:
        if self._transport is not None:
            self._transport.write(data)
            if close:
                self._transport.close()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket (port 0: any free one). Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


async def listen(
    bound: socket.socket,
    handler: Handler,
    tasks: TaskKeeper,
    body_limit: int,
    cancel_when_gone: bool = False,
) -> asyncio.Server:
    """Listen on a bound socket, which the server then owns.

    `cancel_when_gone` cancels a running handler when its caller hangs up; without it the work
    goes on, as an AWS function does when its caller leaves.
    """
    return await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(handler, tasks, body_limit, cancel_when_gone), sock=bound
    )


def port_of(server: asyncio.Server) -> int:
    """The port that a server really listens on."""
    return int(server.sockets[0].getsockname()[1])
