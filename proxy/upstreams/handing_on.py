"""The upstream for backends of kind queue, events and workflow: a request becomes one call of AWS's
API, and its answer becomes the client's.

What is known of a failed call decides what may follow: a refused or throttled one took nothing; of
one that was cut, timed out or failed within the service nobody knows, and it is not repeated, but
once, at the same resource, where a deduplication id makes the repetition the same message.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from figway.message.http import Headers
from figway.model.backend import AwsResource, Backend, BackendKind, timeouts_of
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER, DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.aws_endpoint import (
    NO_CREDENTIALS,
    AwsEndpoint,
    CredentialSource,
    environment_credentials,
)
from proxy.upstreams.collecting import Collecting
from proxy.upstreams.handed_message import Handed
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.lambda_event import MAX_PAYLOAD, FunctionAnswer
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead

_MAX_REPLY: Final = MAX_PAYLOAD
_AMBIGUOUS: Final = frozenset({FailureKind.STALE, FailureKind.RESET, FailureKind.SERVICE_ERROR})


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call: `deduplicated` says that a second one like it would be the same message."""

    endpoint: AwsEndpoint
    fields: Headers
    payload: bytes
    deduplicated: bool = False


@dataclass(frozen=True, slots=True)
class ServiceReply:
    """The answer to a call, whole. `fields` are by lower-case name."""

    status: int
    fields: dict[bytes, bytes]
    payload: bytes


class Receiver(Protocol):
    """One resource of AWS that requests are handed to."""

    limit: int
    """Bytes that it takes at once."""
    takes: str
    """The same, for people: `A queue takes 1 MiB`."""

    def endpoints(self) -> list[AwsEndpoint]:
        """Every address that calls may go to."""

    def call(self, handed: Handed, body: bytes) -> ServiceCall | None:
        """The call for a request; None when it would be over `limit`."""

    def answer(self, reply: ServiceReply, handed: Handed) -> FunctionAnswer | Failure:
        """What the client gets for a reply, or the failure that it stands for."""


OpenReceiver = Callable[[Backend, CredentialSource, Callable[[], float]], Receiver]


