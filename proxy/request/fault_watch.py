"""Reads what a served answer says of itself, where the operation of the request was read.

GraphQL and JSON-RPC errors come with status 200, and a SOAP fault of the client's making with 500:
for such a route the status does not tell whether the server failed. So the first bytes of an answer
are held, and read when the last one has been handed to the client's connection. An answer without
the word that its protocol has for faults costs one search for that word.
"""

from __future__ import annotations

from typing import Final

from figway.model.table import Route
from proxy.loop.record import RequestRecord
from proxy.request.capture_port import CaptureTap
from proxy.wire.message import ResponseHead

LIMIT: Final = 65_536
"""Bytes of an answer that are held and, unpacked, read; a longer one counts as no fault."""


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

    def fault(self, record: RequestRecord) -> tuple[str, bool]:
        """The code of the fault that the answer is, empty for none; whether the server blames
        itself."""
        answer, pieces = self._answer, self._pieces
        if answer is None or not pieces or record.failure or record.problem or record.client_gone:
            return "", False
        from figway.compare.answer import Answer  # only where operations are counted
        from figway.compare.faults import fault_of
        from figway.compare.limits import Limits
        from figway.evidence.comparing import faults_of

        found = fault_of(
            Answer(answer.status, tuple(answer.headers), b"".join(pieces)),
            faults_of(self._route),
            limits=Limits(decoded_bytes=LIMIT),
        )
        return ("", False) if found is None else (str(found), found.server)
