"""A scriptable upstream, for tests of the pipeline and the doors. No sockets.

Replies are taken from `replies` in order, one an attempt; when none is left, `default` answers.
An attempt whose reply is None is driven by hand through its `Fake.attempts` entry:

    fake = FakeUpstream()
    fake.replies += [Fail(FailureKind.RESET), Answer(200, body=[b"hello"])]
    ...
    fake.attempts[0].request.target, fake.attempts[0].body
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from figway.message.http import Headers
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `informational` statuses first, then head, pieces, end.

    With `early` it comes at once, else when the request is complete. With `broken` it fails
    after the pieces instead of ending. Content-Length is not added.
    """

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: Sequence[bytes] = ()
    trailers: Headers = field(default_factory=list)
    informational: Sequence[int] = ()
    early: bool = False
    broken: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """A failure before the head; `early` as in `Answer`."""

    kind: FailureKind
    sent: Sent = Sent.SOME
    detail: str = ""
    early: bool = False


Reply = Answer | Fail | Callable[["FakeAttempt"], "Answer | Fail"] | None


class FakeAttempt:
    """Implements `Sending`, records what it was told, and speaks to the sink on demand."""

    def __init__(self, request: OutboundRequest, sink: ResponseSink, reply: Reply) -> None:
        self.request = request
        self.sink = sink
        self.pieces: list[bytes] = []
        self.ended = not request.has_body
        self.aborted = False
        self.paused = False
        self.done = False
        self._reply = reply
        self._outbox: deque[Callable[[], None]] = deque()
        loop = asyncio.get_running_loop()
        self._soon = loop.call_soon
        if self.ended or (isinstance(reply, (Answer, Fail)) and reply.early):
            self._soon(self._answer)

    @property
    def body(self) -> bytes:
        """The request's body so far."""
        return b"".join(self.pieces)

    # -- Sending -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self.done and not self.aborted and data:
            self.pieces.append(data)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self._soon(self._answer)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._soon(self._deliver)

    def abort(self) -> None:
        if not self.done:
            self.aborted = self.done = True
            self._outbox.clear()

    # -- by hand -----------------------------------------------------------------------------

    def head(self, status: int = 200, headers: Headers | None = None) -> None:
        """Give the final head."""
        self._tell(lambda: self.sink.response_head(ResponseHead(status, b"", headers or [])))

    def informational(self, status: int, headers: Headers | None = None) -> None:
        """Give an interim head."""
        head = ResponseHead(status, b"", headers or [])
        self._tell(lambda: self.sink.response_informational(head))

    def piece(self, data: bytes) -> None:
        """Give a piece of the body."""
        self._tell(lambda: self.sink.response_body(data))

    def finish(self, trailers: Headers | None = None) -> None:
        """End the answer."""

        def end() -> None:
            self.done = True
            self.sink.response_end(trailers or [])

        self._tell(end)

    def fail(self, kind: FailureKind, sent: Sent = Sent.SOME, detail: str = "") -> None:
        """Fail, before or after the head."""

        def failed() -> None:
            self.done = True
            self.sink.response_failed(Failure(kind, sent, detail))

        self._tell(failed)

    # -- by script ---------------------------------------------------------------------------

    def _answer(self) -> None:
        reply, self._reply = self._reply, None
        if callable(reply):
            reply = reply(self)
        if isinstance(reply, Fail):
            self.fail(reply.kind, reply.sent, reply.detail)
        elif reply is not None:
            for status in reply.informational:
                self.informational(status)
            self.head(reply.status, list(reply.headers))
            for piece in reply.body:
                self.piece(piece)
            if reply.broken is not None:
                self.fail(reply.broken)
            else:
                self.finish(list(reply.trailers))

    def _tell(self, call: Callable[[], None]) -> None:
        self._outbox.append(call)
        self._deliver()

    def _deliver(self) -> None:
        while self._outbox and not self.paused and not self.done:
            self._outbox.popleft()()


class FakeUpstream:
    """Implements `Upstream`."""

    def __init__(self, *replies: Reply, default: Reply = Answer()) -> None:
        self.replies: deque[Reply] = deque(replies)
        self.default = default
        self.attempts: list[FakeAttempt] = []
        self.retired = False
        self.closed = False

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`."""
        reply = self.replies.popleft() if self.replies else self.default
        attempt = FakeAttempt(request, sink, reply)
        self.attempts.append(attempt)
        return attempt

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.retired = True

    async def close(self) -> None:
        """See `Upstream.close`."""
        self.closed = True
        for attempt in self.attempts:
            attempt.paused = False
            if not attempt.done:
                attempt.fail(FailureKind.RESET, detail="closing")
