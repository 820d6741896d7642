"""The readers of operations of one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from figway.operation.operation import Ask, OperationReading
from proxy.wire.client_head import RequestHead

if TYPE_CHECKING:
    from figway.operation.read import OperationReader


class Readers:
    """The readers of one worker, made when the first request needs them."""

    def __init__(self) -> None:
        self._reader: OperationReader | None = None

    def read(
        self, asks: tuple[Ask, ...], head: RequestHead, body: bytes, *, complete: bool
    ) -> OperationReading:
        """Read what `asks` want."""
        if self._reader is None:
            from figway.operation.read import OperationReader  # a cold start does without it

            self._reader = OperationReader()
        return self._reader.read(asks, head, body, complete=complete)
