"""The narrow port through which requests leave: what every kind of upstream offers.

It is made of callbacks, not coroutines, so that the hot path needs no task. The caller hands a
request and a sink to `Upstream.send`, and gets a `Sending` to feed the body into; the upstream
calls the sink. All calls happen on the event loop's thread. After `response_end` or
`response_failed` the sink is called no more; after `Sending.abort` it is called no more.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from figway.exchange import FailureKind, Sent
from figway.http import Headers


class OutboundRequest:
    """A request as it leaves for a backend: hop-by-hop fields gone, Host policy applied.

    `target` is the raw request target in origin form (or `*`). `headers` holds Host but no
    framing: the upstream adds Content-Length or Transfer-Encoding itself, and nothing else.
    `content_length` is the body's length if known, None for a body of unknown length (sent
    chunked); `has_body` tells a request without a body from one whose length is 0. `upgrade`
    asks for a tunnel: the Connection and Upgrade fields are then part of `headers`. `section` is
    the header section as bytes, validated, where it is known so (every line `name: value` and
    CRLF); `headers` is then taken apart only when it is asked for.
    """

    __slots__ = (
        "_headers",
        "content_length",
        "has_body",
        "method",
        "section",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: Headers | None,
        *,
        section: bytes | None = None,
        has_body: bool = False,
        content_length: int | None = None,
        upgrade: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self._headers = headers
        self.section = section
        self.has_body = has_body
        self.content_length = content_length
        self.upgrade = upgrade

    @property
    def headers(self) -> Headers:
        """The fields in order."""
        headers = self._headers
        if headers is None:
            headers = self._headers = _FIELD.findall(self.section or b"")
        return headers


_FIELD: Final = re.compile(rb"([^:\r\n]++):[ \t]*+([^\r\n]*+)\r\n")


class ResponseHead:
    """Status line and header section of an answer, as received, framing fields included.

    An upstream that has the header section as bytes gives them as `raw` (every line ending in
    CRLF, already validated); `headers` is then taken apart only when it is asked for. `plain`
    promises that no field is hop-by-hop and none names a place (`figway.rewrite.NAMES`), so that
    all of them may be relayed as they are.
    """

    __slots__ = ("_headers", "plain", "raw", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: bytes,
        headers: Headers | None = None,
        *,
        raw: bytes | None = None,
        plain: bool = False,
    ) -> None:
        self.status = status
        self.reason = reason
        self.raw = raw
        self.plain = plain
        self._headers = headers

    @property
    def headers(self) -> Headers:
        """The fields, as received: order, case and repetition kept."""
        headers = self._headers
        if headers is None:
            raw = self.raw or b""
            headers = _FIELD.findall(raw)
            if b" \r\n" in raw or b"\t\r\n" in raw:
                headers = [(name, value.rstrip(b" \t")) for name, value in headers]
            self._headers = headers
        return headers


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
