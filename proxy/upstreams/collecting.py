"""A request whose body must be whole before anything can be sent: for signatures, for messages."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead


class Collecting(ABC):
    """Implements `Sending` up to the moment when the request is complete: then `complete`.

    `limit` is the bytes of a body that are taken; beyond them `too_large`. `onward` is what was
    begun then.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: OutboundRequest,
        sink: ResponseSink,
        limit: int,
    ) -> None:
        self.request = request
        self.sink = sink
        self.onward: Sending | None = None
        self.done = False
        self._loop = loop
        self._limit = limit
        self._body: list[bytes] = []
        self._size = 0
        self._closed = False  # no more body is taken

    def begin(self) -> None:
        """Look at what is known from the head alone. Call it within `Upstream.send`."""
        if self.request.upgrade:
            self.later(FailureKind.PROTOCOL, "It cannot be upgraded to a tunnel.")
        elif (self.request.content_length or 0) > self._limit:
            self._overflow()
        elif not self.request.has_body:
            self._complete()
        elif any(name.lower() == b"expect" for name, _ in self.request.headers):
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Nobody else can say whether the client may send its body: it is needed first."""
        if not self.done and not self._closed:
            self.sink.response_informational(ResponseHead(100, b"Continue", []))

    @abstractmethod
    def complete(self, body: bytes) -> None:
        """The request is complete. Failures are told by `later`."""

    @abstractmethod
    def too_large(self) -> tuple[FailureKind, str]:
        """How a body over the limit fails; nothing was sent."""

    def later(self, kind: FailureKind, detail: str, sent: Sent = Sent.NOTHING) -> None:
        """Fail, after the present call has returned."""
        self._closed = True
        self._body.clear()
        self._loop.call_soon(self.fail, kind, sent, detail)

    def fail(self, kind: FailureKind, sent: Sent, detail: str) -> None:
        """End with a failure, once."""
        if not self.done:
            self.done = True
            self.sink.response_failed(Failure(kind, sent, detail))

    def _overflow(self) -> None:
        kind, detail = self.too_large()
        self.later(kind, detail)

    def _complete(self) -> None:
        self._closed = True
        body = b"".join(self._body)
        self._body.clear()
        self.complete(body)

    # -- Sending -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.done or self._closed:
            return
        self._size += len(data)
        if self._size > self._limit:
            self._overflow()
        else:
            self._body.append(data)

    def end(self) -> None:
        if not self.done and not self._closed:
            self._complete()

    def pause(self) -> None:
        if self.onward is not None:
            self.onward.pause()

    def resume(self) -> None:
        if self.onward is not None:
            self.onward.resume()

    def abort(self) -> None:
        self.done = True
        if self.onward is not None:
            self.onward.abort()
