"""Stands for a backend that this proxy cannot open: every attempt fails, with nothing sent."""

from __future__ import annotations

import asyncio

from figway.serving.failures import FailureKind, Sent
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest


class BarredUpstream:
    """Implements `Upstream`. `why` is told to whoever asks."""

    def __init__(self, why: str) -> None:
        self.why = why

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`."""
        attempt = _Barred(sink, f"This proxy cannot open the backend: {self.why}.")
        asyncio.get_running_loop().call_soon(attempt.tell)
        return attempt

    def retire(self) -> None:
        """There is nothing to retire."""

    async def close(self) -> None:
        """There is nothing to close."""


class _Barred:
    def __init__(self, sink: ResponseSink, detail: str) -> None:
        self._sink: ResponseSink | None = sink
        self._detail = detail

    def tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.response_failed(Failure(FailureKind.CONNECT, Sent.NOTHING, self._detail))

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
