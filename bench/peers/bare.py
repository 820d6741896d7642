"""What nothing costs: the least that any proxy can be on the loop, and on uvicorn.

    python -m bench.peers.bare PORT UPSTREAM

No proxies, and nobody's choice: they parse nothing, match nothing and count nothing. What they
cost is the kernel, the event loop and the server below a door, and no door can cost less.

`bare-relay` passes what a client sends to a kept upstream connection as it came, and the answer
back, by two `asyncio.Protocol`s on uvloop, not compiled. `bare-asgi` asks nobody: an ASGI
application of three lines under uvicorn that answers 1 KB at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from bench.peers import PYTHON, Missing, Spec, Start

_BODY = b"x" * 1_024
_LENGTH = b"content-length:"
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"1024")]


def relay(spec: Spec) -> Start:
    """Two protocols that pass bytes on. Everything goes to legacy."""
    if spec.mirror:
        raise Missing("it copies nothing")
    command = [PYTHON, "-m", "bench.peers.bare", str(spec.port), str(spec.legacy)]
    return Start(command, note="reads, matches, splits and counts nothing: kernel and loop alone")


def asgi(spec: Spec) -> Start:
    """An application that answers at once, under uvicorn with uvloop and httptools."""
    if spec.mirror:
        raise Missing("it copies nothing")
    command = [PYTHON, "-m", "uvicorn", "bench.peers.bare:constant", "--port", str(spec.port)]
    command += ["--no-access-log", "--log-level", "error", "--loop", "uvloop"]
    return Start(
        [*command, "--http", "httptools"],
        note="asks no backend: what uvicorn costs before an application does anything",
    )


async def constant(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """The ASGI application."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})


class _Client(asyncio.Protocol):
    def __init__(self, idle: list[_Upstream], port: int) -> None:
        self.idle = idle
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.idle:
            self._send(self.idle.pop(), data)
        else:
            self.opening = asyncio.ensure_future(self._open(data))

    def _send(self, upstream: _Upstream, data: bytes) -> None:
        upstream.client = self
        upstream.transport.write(data)

    async def _open(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(
            lambda: _Upstream(self.idle), "127.0.0.1", self.port
        )
        self._send(upstream, data)


class _Upstream(asyncio.Protocol):
    """Every answer of the origin has the length of the first one."""

    length = 0

    def __init__(self, idle: list[_Upstream]) -> None:
        self.idle = idle
        self.client: _Client | None = None
        self.had = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            return
        self.had += len(data)
        if not _Upstream.length:
            head, _, _ = data.partition(b"\r\n\r\n")
            _Upstream.length = len(head) + 4 + int(head.lower().partition(_LENGTH)[2].split()[0])
        if self.had >= _Upstream.length:
            self.had = 0
            self.client = None
            self.idle.append(self)
        client.transport.write(data)


async def _serve(port: int, upstream: int) -> None:
    idle: list[_Upstream] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(idle, upstream), "127.0.0.1", port, backlog=4_096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
