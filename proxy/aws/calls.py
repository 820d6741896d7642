"""Requests of our own, over the upstream that users' requests leave by: no client library.

A call is callbacks, not a task. One that is under way when its invocation ends may stay on its
connection: the answer waits in the socket while the sandbox is frozen, and is read in the next
invocation. Only what still has no connection must be given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from figway.message.http import Headers
from figway.model.backend import Backend, ConnectionLimits, Timeouts
from figway.model.words import Side
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Failure, Sending
from proxy.wire.message import OutboundRequest, ResponseHead

MOST = 64 * 1024 * 1024
"""Bytes of an answer that are taken."""
_TIMEOUTS = Timeouts(connect_ms=2_000, head_ms=10_000, idle_ms=10_000)
_LIMITS = ConnectionLimits(max_connections=8, keep_alive_ms=50_000)


class Reply:
    """An answer, whole. `status` is 0 when there was none; `error` then says why."""

    __slots__ = ("body", "error", "headers", "status")

    def __init__(
        self, status: int, headers: Headers | None = None, body: bytes = b"", error: str = ""
    ) -> None:
        self.status = status
        self.headers = headers or []
        self.body = body
        self.error = error

    def get(self, name: bytes) -> str:
        """The first value of a field; `name` in lower case."""
        for found, value in self.headers:
            if found.lower() == name:
                return value.decode("latin-1")
        return ""


class Call:
    """One request under way; implements `ResponseSink`."""

    __slots__ = ("_body", "_done", "_head", "_sending", "_size")

    def __init__(self, done: Callable[[Reply], None]) -> None:
        self._done: Callable[[Reply], None] | None = done
        self._sending: Sending | None = None
        self._head: ResponseHead | None = None
        self._body: list[bytes] = []
        self._size = 0

    @property
    def dialling(self) -> bool:
        """Nothing has been written yet: a task is opening a connection."""
        sending = self._sending
        return self._done is not None and isinstance(sending, Attempt) and bool(sending.head)

    def begin(self, upstream: HttpUpstream, request: OutboundRequest, body: bytes) -> None:
        """Send."""
        self._sending = upstream.send(request, self)
        if request.has_body:
            self._sending.write(body)
            self._sending.end()

    def cancel(self, error: str = "given up") -> None:
        """Give it up; `done` is told."""
        if self._done is not None and self._sending is not None:
            self._sending.abort()
            self._end(Reply(0, error=error))

    def _end(self, reply: Reply) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(reply)

    # -- ResponseSink ------------------------------------------------------------------------

    def response_informational(self, head: ResponseHead) -> None:
        """Not of interest."""

    def response_head(self, head: ResponseHead) -> None:
        self._head = head

    def response_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MOST:
            self.cancel("the answer is too large")
        else:
            self._body.append(data)

    def response_end(self, trailers: Headers) -> None:
        head = self._head
        assert head is not None
        self._end(Reply(head.status, head.headers, b"".join(self._body)))

    def response_failed(self, failure: Failure) -> None:
        self._end(Reply(0, error=failure.detail or failure.kind.value))

    def request_paused(self) -> None:
        """The body is handed over whole."""

    def request_resumed(self) -> None:
        """See `request_paused`."""


class Origin:
    """One place that is called. Must be made on the running loop. Raises ValueError."""

    def __init__(self, url: str, timer: DeadlineTimer) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc.rpartition("@")[2].encode("ascii")
        self.path = parts.path.rstrip("/")
        backend = Backend(
            id=f"call to {parts.hostname}",
            side=Side.LEGACY,
            url=f"{parts.scheme}://{parts.netloc}",
            timeouts=_TIMEOUTS,
            limits=_LIMITS,
            # Local endpoints, credentials and extensions live on such addresses.
            allow_link_local=True,
        )
        self._upstream = HttpUpstream(backend, timer)

    def start(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | None,
        done: Callable[[Reply], None],
    ) -> Call:
        """Begin a call; `headers` without Host. `done` is told once, never within this call."""
        request = OutboundRequest(
            method,
            target.encode("ascii"),
            [(b"Host", self.host), *headers],
            has_body=body is not None,
            content_length=None if body is None else len(body),
        )
        call = Call(done)
        call.begin(self._upstream, request, body or b"")
        return call

    async def close(self) -> None:
        """Close every connection."""
        await self._upstream.close()


async def finished(started: Callable[[Callable[[Reply], None]], Call]) -> Reply:
    """Start a call and wait for its reply; cancelled with the waiting task."""
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(reply: Reply) -> None:
        if not future.done():
            future.set_result(reply)

    call = started(done)
    try:
        return await future
    finally:
        if not future.done() or future.cancelled():
            call.cancel()
