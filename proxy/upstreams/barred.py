"""Stands for a backend that this proxy cannot open: every attempt fails, with nothing sent."""

from __future__ import annotations

from figway.serving.attempts.failures import FailureKind
from proxy.upstreams.port import ResponseSink, Sending
from proxy.upstreams.refused import RefusedSending
from proxy.wire.message import OutboundRequest


class BarredUpstream:
    """Implements `Upstream`. `why` is told to whoever asks."""

    def __init__(self, why: str) -> None:
        self.why = why

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`."""
        detail = f"This proxy cannot open the backend: {self.why}."
        return RefusedSending(sink, FailureKind.CONNECT, detail)

    def retire(self) -> None:
        """There is nothing to retire."""

    async def close(self) -> None:
        """There is nothing to close."""
