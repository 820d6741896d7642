"""Reads what a served answer says of itself, where the operation of the request was read.

GraphQL and JSON-RPC errors come with status 200, and a SOAP fault of the client's making with 500:
for such a route the status does not tell whether the server failed. So the first bytes of an answer
are held, and read when the last one has been handed to the client's connection. An answer without
the word that its protocol has for faults costs one search for that word.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from figway.model.table import Route
from proxy.loop.record import RequestRecord
from proxy.request.capture_port import CaptureTap
from proxy.wire.message import ResponseHead

LIMIT: Final = 65_536
"""Bytes of an answer that are held and, unpacked, read."""


class AnswerRead(NamedTuple):
    """What an answer says of itself."""

    code: str = ""
    """The code of the fault that it is; empty for none."""
    blamed: bool = False
    """The server blames itself."""
    unread: bool = False
    """It was not read: longer than `LIMIT`, or packed by a coding that cannot be undone here."""


_NOTHING: Final = AnswerRead()
_UNREAD: Final = AnswerRead(unread=True)


class FaultWatch:
    """A `CaptureTap` around another one, or around none."""

    __slots__ = ("_answer", "_inner", "_pieces", "_route", "_size")

    def __init__(self, route: Route, inner: CaptureTap | None) -> None:
        self._route = route
        self._inner = inner
        self._answer: ResponseHead | None = None
        self._pieces: list[bytes] | None = []
        self._size = 0

    def request_body(self, data: bytes) -> None:
        """See `CaptureTap`."""
        if self._inner is not None:
            self._inner.request_body(data)

    def response_head(self, head: ResponseHead) -> None:
        """See `CaptureTap`."""
        self._answer = head
        if self._inner is not None:
            self._inner.response_head(head)

    def response_body(self, data: bytes) -> None:
        """See `CaptureTap`."""
        if self._pieces is not None:
            self._size += len(data)
            self._pieces.append(data)
            if self._size > LIMIT:
                self._pieces = None
        if self._inner is not None:
            self._inner.response_body(data)

    def finished(self, record: RequestRecord) -> None:
        """See `CaptureTap`."""
        if self._inner is not None:
            self._inner.finished(record)

    def fault(self, record: RequestRecord) -> AnswerRead:
        """What the answer says of itself. One that failed says nothing."""
        answer, pieces = self._answer, self._pieces
        if answer is None or record.failure or record.problem or record.client_gone:
            return _NOTHING
        if pieces is None:
            from figway.compare.faults import may_be_fault

            return _UNREAD if may_be_fault(tuple(answer.headers)) else _NOTHING
        return self._read(answer, b"".join(pieces)) if pieces else _NOTHING

    def _read(self, head: ResponseHead, body: bytes) -> AnswerRead:
        from figway.compare.answer import Answer  # only where operations are counted
        from figway.compare.faults import FaultUnread, fault_in
        from figway.compare.limits import Limits
        from figway.evidence.comparing import faults_of
        from proxy.wire.decoders import decoders

        answer = Answer(head.status, tuple(head.headers), body)
        limits = Limits(decoded_bytes=LIMIT)
        try:
            found = fault_in(answer, faults_of(self._route), decoders(), limits)
        except FaultUnread:
            return _UNREAD
        return _NOTHING if found is None else AnswerRead(str(found), found.server)
