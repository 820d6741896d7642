"""One request towards an http backend, from `send` to its end: the caller's `Sending`.

An attempt writes the request; the answer is read by the connection that it was given. Until it
has one, it holds what the caller writes, and says `request_paused` beyond `HOLD`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER
from proxy.upstreams.logins import ClientConnection
from proxy.upstreams.port import Failure, ResponseSink
from proxy.wire.message import OutboundRequest
from proxy.wire.request_head import encode_request_head, encode_section

if TYPE_CHECKING:
    from proxy.upstreams.connection import Connection
    from proxy.upstreams.pool import Pool

_FOR_EVER: Final = NEVER >> 2  # milliseconds that can be added to a time

HOLD: Final = 65_536
"""Bytes of a body held or buffered before the caller is told to pause."""


class Attempt:
    """Implements `Sending`.

    `head` is the encoded head until it is written: while it is there, nothing was sent.
    `head_ms` and `idle_ms` are the time-outs that hold for it; `owner` is the client's connection
    and `login` says that the request logs its connection in. `request_done` says that the request's
    body is complete, `done` that the sink is called no more (in a tunnel: that both halves are
    closed), `paused` that the answer is not wanted now.
    """

    __slots__ = (
        "_chunked",
        "_held",
        "_held_size",
        "_told_paused",
        "_unsent",
        "connection",
        "done",
        "head",
        "head_ms",
        "idle_ms",
        "login",
        "owner",
        "paused",
        "pool",
        "request",
        "request_done",
        "sink",
        "wait_until",
    )

    def __init__(self, pool: Pool, request: OutboundRequest, sink: ResponseSink) -> None:
        """Raises `BadRequestHead` for a head that cannot be written."""
        self.pool = pool
        self.request = request
        self.sink = sink
        self.connection: Connection | None = None
        self.request_done = not request.has_body
        self.done = False
        self.paused = False
        self.login = request.login
        self.head_ms = pool.head_ms if request.head_ms < 0 else request.head_ms or _FOR_EVER
        self.idle_ms = pool.idle_ms if request.idle_ms < 0 else request.idle_ms or _FOR_EVER
        owner = request.owner
        self.owner = owner if isinstance(owner, ClientConnection) else None
        self.wait_until = 0
        self._chunked = request.has_body and request.content_length is None
        self._unsent = request.content_length or 0
        self._held: list[bytes] | None = None
        self._held_size = 0
        self._told_paused = False
        if request.section is None:
            self.head = encode_request_head(
                request.method,
                request.target,
                request.headers,
                has_body=request.has_body,
                content_length=request.content_length,
            )
        else:
            self.head = encode_section(
                request.method,
                request.target,
                request.section,
                has_body=request.has_body,
                content_length=request.content_length,
            )

    # -- Sending -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.done or not data:
            return
        connection = self.connection
        if connection is None or not connection.takes_body:
            self._hold(data)
        elif connection.tunnel:
            connection.write(data)
        elif not self.request_done:
            self._write_body(connection, data)
        elif self.request.upgrade:
            self._hold(data)

    def end(self) -> None:
        if self.done:
            return
        connection = self.connection
        if self.request_done:
            if connection is not None and connection.tunnel:
                connection.end_tunnel(self)
            return
        self.request_done = True
        if connection is not None and connection.takes_body:
            self._write_end(connection)

    def pause(self) -> None:
        self.paused = True
        if self.connection is not None and not self.done:
            self.connection.pause_reading()

    def resume(self) -> None:
        self.paused = False
        if self.connection is not None and not self.done:
            self.connection.resume_reading()

    def abort(self) -> None:
        if self.done:
            return
        self.done = True
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()
        else:
            self.pool.forget(self)

    # -- what the connection and the pool call -----------------------------------------------

    def begin(self, connection: Connection) -> None:
        """Write what there is to write: `connection` is open and this attempt's own."""
        if self._held is not None and self.request.has_body:
            held, self._held = self._held, None
            for data in held:
                self._write_body(connection, data)
            if self.request_done:
                self._write_end(connection)
            self._tell_resumed(connection)
        elif not self.request.has_body:
            head, self.head = self.head, b""
            connection.write(head)
        elif self.request_done:
            self._write_end(connection)
        else:
            # The first piece of the body most likely comes in this very turn of the loop.
            connection.loop.call_soon(self._flush_head)

    def tunnel_opened(self, connection: Connection) -> None:
        """The backend switched protocols: what was held may go."""
        held, self._held = self._held, None
        if held:
            connection.write(b"".join(held))
            self._tell_resumed(connection)

    def fail(self, kind: FailureKind, detail: str) -> None:
        """End the attempt with a failure; the connection is somebody else's business."""
        if self.done:
            return
        self.done = True
        self.connection = None
        sent = Sent.NOTHING if self.head else Sent.SOME
        self.sink.response_failed(Failure(kind, sent, detail))

    # -- writing -----------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        if self.request_done and not self.request.upgrade:
            return
        if self._held is None:
            self._held = []
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size > HOLD and not self._told_paused:
            self._told_paused = True
            self.sink.request_paused()

    def _tell_resumed(self, connection: Connection) -> None:
        if self._told_paused:
            self._told_paused = False
            if not connection.write_paused:
                self.sink.request_resumed()

    def _write_body(self, connection: Connection, data: bytes) -> None:
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        else:
            self._unsent -= len(data)
            if self._unsent < 0:
                self._break_off(connection, "The request body is longer than announced.")
                return
        if self.head:
            head, self.head = self.head, b""
            data = head + data
        connection.write(data)

    def _write_end(self, connection: Connection) -> None:
        if self._unsent > 0:
            self._break_off(connection, "The request body is shorter than announced.")
            return
        head, self.head = self.head, b""
        last = head + b"0\r\n\r\n" if self._chunked else head
        if last:
            connection.write(last)
        connection.request_ended()

    def _flush_head(self) -> None:
        connection = self.connection
        if self.head and connection is not None and not self.done:
            head, self.head = self.head, b""
            connection.write(head)

    def _break_off(self, connection: Connection, detail: str) -> None:
        loop: asyncio.AbstractEventLoop = connection.loop
        self.request_done = True
        loop.call_soon(self._broken_off, detail)

    def _broken_off(self, detail: str) -> None:
        if self.connection is not None:
            self.connection.abandon()
        self.fail(FailureKind.PROTOCOL, detail)
