"""Capture: what a serving worker keeps of a request for the shadow, and when it does not.

Body pieces are kept by reference: the pipeline has them in hand anyway, and nothing is copied or
encoded before the answer is complete. Every chosen request ends as exactly one of: queued, skipped
for a reason, dropped for a reason. Only what the route's policy allows is chosen: safe
methods, or writes under a written dry-run contract, never a GET marked as changing
something.

Reasons for a skip: `unsafe_method`, `unsafe_get`, `upgrade`, `event_stream`, `body_over_cap`,
`memory_budget`, `fallback` (new had failed already), `facade_answer` (no side answered),
`client_gone`, `not_modified` (a 304 of new, whose validators legacy does not know).
"""

from __future__ import annotations

import os
from itertools import count

from figway.evidence.comparing import evidence_window
from figway.message.headers import Arrival
from figway.message.http import RequestHead as CoreHead
from figway.model.words import WEIGHT_SCALE, Side
from figway.routing.compile import Plan
from figway.routing.decide import Decision, Why
from figway.routing.shadow import Skip, why_not_copied
from figway.routing.split import bucket
from proxy.capture.counts import CountBook, Counts
from proxy.capture.message import encode, header_block
from proxy.capture.queue import ShadowQueue
from proxy.loop.record import RequestRecord
from proxy.request.capture_port import CaptureTap
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead

MARKER = b"figway-shadow"
"""Carried by every copy; a request that has it is never captured (loop guard)."""

_COUNTED = frozenset({Skip.UNSAFE_METHOD, Skip.UNSAFE_GET, Skip.ANSWERS_LATER})
_MOST_METHODS = 32


class _Lane:
    """What is known of one plan: its window, its counts, whether a method is copied."""

    __slots__ = ("counts", "limit", "plan", "salt", "sample", "skips", "streams")

    def __init__(self, plan: Plan, revision: int) -> None:
        self.plan = plan
        self.counts = Counts(plan.route_id, evidence_window(plan), revision)
        self.limit = plan.shadow.body_limit
        self.streams = plan.shadow.event_streams
        self.sample = plan.shadow.sample
        self.salt = b"shadow:" + plan.route_id.encode()
        self.skips: dict[tuple[Side, str], Skip] = {}

    def skip(self, side: Side, method: str) -> Skip:
        """Why what `side` serves is not copied."""
        known = self.skips.get((side, method))
        if known is None:
            known = why_not_copied(self.plan, side, method)
            if len(self.skips) < _MOST_METHODS:
                self.skips[side, method] = known
        return known


class ShadowCapture:
    """Implements `proxy.request.capture_port.Capture`.

    `budget` bounds the body bytes that requests under way and the queue hold together.
    """

    def __init__(self, queue: ShadowQueue, book: CountBook, budget: int) -> None:
        self.queue = queue
        self.book = book
        self.budget = budget
        self.held = 0
        """Body bytes kept by requests under way."""
        self.revision = 0
        """Of the table that serves; set at every swap."""
        self._lanes: dict[str, _Lane] = {}
        self._seed = os.urandom(8)
        self._numbers = count()

    def table_changed(self, revision: int, routes: int) -> None:
        """Another table serves."""
        self.revision = revision
        if len(self._lanes) > routes:
            self._lanes.clear()

    def begin(
        self, plan: Plan, decision: Decision, head: RequestHead, arrival: Arrival
    ) -> CaptureTap | None:
        """See `Capture.begin`."""
        if decision.why is Why.KILL_SWITCH or head.get(MARKER) is not None:
            return None
        lane = self._lanes.get(plan.route_id)
        if lane is None or lane.plan is not plan:
            lane = self._lanes[plan.route_id] = _Lane(plan, self.revision)
        skip = lane.skip(decision.side, head.method)
        if skip is not Skip.NO and skip not in _COUNTED:
            return None
        if lane.sample < WEIGHT_SCALE and bucket(lane.salt, self._key(head)) >= lane.sample:
            return None
        reason = skip.value
        if not reason and head.upgrade:
            reason = "upgrade"
        if not reason and head.content_length is not None and head.content_length > lane.limit:
            reason = "body_over_cap"
        if reason:
            self.book.skipped(lane.counts, reason)
            return None
        return Tap(self, lane, head, arrival)

    def _key(self, head: CoreHead) -> bytes:
        """What is sampled: a trace as a whole, else every request for itself."""
        parent = head.get(b"traceparent")
        if parent is not None and len(parent) >= 35:
            return parent[3:35]
        return self._seed + next(self._numbers).to_bytes(8, "big")


