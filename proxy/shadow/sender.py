"""One request to one backend, and its answer as the comparer takes it.

The request is the client's own, forwarded as the facade would, with two fields more: the marker
that it is a copy, and for what does not only read the word that nothing is to be written.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import monotonic_ns

from figway.compare.answer import Answer
from figway.compare.event_window import EventCount, count, is_followed
from figway.message.headers import HOP_HEADER, Arrival, forward_request, hops
from figway.message.http import Headers, is_read
from figway.routing.compile import Plan
from proxy.capture.message import Captured
from proxy.request.forwarding import edited
from proxy.request.live import LiveBackend
from proxy.upstreams.port import Failure, Sending
from proxy.wire.message import OutboundRequest, ResponseHead

MARKER = (b"Figway-Shadow", b"1")
DRY_RUN = (b"Figway-Dry-Run", b"1")
"""What a copied write carries, under the route's written dry-run contract."""


CONDITIONS = frozenset(
    {b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range"}
)
"""What a copy goes without."""


EXECUTED = b"X-Amz-Executed-Version"
"""How a copy's answer carries the version of the function that gave it."""


Told = Callable[[Answer], None]
"""Told how a request was answered, once."""


class Ask:
    """Implements `ResponseSink`; `told` hears of the `Answer`, which may be a failure.

    A body over `cap` bytes is not read on: the connection is given up, and the answer truncated.
    `bodied` is False for an answer to HEAD, whose length is that of a body that does not follow.
    `stream` follows a stream of events, which is left rather than given up.
    """

    __slots__ = (
        "_began",
        "_bodied",
        "_cap",
        "_head",
        "_pieces",
        "_size",
        "_stream",
        "_told",
        "head_us",
        "sending",
    )

    def __init__(
        self, cap: int, told: Told, *, bodied: bool = True, stream: EventWindow | None = None
    ) -> None:
        self.sending: Sending | None = None
        self._told: Told | None = told
        self.head_us = 0
        self._cap = cap
        self._bodied = bodied
        self._began = monotonic_ns()
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._stream = stream

    def response_informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def response_head(self, head: ResponseHead) -> None:
        """The final head."""
        self.head_us = (monotonic_ns() - self._began) // 1_000
        self._head = head
        if self._bodied and _length(head.headers) > self._cap:
            self._too_long()  # said at once: not a byte of it is fetched

    def response_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._size += len(data)
        window = self._window()
        if self._size <= self._cap:
            self._pieces.append(data)
            if window is not None and window.took(data):
                self._leave(window)
        elif window is not None:
            self._leave(window)
        else:
            self._too_long()

    def response_end(self, trailers: Headers) -> None:
        """The answer is whole."""
        self._done()

    def response_failed(self, failure: Failure) -> None:
        """The attempt failed."""
        self._fail(failure.kind.value)

    def request_paused(self) -> None:
        """The body was handed over whole; the upstream keeps it."""

    def request_resumed(self) -> None:
        """The same."""

    def _too_long(self) -> None:
        self._pieces = []
        self._abort()
        self._done(truncated=True)

    def expired(self) -> None:
        """It took too long."""
        if self._told is not None:
            window = self._window()
            if window is not None:
                self._leave(window)
                return
            self._abort()
            self._fail("timeout")

    def _window(self) -> EventWindow | None:
        """What follows the answer, where it is a stream of events that can be followed."""
        if self._head is None or self._stream is None:
            return None
        headers = tuple(self._head.headers)
        return self._stream if is_followed(Answer(self._head.status, headers)) else None

    def _leave(self, window: EventWindow) -> None:
        """Enough of a stream has come, or it lasts too long."""
        self._abort()
        lasted = (monotonic_ns() - self._began) // 1_000 - self.head_us
        self._done(truncated=window.says_nothing(lasted), cut=True)

    def give_up(self) -> None:
        """Nobody wants the answer any more."""
        self._told = None
        self._abort()

    def _abort(self) -> None:
        if self.sending is not None:
            self.sending.abort()

    def _done(self, *, truncated: bool = False, cut: bool = False) -> None:
        head, told = self._head, self._told
        if head is not None and told is not None:
            self._told = None
            body, headers = b"".join(self._pieces), tuple(head.headers)
            if head.build:
                headers += ((EXECUTED, head.build),)
            told(Answer(head.status, headers, body, truncated, self.head_us / 1_000, None, cut))

    def _fail(self, kind: str) -> None:
        told, self._told = self._told, None
        if told is not None:
            elapsed = (monotonic_ns() - self._began) / 1_000_000
            told(Answer(elapsed_ms=elapsed, failure=kind))


class EventWindow:
    """How far a stream of events is followed: as many events as the served side gave.

    `most` is 0 where the served stream ended by itself, and the other one is to end, too.
    `lasted_us` is how long the served stream was followed.
    """

    def __init__(self, most: int, lasted_us: int) -> None:
        self._most = most
        self._lasted_us = lasted_us
        self._count = EventCount()

    @classmethod
    def of(cls, captured: Captured) -> EventWindow:
        """What the copy of a request is followed by."""
        most = count(captured.answer_body) if captured.cut else 0
        return cls(most, captured.lasted_us)

    def took(self, data: bytes) -> bool:
        """Take a piece; whether that is enough."""
        return self._count.feed(data, self._most)

    def says_nothing(self, lasted_us: int) -> bool:
        """Whether a stream without an event was left too early to say that none comes."""
        return not self._count.events and lasted_us < self._lasted_us


def _length(headers: Headers) -> int:
    """The Content-Length, 0 without one that can be read."""
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit() and len(value) < 19:
            return int(value)
    return 0


def send_copy(
    target: LiveBackend,
    captured: Captured,
    cap: int,
    told: Told,
    plan: Plan | None = None,
    conditions: Sequence[tuple[bytes, bytes]] = (),
) -> Ask:
    """Send the copy of a request to a backend, without a bound on its time; `plan` is its route's,
    and `conditions` are headers with validators of that backend's own."""
    streams = plan is not None and plan.shadow.event_streams
    window = EventWindow.of(captured) if streams else None
    sink = Ask(cap, told, bodied=captured.method != "HEAD", stream=window)
    sending = sink.sending = target.upstream.send(
        outbound(target, captured, plan, conditions), sink
    )
    if captured.has_body:
        if captured.body:
            sending.write(captured.body)
        sending.end()
    return sink


async def ask(
    target: LiveBackend,
    captured: Captured,
    cap: int,
    timeout_s: float,
    plan: Plan | None = None,
    conditions: Sequence[tuple[bytes, bytes]] = (),
) -> Answer:
    """Send a copy, and wait for its answer as long as `timeout_s`."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()
    sink = send_copy(target, captured, cap, answered.set_result, plan, conditions)
    timer = loop.call_later(timeout_s, sink.expired)
    try:
        return await answered
    finally:
        timer.cancel()
        if not answered.done() or answered.cancelled():
            sink.give_up()


def outbound(
    target: LiveBackend,
    captured: Captured,
    plan: Plan | None = None,
    conditions: Sequence[tuple[bytes, bytes]] = (),
) -> OutboundRequest:
    """The copy as it leaves."""
    policy_plan, reads = (None, ()) if plan is None else (plan.policy_plan, plan.reads)
    headers = captured.headers
    out = forward_request(
        headers,
        _arrival(captured),
        target.backend,
        authority=target.authority,
        hop=hops(_first(headers, HOP_HEADER)) + 1,
        traceparent=b"" if _first(headers, b"traceparent") else _new_trace(captured),
        # A validator is one side's own: a copy asks for the whole answer, whatever the client has.
        without=CONDITIONS,
    )
    out += conditions
    out.append(MARKER)
    if not is_read(captured.method, reads) or target.hands_on:
        out.append(DRY_RUN)
    path = captured.target
    request = OutboundRequest(
        captured.method,
        target.prefix + path if target.prefix and path != b"*" else path,
        out,
        has_body=captured.has_body,
        content_length=len(captured.body) if captured.has_body else None,
    )
    if policy_plan is not None or target.credentials is not None:
        request = edited(request, path, policy_plan, target)
    if plan is not None:
        request.healthy = plan.breaker.healthy_statuses
    return request


def _first(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a field, its name in lower case."""
    length = len(name)
    for known, value in headers:
        if len(known) == length and known.lower() == name:
            return value
    return None


def _new_trace(captured: Captured) -> bytes:
    return b"00-%b-%b-01" % (captured.trace.encode(), os.urandom(8).hex().encode())


_LONGEST_HOST = 255


def _arrival(captured: Captured) -> Arrival:
    make = _known_arrival if len(captured.host) <= _LONGEST_HOST else Arrival
    return make(captured.peer, captured.scheme, captured.host, captured.trusted)


_known_arrival = lru_cache(1_024)(Arrival)
