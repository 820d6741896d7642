"""A minimal HTTP/1.1 responder for the few answers that are not the facade's business.

It serves the private listener, and stands in for a door while there is no table. One request a
connection, no request bodies, finite heads and times; what it answers is up to a callable.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from figway.message.http import Headers

MAX_HEAD = 65_536
MAX_CONNECTIONS = 1_000
TIMEOUT_S = 10.0
_LINGER_S = 1.0  # how long unread bytes are taken, so that the answer is not lost to a reset


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=list)


Respond = Callable[[str, str], Awaitable[Answer]]
"""From method and path (without query) to the answer."""


class Responder:
    """Serves one listening socket."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, sock: socket.socket) -> None:
        """Accept from `sock`, which is this responder's from now on."""
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=MAX_HEAD)

    def close(self) -> None:
        """Accept no more, and close the socket."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                await asyncio.wait_for(self._exchange(reader, writer), TIMEOUT_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return  # a client that is slow, gone or silent is owed nothing
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            method, answer = "GET", Answer(431, b"")
        else:
            parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            if len(parts) == 3 and parts[2].startswith("HTTP/1."):
                method = parts[0]
                answer = await self._respond(method, parts[1].partition("?")[0])
            else:
                method, answer = "GET", Answer(400, b"")
        writer.write(_wire(answer, method))
        await writer.drain()
        await _linger(reader, writer)


def _wire(answer: Answer, method: str) -> bytes:
    phrase = HTTPStatus(answer.status).phrase
    headers = list(answer.headers)
    if not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", b"%d" % len(answer.body)))
    headers.append((b"connection", b"close"))
    lines = [b"HTTP/1.1 %d %b" % (answer.status, phrase.encode())]
    lines += [b"%b: %b" % pair for pair in headers]
    body = b"" if method == "HEAD" else answer.body
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on for a while: closing with unread bytes would reset the connection (RFC 9112, 9.6)."""
    writer.write_eof()
    try:
        async with asyncio.timeout(_LINGER_S):
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return
