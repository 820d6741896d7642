"""JSON objects over a Unix socket pair: what supervisor and processes speak through.

A frame is a JSON object after its length (four bytes, big-endian). The end of the stream tells
either side that the other is dead. `proxy.processes.messages` says what the objects mean.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import orjson

MAX_MESSAGE = 256 * 1024 * 1024
"""Bytes; a table of a hundred thousand routes is a tenth of it."""


class Channel(asyncio.Protocol):
    """One end. `on_data` is called with each object, `on_close` once at the end."""

    def __init__(
        self, on_data: Callable[[dict[str, Any]], None], on_close: Callable[[], None]
    ) -> None:
        self._on_data = on_data
        self._on_close = on_close
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        on_data: Callable[[dict[str, Any]], None],
        on_close: Callable[[], None],
    ) -> Channel:
        """Take over one socket of a pair."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(on_data, on_close), sock=sock)
        return channel

    def send(self, data: bytes) -> None:
        """Send what `frame` made, so that many share the work of encoding. Ignored once closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def backlog(self) -> int:
        """Bytes that the other side has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Close after what was sent."""
        if self._transport is not None:
            self._transport.close()

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an assert: the transports of uvloop are not subclasses of asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > MAX_MESSAGE:
                self.close()
                return
            if len(buffer) - start - 4 < length:
                break
            body = bytes(buffer[start + 4 : start + 4 + length])
            start += 4 + length
            self._on_data(orjson.loads(body))
        if start:
            del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_close()


def frame(data: dict[str, Any]) -> bytes:
    """The bytes of an object, length included."""
    body = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
    return len(body).to_bytes(4, "big") + body
