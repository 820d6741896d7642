"""The operation of a request whose route its body decides.

The flow gathers the body's first bytes (phase PEEKING), and nothing has been sent to anybody. Here
they are read, and the table is asked with what was read, as if the head had arrived now.
"""

from __future__ import annotations

from typing import Final

from figway.operation.operation import Ask, BodyNeeded, OperationReading
from proxy.request.choice import Choice, choose
from proxy.request.runtime import Runtime
from proxy.wire.client_head import RequestHead

LIMIT: Final = 65_536
"""Bytes of a body that are gathered; what they do not tell stays unread."""


class Peeked:
    """What was read, for the record: the operations in words, and why they decided nothing."""

    __slots__ = ("operation", "unread")

    def __init__(self, operation: str, unread: str) -> None:
        self.operation = operation
        self.unread = unread


def choose_read(
    runtime: Runtime,
    asks: tuple[Ask, ...],
    head: RequestHead,
    body: bytes,
    now: int,
    *,
    complete: bool,
) -> tuple[Choice, Peeked]:
    """Choose by what is there of the body; `complete` says that it is all."""
    compiled = runtime.table
    found = dict(runtime.readers.read(asks, head, body, complete=complete).found)
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
        return choose(runtime, head, now, plan), Peeked(reading.text, unread)
