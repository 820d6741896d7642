"""The narrow port through which requests leave: what every kind of upstream offers.

It is made of callbacks, not coroutines, so that the hot path needs no task. The caller hands a
request and a sink to `Upstream.send`, and gets a `Sending` to feed the body into; the upstream
calls the sink. All calls happen on the event loop's thread. After `response_end` or
`response_failed` the sink is called no more; after `Sending.abort` it is called no more.
"""

from __future__ import annotations

from typing import Protocol

from figway.message.http import Headers
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.wire.message import OutboundRequest, ResponseHead


class Failure:
    """How an attempt failed, what had been written by then, and a detail for people."""

    __slots__ = ("detail", "kind", "sent")

    def __init__(self, kind: FailureKind, sent: Sent, detail: str = "") -> None:
        self.kind = kind
        self.sent = sent
        self.detail = detail

    def __repr__(self) -> str:
        return f"Failure({self.kind.value}, sent={self.sent.name}, {self.detail!r})"


class ResponseSink(Protocol):
    """What the upstream tells. Body bytes arrive de-chunked and otherwise untouched."""

    def response_informational(self, head: ResponseHead) -> None:
        """A 1xx answer other than 101; any number may come before the head."""

    def response_head(self, head: ResponseHead) -> None:
        """The final head; 101 means that the tunnel is open and bytes flow raw both ways."""

    def response_body(self, data: bytes) -> None:
        """A piece of the body, or of the tunnel; never empty. One that was in hand already may
        come after `Sending.pause`."""

    def response_end(self, trailers: Headers) -> None:
        """The answer, or the backend's half of the tunnel, is complete. In a tunnel the calls
        of back-pressure may still follow; otherwise nothing does, and what is left of the
        request's body is not wanted any more."""

    def response_failed(self, failure: Failure) -> None:
        """The attempt failed; before the head or after it."""

    def request_paused(self) -> None:
        """The backend takes no more body for now: stop calling `Sending.write`."""

    def request_resumed(self) -> None:
        """The backend takes body again."""


class Sending(Protocol):
    """A request under way."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body, or of the tunnel. Ignored once the attempt is over."""

    def end(self) -> None:
        """The body, or the client's half of the tunnel, is complete. Ignored for a request
        without a body, and before a tunnel is open."""

    def pause(self) -> None:
        """Stop delivering the answer: the client is slow."""

    def resume(self) -> None:
        """Deliver again."""

    def abort(self) -> None:
        """Give the attempt up and free its connection. Safe to call at any time."""


class Upstream(Protocol):
    """A backend that can be asked. One instance serves one backend in one worker."""

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """Begin an attempt. Failures come to the sink, never as an exception, and never
        before this call has returned."""

    def retire(self) -> None:
        """Let attempts under way finish, but keep nothing for later: the table has moved on."""

    async def close(self) -> None:
        """Close idle connections and those still in use, whose attempts fail."""