class Tap:
    """Follows one request. What the queue takes; `encode` turns it into a message."""

    __slots__ = (
        "_answer",
        "_arrival",
        "_capture",
        "_cut",
        "_head",
        "_lane",
        "_pieces",
        "_record",
        "_request",
        "_request_size",
        "_response_size",
        "_skip",
        "_stream",
    )

    _record: RequestRecord

    def __init__(
        self, capture: ShadowCapture, lane: _Lane, head: RequestHead, arrival: Arrival
    ) -> None:
        self._capture = capture
        self._lane = lane
        self._head = head
        self._arrival = arrival
        self._answer: ResponseHead | None = None
        self._request: list[bytes] | None = None
        self._pieces: list[bytes] | None = None
        self._request_size = 0
        self._response_size = 0
        self._skip = ""
        self._stream = False
        self._cut = False

    @property
    def counts(self) -> Counts:
        """Where it is counted."""
        return self._lane.counts

    @property
    def size(self) -> int:
        """Body bytes that it holds."""
        return self._request_size + self._response_size

    # -- CaptureTap --------------------------------------------------------------------------

    def request_body(self, data: bytes) -> None:
        """See `CaptureTap`."""
        if not self._skip:
            if self._request is None:
                self._request = [data]
            else:
                self._request.append(data)
            self._request_size += len(data)
            self._hold(self._request_size, len(data))

    def response_head(self, head: ResponseHead) -> None:
        """See `CaptureTap`."""
        self._answer = head
        if not self._skip and _is_event_stream(head):
            self._stream = True
            if not self._lane.streams:
                self._give_up("event_stream")

    def response_body(self, data: bytes) -> None:
        """See `CaptureTap`."""
        if not self._skip:
            if self._stream and self._response_size + len(data) > self._lane.limit:
                self._cut = True  # it may go on for hours: what came so far is compared
            if self._cut:
                return
            if self._pieces is None:
                self._pieces = [data]
            else:
                self._pieces.append(data)
            self._response_size += len(data)
            self._hold(self._response_size, len(data))

    def finished(self, record: RequestRecord) -> None:
        """See `CaptureTap`. Queues the capture, or counts why not."""
        capture, counts = self._capture, self._lane.counts
        if record.client_gone and self._stream and self._response_size:
            self._cut = True
        reason = self._skip or _why_not(record, left=self._cut)
        if reason:
            capture.held -= self.size
            capture.book.skipped(counts, reason)
            return
        self._record = record
        capture.held -= self.size
        refused = capture.queue.put(self)
        if refused:
            capture.book.dropped(counts, refused)

    def _hold(self, size: int, more: int) -> None:
        capture = self._capture
        capture.held += more
        if size > self._lane.limit:
            self._give_up("body_over_cap")
        elif capture.held + capture.queue.held > capture.budget:
            self._give_up("memory_budget")

    def _give_up(self, reason: str) -> None:
        self._skip = reason
        self._capture.held -= self.size
        self._request = self._pieces = None
        self._request_size = self._response_size = 0

    # -- message -----------------------------------------------------------------------------

    def encode(self) -> list[bytes]:
        """The pieces of the message."""
        record, head, arrival, counts = self._record, self._head, self._arrival, self._lane.counts
        answer = self._answer
        meta = {
            "route": counts.route,
            "window": counts.window,
            "revision": counts.revision,
            "side": record.side,
            "method": head.method,
            "target": head.target.decode("latin-1"),
            "has_body": head.has_body,
            "peer": arrival.peer,
            "scheme": arrival.scheme,
            "host": arrival.host.decode("latin-1"),
            "trusted": arrival.trusted,
            "trace": record.trace_id,
            "at_ms": record.started_ms,
            "head_us": record.head_us,
            "status": 0 if answer is None else answer.status,
            "failure": record.failure,
        }
        if self._cut:
            meta |= {"cut": True, "lasted_us": record.total_us - record.head_us}
        raw = b"" if answer is None else answer.raw
        if raw is None:
            raw = header_block(answer.headers)  # type: ignore[union-attr]
        body, pieces = b"".join(self._request or ()), b"".join(self._pieces or ())
        parts = [header_block(head.headers), body, raw, pieces]
        return encode(meta, parts)


def _why_not(record: RequestRecord, *, left: bool) -> str:
    """Why a request is not compared; `left` says that its answer is a stream as far as it came."""
    if record.fallback:
        return "fallback"
    if record.client_gone and not left:
        return "client_gone"
    if record.upgrade:
        return "upgrade"
    if record.problem and not record.failure:
        return "facade_answer"
    return "not_modified" if record.status == 304 and record.side != Side.LEGACY else ""


def _is_event_stream(head: ResponseHead) -> bool:
    if head.raw is not None:
        return b"text/event-stream" in head.raw.lower()
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in head.headers
    )
