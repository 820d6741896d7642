"""The Lambda door: one event in, one answer out, through the same flow as every other door.

The request is whole when it arrives, and the answer must be whole when it leaves, so this door has
no back-pressure; it has a limit of size, beyond which it answers 413 before the platform fails in
its own way, and a limit of time: what is left of the invocation bounds the route's deadline.
With `streamed` it hands head and body on as they come, and both limits of size go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from figway.message.forwarded import said
from figway.message.headers import Arrival
from figway.message.http import Headers
from figway.message.problem import Problem
from proxy.doors.aws_lambda_answer import (
    MAX_PAYLOAD,
    Answer,
    BodyMeter,
    TooLarge,
    build_answer,
    limit_of,
    room_for,
)
from proxy.doors.aws_lambda_event import EventKind, Incoming, kind_of, method_of, read_event
from proxy.doors.peer import client_address, is_trusted
from proxy.request.client import ClientPort, problem_answer
from proxy.request.flow import Flow
from proxy.request.runtime import Runtime
from proxy.wire.client_head import BadRequest
from proxy.wire.message import ResponseHead

MARGIN_MS = 300
"""Kept back of an invocation's time, so that an answer of ours leaves before the platform's."""
_LEAST_MS = 50
_NO_TIME = Problem(504, "deadline", "No answer before the deadline")
_BROKEN_OFF = Problem(502, "answer_broken_off", "The backend's answer broke off")


def _too_large(kind: EventKind) -> Problem:
    size = "1 MB" if limit_of(kind) < 2_000_000 else "6 MB"
    detail = f"The answer is over the {size} that the platform takes from a function."
    return Problem(413, "answer_too_large", "The answer is too large", detail)


class InvocationClient(ClientPort, Protocol):
    """The client's end of one invocation."""

    ended: asyncio.Event
    """Set when the answer has ended, well or badly."""

    def attach(self, flow: Flow) -> None:
        """The flow that will answer."""


class LambdaDoor:
    """Serves a runtime, an invocation at a time."""

    def __init__(self, runtime: Runtime, *, base_path: str = "") -> None:
        self.runtime = runtime
        self._base_path = base_path

    async def answer(self, event: Mapping[str, Any], remaining_ms: int, trace: str = "") -> Answer:
        """Answer an event within what is left of the invocation. Raises `UnknownEvent`."""
        client = BufferedClient(kind_of(event), to_head=method_of(event) == "HEAD")
        await self.serve(event, remaining_ms, client, trace)
        return client.answer()

    async def serve(
        self, event: Mapping[str, Any], remaining_ms: int, client: InvocationClient, trace: str = ""
    ) -> None:
        """Answer an event through `client`. Raises `UnknownEvent`."""
        try:
            incoming = self._read(event, trace)
        except BadRequest as error:
            problem = Problem(error.status, error.code, "Bad request", error.detail)
            self.runtime.refused("", problem)
            head, body = problem_answer(problem, "")
            client.respond(head)
            client.body(body)
            client.end([])
            return
        flow = self._begin(incoming, client, remaining_ms)
        try:
            # A response head has its deadline in the flow; this one is for the whole answer.
            async with asyncio.timeout(max(_LEAST_MS, remaining_ms - MARGIN_MS / 2) / 1_000):
                await client.ended.wait()
        except TimeoutError:
            flow.refuse(_NO_TIME)

    def _read(self, event: Mapping[str, Any], trace: str) -> Incoming:
        settings = self.runtime.settings
        incoming = read_event(
            event, base_path=self._base_path, max_fields=settings.max_fields, trace=trace
        )
        if len(incoming.head.target) > settings.max_line:
            raise BadRequest(414, "uri_too_long", "The request line is too long.")
        if len(incoming.body) > limit_of(incoming.kind):
            raise BadRequest(413, "body_too_large", "Over what the platform takes.")
        return incoming

    def _begin(self, incoming: Incoming, client: InvocationClient, remaining_ms: int) -> Flow:
        head, peer = incoming.head, incoming.peer
        networks = self.runtime.settings.trusted_proxies
        trusted = is_trusted(peer, networks)
        if trusted:
            head.client = client_address(peer, said(head.get).chain, networks)
        flow = Flow(self.runtime, head, client, Arrival(peer, incoming.scheme, head.host, trusted))
        client.attach(flow)
        flow.hold = MAX_PAYLOAD  # it is in memory: nothing is gained by forgetting it
        flow.begin()
        if incoming.body:
            flow.body(incoming.body)
        if head.has_body:
            flow.body_end()
        flow.bound(self.runtime.timer.now + max(_LEAST_MS, remaining_ms - MARGIN_MS))
        return flow


class BufferedClient:
    """The client's end of an invocation whose answer must be whole."""

    def __init__(self, kind: EventKind, *, to_head: bool) -> None:
        self.ended = asyncio.Event()
        self._kind = kind
        self._to_head = to_head
        self._flow: Flow | None = None
        self._head: ResponseHead | None = None
        self._meter = BodyMeter(0)
        self._pieces: list[bytes] = []
        self._problem: Problem | None = _BROKEN_OFF

    def attach(self, flow: Flow) -> None:
        """See `InvocationClient`."""
        self._flow = flow

    def answer(self) -> Answer:
        """What the function returns."""
        if self._problem is None and self._head is not None:
            try:
                return self._build(self._head, b"".join(self._pieces))
            except TooLarge:
                self._problem = _too_large(self._kind)
        head, body = problem_answer(self._problem or _BROKEN_OFF, "")
        return self._build(head, b"" if self._to_head else body)

    def _build(self, head: ResponseHead, body: bytes) -> Answer:
        keep = self._to_head or head.status == 304
        return build_answer(
            self._kind, head.status, head.reason, head.headers, body, keep_length=keep
        )

    # -- ClientPort --------------------------------------------------------------------------

    def inform(self, head: ResponseHead) -> None:
        """A function has one answer to give."""

    def respond(self, head: ResponseHead) -> None:
        """Begin the answer."""
        self._head = head
        room = room_for(self._kind, head.headers)
        self._meter = BodyMeter(room)
        if room < 0 or (_length(head) > room and not self._to_head and head.status != 304):
            self._refuse()

    def body(self, data: bytes) -> None:
        """Keep a piece of the answer, as long as it can still be returned."""
        if self._meter.fits(data):
            self._pieces.append(data)
        else:
            self._refuse()

    def end(self, trailers: Headers) -> None:
        """The answer is complete."""
        self._problem = None
        self.ended.set()

    def abort(self) -> None:
        """The answer broke off. Nothing of it has left, so the client can be told."""
        self._pieces.clear()
        self.ended.set()

    def pause_body(self) -> None:
        """The body is in memory already."""

    def connection(self) -> None:
        """Events come from anybody: no connection is one client's alone."""

    def resume_body(self) -> None:
        """See `pause_body`."""

    def _refuse(self) -> None:
        self._problem = _too_large(self._kind)
        if self._flow is not None:
            self._flow.refuse(self._problem)


def _length(head: ResponseHead) -> int:
    for name, value in head.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0
