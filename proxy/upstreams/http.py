"""The upstream for backends of kind http: a pooled HTTP/1.1 client of callbacks.

No task, timer or coroutine per request on a kept connection. No cookie jar, no redirects, no
decompression, no proxies from the environment; header fields go out as they are given.
"""

from __future__ import annotations

from figway.model.backend import Backend, timeouts_of
from figway.serving.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.dial import Dialer
from proxy.upstreams.pool import Pool
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest
from proxy.wire.request_head import BadRequestHead


class HttpUpstream:
    """Implements `Upstream`. Must be made on the running loop; the sweep must be ticking.

    Raises ValueError for a URL that is not http(s), OSError or `ssl.SSLError` for a `ca_file`
    that cannot be read.
    """

    def __init__(
        self, backend: Backend, timer: DeadlineTimer, read: ReadFile = read_regular
    ) -> None:
        dialer = Dialer(backend, read)
        self.pool = Pool(dialer, dialer.refuse_peer, timer, timeouts_of(backend), backend.limits)

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. A connection is taken, opened or waited for."""
        pool = self.pool
        try:
            attempt = Attempt(pool, request, sink)
        except BadRequestHead as error:
            refused = _Refused(sink, str(error))
            pool.loop.call_soon(refused.tell)
            return refused
        pool.start(attempt)
        return attempt

    def take_odd(self) -> dict[str, int]:
        """See `Mending.take_odd`."""
        return self.pool.take_odd()

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.pool.retire()

    async def close(self) -> None:
        """See `Upstream.close`. Returns when all sockets are closed."""
        await self.pool.close()


class _Refused:
    """The `Sending` of a request that cannot be put on the wire."""

    def __init__(self, sink: ResponseSink, detail: str) -> None:
        self._sink: ResponseSink | None = sink
        self._detail = detail

    def tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.response_failed(Failure(FailureKind.PROTOCOL, Sent.NOTHING, self._detail))

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
