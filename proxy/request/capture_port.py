"""What a request tells the shadow: the port through which copies are taken."""

from __future__ import annotations

from typing import Protocol

from figway.message.headers import Arrival
from figway.routing.compile import Plan
from figway.routing.decide import Decision
from proxy.loop.record import RequestRecord
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead


class CaptureTap(Protocol):
    """Follows one request for the shadow. Must return at once and never raise."""

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""

    def response_head(self, head: ResponseHead) -> None:
        """The head that the client is sent, as the backend gave it."""

    def response_body(self, data: bytes) -> None:
        """A piece of the answer's body."""

    def finished(self, record: RequestRecord) -> None:
        """The request is over, one way or another. Nothing is called afterwards."""


class Capture(Protocol):
    """Chooses what is copied to the other side."""

    def begin(
        self, plan: Plan, decision: Decision, head: RequestHead, arrival: Arrival
    ) -> CaptureTap | None:
        """A tap for this request, or None if it is not to be copied."""
