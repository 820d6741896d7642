"""A request that a backend never gets: it fails in the next turn of the loop, with nothing sent."""

from __future__ import annotations

import asyncio

from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.port import Failure, ResponseSink


class RefusedSending:
    """Implements `Sending`; `sink` is told of the failure after `send` has returned."""

    def __init__(self, sink: ResponseSink, kind: FailureKind, detail: str) -> None:
        self._sink: ResponseSink | None = sink
        self._failure = Failure(kind, Sent.NOTHING, detail)
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.response_failed(self._failure)

    def write(self, data: bytes) -> None:
        """Nothing to write to."""

    def end(self) -> None:
        """Nothing to end."""

    def pause(self) -> None:
        """Nothing to pause."""

    def resume(self) -> None:
        """Nothing to resume."""

    def abort(self) -> None:
        self._sink = None
