"""The operation of a request whose route its body decides.

The flow gathers the body's first bytes (phase PEEKING), and nothing has been sent to anybody. Here
they are read, and the table is asked with what was read, as if the head had arrived now.
"""

from __future__ import annotations

from typing import Final

from figway.model.operations import FaultKind
from figway.model.table import Route
from figway.operation.operation import BodyNeeded, Operation, OperationReading
from proxy.loop.operation_counts import OperationCounts
from proxy.loop.record import RequestRecord
from proxy.request.capture_port import CaptureTap
from proxy.request.choice import Choice, choose
from proxy.request.fault_watch import AnswerRead, FaultWatch
from proxy.request.runtime import Runtime
from proxy.wire.client_head import RequestHead

_NO_WATCH: Final = AnswerRead()
LIMIT: Final = 65_536
"""Bytes of a body that are gathered; what they do not tell stays unread."""


class Peeked:
    """What was read, for the record and the count: `operation` in words, `unread` why it decided
    nothing, `place` the path template whose routes asked."""

    __slots__ = ("_watch", "operation", "operations", "place", "unread")

    def __init__(self, reading: OperationReading, unread: str, place: str) -> None:
        self.operation = reading.text
        self.operations: tuple[Operation, ...] = reading.all
        self.unread = unread
        self.place = place
        self._watch: FaultWatch | None = None

    def watched(self, route: Route | None, tap: CaptureTap | None) -> CaptureTap | None:
        """What follows the request: `tap`, and what reads whether its answer is a fault."""
        if route is None or route.faults is FaultKind.NONE:
            return tap
        self._watch = FaultWatch(route, tap)
        return self._watch

    def count(self, counts: OperationCounts, record: RequestRecord) -> None:
        """Count the request, which is over."""
        said = _NO_WATCH if self._watch is None else self._watch.fault(record)
        counts.count(record, self.place, self.operations, said.code, blamed=said.blamed)
        if said.unread:
            counts.answer_unread(record)


def choose_read(
    runtime: Runtime,
    wanted: BodyNeeded,
    head: RequestHead,
    body: bytes,
    now: int,
    *,
    complete: bool,
) -> tuple[Choice, Peeked]:
    """Choose by what is there of the body; `complete` says that it is all."""
    compiled = runtime.table
    found = dict(runtime.readers.read(wanted.asks, head, body, complete=complete).found)
    while True:
        reading = OperationReading(found)
        try:
            plan, unread = compiled.match_read(head, reading)
        except BodyNeeded as needed:  # a less specific route asks for another kind
            more = runtime.readers.read(needed.asks, head, body, complete=complete).found
            found.update(more)
            continue
        if head.method == "OPTIONS":
            unread = ""  # a preflight has no body, and nothing to tell
        return choose(runtime, head, now, plan), Peeked(reading, unread, wanted.place)