class HandingOnUpstream:
    """Implements `Upstream`. Must be made on the running loop. Raises what `Receiver` raises."""

    def __init__(
        self,
        backend: Backend,
        timer: DeadlineTimer,
        open_receiver: OpenReceiver,
        *,
        read: ReadFile = read_regular,
        credentials: CredentialSource = environment_credentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.aws = backend.aws
        self.receiver = open_receiver(backend, credentials, clock)
        self.timer = timer
        self.most_ms = timeouts_of(backend).head_ms
        self._https: dict[str, HttpUpstream] = {}
        for url in {endpoint.url for endpoint in self.receiver.endpoints()}:
            http = replace(backend, kind=BackendKind.HTTP, url=url)
            self._https[url] = HttpUpstream(http, timer, read)

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. The call is made when the request's body is complete."""
        sending = _CallOfAws(self, request, sink)
        sending.begin()
        return sending

    def begin(self, call: ServiceCall, sink: ResponseSink) -> Sending | None:
        """Make a call; None when it would have to go unsigned."""
        post = call.endpoint.post(call.fields, call.payload)
        if post is None:
            return None
        # The client gets nothing before the answer is whole: its end is waited for like its head.
        post.idle_ms = self.most_ms
        sending = self._https[call.endpoint.url].send(post, sink)
        sending.write(call.payload)
        sending.end()
        return sending

    def retire(self) -> None:
        """See `Upstream.retire`."""
        for http in self._https.values():
            http.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        for http in self._https.values():
            await http.close()


class HandedOn(Collecting):
    """One request to be handed on: its client's `Sending`, and what its calls end in.

    `deduplicated` says that a second call like the first would be the same message.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: OutboundRequest,
        sink: ResponseSink,
        limit: int,
        aws: AwsResource,
    ) -> None:
        super().__init__(loop, request, sink, limit)
        self.handed = Handed(request, aws)
        self.deduplicated = False
        self._repeated = False

    @abstractmethod
    def make(self) -> None:
        """Make the call. Call `answered` or `broken` later."""

    def answered(self, answer: FunctionAnswer | Failure) -> None:
        """The call has an answer for the client, or one that is a failure."""
        if self.done:
            return
        if isinstance(answer, Failure):
            self.broken(answer)
            return
        self.sink.response_head(ResponseHead(answer.status, b"", answer.headers))
        if answer.body and not self.done:
            self.sink.response_body(answer.body)
        if not self.done:
            self.done = True
            self.sink.response_end([])

    def broken(self, failure: Failure) -> None:
        """A call failed."""
        doubtful = failure.kind in _AMBIGUOUS and failure.sent is not Sent.NOTHING
        if self.deduplicated and doubtful and not self._repeated:
            if not self.done:
                self._repeated = True
                self.make()
            return
        # Whoever asked cannot know that a repetition would follow one that was perhaps taken.
        sent = Sent.SOME if self._repeated else failure.sent
        self.fail(failure.kind, sent, failure.detail)


class _CallOfAws(HandedOn):
    """A request that becomes a call of AWS's API."""

    def __init__(
        self, upstream: HandingOnUpstream, request: OutboundRequest, sink: ResponseSink
    ) -> None:
        super().__init__(upstream.loop, request, sink, upstream.receiver.limit, upstream.aws)
        self._upstream = upstream
        self._call: ServiceCall | None = None

    def complete(self, body: bytes) -> None:
        self._call = call = self._upstream.receiver.call(self.handed, body)
        if call is None:
            self.later(*self.too_large())
        else:
            self.deduplicated = call.deduplicated
            self.make()

    def too_large(self) -> tuple[FailureKind, str]:
        return FailureKind.MESSAGE_TOO_LARGE, f"{self._upstream.receiver.takes} at most."

    def make(self) -> None:
        """See `HandedOn.make`."""
        assert self._call is not None
        upstream = self._upstream
        self.onward = upstream.begin(self._call, _Reply(upstream, self._replied, self._given_up))
        if self.onward is None:
            self.later(FailureKind.CONNECT, NO_CREDENTIALS)

    def _given_up(self, failure: Failure) -> None:
        if self.onward is not None:
            self.onward.abort()
        self.broken(failure)

    def _replied(self, reply: ServiceReply) -> None:
        if not self.done:
            self.answered(self._upstream.receiver.answer(reply, self.handed))


class _Reply:
    """Implements `ResponseSink`: collects the answer to one call, for so long from its head on."""

    def __init__(
        self,
        upstream: HandingOnUpstream,
        replied: Callable[[ServiceReply], None],
        broken: Callable[[Failure], None],
    ) -> None:
        self._timer = upstream.timer
        self._most_ms = upstream.most_ms
        self._until = NEVER
        self._replied = replied
        self._broken = broken
        self._head: ResponseHead | None = None
        self._payload: list[bytes] = []
        self._size = 0

    def response_informational(self, head: ResponseHead) -> None:
        """Interim answers of the platform are of no interest."""

    def response_head(self, head: ResponseHead) -> None:
        self._head = head
        self._until = self._timer.now + self._most_ms

    def response_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._timer.now > self._until:
            self._broken(Failure(FailureKind.TIMEOUT, Sent.SOME, "No whole answer in time."))
        elif self._size > _MAX_REPLY:
            self._broken(Failure(FailureKind.TOO_LARGE, Sent.SOME, "Its answer is over 6 MB."))
        else:
            self._payload.append(data)

    def response_end(self, trailers: Headers) -> None:
        head = self._head
        if head is None:
            return
        fields = {name.lower(): value for name, value in head.headers}
        self._replied(ServiceReply(head.status, fields, b"".join(self._payload)))

    def response_failed(self, failure: Failure) -> None:
        self._broken(failure)

    def request_paused(self) -> None:
        """The call is written whole: nobody to pause."""

    def request_resumed(self) -> None:
        """See `request_paused`."""
