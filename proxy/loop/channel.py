"""Messages between the supervisor and a worker, over a Unix socket pair.

A message is a JSON object after its length (four bytes, big-endian). The key `t` says what it is.

Supervisor to worker:

    start     settings, worker, workers, kill, shadow
    table     revision, etag, table            a whole table, in the form of figway.model.codec
    changes   revision, etag, base, changes    what leads from the table `base` to `etag`
    kill      on                               the supervisor's own wish, beside the kill file
    flush     n                                send the counters now, and say n with them
    watch     routes, ms                       keep some decisions of these routes for so long
    drain     timeout_ms                       accept no more, finish what is in flight, end
    shadow    path                             where captures go; nowhere when it is empty
    stop                                       end at once

Worker to supervisor:

    ready                                      it accepts connections
    applied   revision, etag, ms               it serves this table
    refused   revision, etag, message          it keeps the table before; a whole one may help
    counters  n, series, gauges, shadow, backends, decisions   what was counted since the last
    breakers  breakers, events                 each breaker that is not closed; what changed
    kill      on                               whether a kill switch on this host is in effect
    drained   unfinished                       requests that the drain had to cut off

The end of the stream tells either side that the other is dead.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import orjson

Message = dict[str, Any]

MAX_MESSAGE = 256 * 1024 * 1024
"""Bytes; a table of a hundred thousand routes is a tenth of it."""


class Channel(asyncio.Protocol):
    """One end. `on_message` is called for each message, `on_close` once at the end."""

    def __init__(self, on_message: Callable[[Message], None], on_close: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_close = on_close
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        on_message: Callable[[Message], None],
        on_close: Callable[[], None],
    ) -> Channel:
        """Take over one socket of a pair."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(on_message, on_close), sock=sock)
        return channel

    def send(self, message: Message) -> None:
        """Send a message; ignored once the channel is closed."""
        self.send_packed(pack(message))

    def send_packed(self, frame: bytes) -> None:
        """Send a message that `pack` made, so that many workers share the work of encoding."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

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
            self._on_message(orjson.loads(body))
        if start:
            del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_close()


def pack(message: Message) -> bytes:
    """The bytes of a message, length included."""
    body = orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS)
    return len(body).to_bytes(4, "big") + body
