"""One backend behind several URLs: an upstream that shares attempts among others.

It decides for each attempt anew, and learns from how attempts end. Whether a failed one is followed
by another is the exchange's business (`Exchange.retry`); it then lands here again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from figway.message.http import Headers
from figway.model.backend import Backend, HealthPolicy
from figway.serving.attempts.failures import FailureKind
from figway.serving.attempts.members import Member, Members
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.logins import ClientConnection
from proxy.upstreams.mending import Mending
from proxy.upstreams.port import Failure, ResponseSink, Sending, Upstream
from proxy.wire.message import OutboundRequest, ResponseHead

_NOT_ITS_FAULT = frozenset(
    {FailureKind.SATURATED, FailureKind.STALE, FailureKind.TOO_LARGE, FailureKind.DEADLINE}
)

OpenOne = Callable[[Backend, DeadlineTimer], Upstream]


class BalancedUpstream:
    """Implements `Upstream` over one upstream a URL. Raises what `open_one` raises."""

    def __init__(self, backend: Backend, timer: DeadlineTimer, open_one: OpenOne) -> None:
        urls = (backend.url, *backend.urls)
        singles = [replace(backend, url=url, urls=()) for url in urls]
        self.members = Members(len(urls), backend.balance, backend.outlier)
        self.names = tuple(_name(url) for url in urls)
        self.upstreams = [open_one(single, timer) for single in singles]
        self._healthy = backend.outlier.healthy_statuses
        self._timer = timer
        self._checks: list[HealthCheck] = []
        if backend.health.path:
            for member, single, upstream in zip(
                self.members.all, singles, self.upstreams, strict=True
            ):
                check = HealthCheck(single, member, upstream, backend.health, timer)
                self._checks.append(check)
                timer.add(check)

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`."""
        index = self._own(request.owner)
        if index < 0:
            index = self.members.pick(self._timer.now)
        healthy = self._healthy + request.healthy
        observed = _Observed(sink, self.members, index, self._timer, healthy)
        observed.sending = self.upstreams[index].send(request, observed)
        return observed

    def take_odd(self) -> dict[str, int]:
        """See `Mending.take_odd`; added up over the URLs."""
        odd: Counter[str] = Counter()
        for upstream in self.upstreams:
            if isinstance(upstream, Mending):
                odd.update(upstream.take_odd())
        return odd

    def _own(self, owner: object) -> int:
        """Where the client has a connection that is its alone: the member; -1 for none."""
        if isinstance(owner, ClientConnection) and owner.logged_in:
            for index, upstream in enumerate(self.upstreams):
                if owner.has(getattr(upstream, "pool", None)):
                    return index
        return -1

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self._stop_checks()
        for upstream in self.upstreams:
            upstream.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        self._stop_checks()
        for upstream in self.upstreams:
            await upstream.close()

    def _stop_checks(self) -> None:
        checks, self._checks = self._checks, []
        for check in checks:
            check.stop()
            self._timer.discard(check)


def _name(url: str) -> str:
    """A URL as it is shown: credentials that somebody wrote into it are nobody's business."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


class _Observed:
    """Passes an attempt on, both ways, and tells its member how it went."""

    __slots__ = ("_healthy", "_index", "_members", "_over", "_sink", "_timer", "sending")

    sending: Sending

    def __init__(
        self,
        sink: ResponseSink,
        members: Members,
        index: int,
        timer: DeadlineTimer,
        healthy: tuple[int, ...],
    ) -> None:
        self._healthy = healthy
        self._sink = sink
        self._members = members
        self._index = index
        self._timer = timer
        self._over = False
        members.all[index].outstanding += 1

    def _done(self) -> None:
        if not self._over:
            self._over = True
            self._members.all[self._index].outstanding -= 1

    # -- ResponseSink ------------------------------------------------------------------------

    def response_informational(self, head: ResponseHead) -> None:
        self._sink.response_informational(head)

    def response_head(self, head: ResponseHead) -> None:
        if head.status >= 500 and head.status not in self._healthy:
            self._members.failed(self._index, self._timer.now)
        else:
            self._members.answered(self._index)
        self._sink.response_head(head)

    def response_body(self, data: bytes) -> None:
        self._sink.response_body(data)

    def response_end(self, trailers: Headers) -> None:
        self._done()
        self._sink.response_end(trailers)

    def response_failed(self, failure: Failure) -> None:
        self._done()
        if failure.kind not in _NOT_ITS_FAULT:
            self._members.failed(self._index, self._timer.now)
        self._sink.response_failed(failure)

    def request_paused(self) -> None:
        self._sink.request_paused()

    def request_resumed(self) -> None:
        self._sink.request_resumed()

    # -- Sending -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self.sending.write(data)

    def end(self) -> None:
        self.sending.end()

    def pause(self) -> None:
        self.sending.pause()

    def resume(self) -> None:
        self.sending.resume()

    def abort(self) -> None:
        self._done()
        self.sending.abort()


class HealthCheck:
    """Asks one URL again and again (`HasDeadline`); the `ResponseSink` of each question."""

    def __init__(
        self,
        backend: Backend,
        member: Member,
        upstream: Upstream,
        policy: HealthPolicy,
        timer: DeadlineTimer,
    ) -> None:
        url = urlsplit(backend.url)
        host = backend.host or url.netloc.rpartition("@")[2]
        self._target = (url.path.rstrip("/") + policy.path).encode()
        self._headers: Headers = [(b"Host", host.encode()), (b"User-Agent", b"figway-health")]
        self._member = member
        self._upstream = upstream
        self._policy = policy
        self._timer = timer
        self._sending: Sending | None = None
        self._status = 0
        self.deadline = 0

    def stop(self) -> None:
        """Ask no more."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.abort()

    def expired(self, now: int) -> None:
        """Time for a question, or too late for its answer."""
        if self._sending is not None:
            self.stop()
            self._came(False)
            return
        self._status = 0
        self.deadline = now + self._policy.timeout_ms
        request = OutboundRequest("GET", self._target, list(self._headers))
        self._sending = self._upstream.send(request, self)

    def _came(self, good: bool) -> None:
        self._sending = None
        self._member.checked(good, self._policy)
        self.deadline = self._timer.now + self._policy.interval_ms

    def response_informational(self, head: ResponseHead) -> None:
        """Of no interest."""

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status

    def response_body(self, data: bytes) -> None:
        """Of no interest; it is read, so that the connection can be kept."""

    def response_end(self, trailers: Headers) -> None:
        self._came(200 <= self._status < 400)

    def response_failed(self, failure: Failure) -> None:
        self._came(failure.kind is FailureKind.SATURATED)  # busy is not unwell

    def request_paused(self) -> None:
        """There is no body."""

    request_resumed = request_paused
