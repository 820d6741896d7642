"""The upstream for backends of kind http: a pooled HTTP/1.1 client of callbacks.

No task, timer or coroutine per request on a kept connection. No cookie jar, no redirects, no
decompression, no proxies from the environment; header fields go out as they are given.
"""

from __future__ import annotations

from figway.model.backend import Backend, timeouts_of
from figway.serving.attempts.failures import FailureKind
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.dial import Dialer
from proxy.upstreams.pool import Pool
from proxy.upstreams.port import ResponseSink, Sending
from proxy.upstreams.refused import RefusedSending
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
            return RefusedSending(sink, FailureKind.PROTOCOL, str(error))
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
