"""The upstream for function URLs that ask for IAM: an http backend whose requests are signed.

A backend of kind http with a `region` is one. The signature covers the body, so bodies are
collected, within what a function takes. The Host that is signed is the backend's own, whatever the
policy, and a client's Authorization does not go through: IAM's stands there.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes, urlsplit

from figway.model.table import Backend
from figway.serving.exchange import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.aws_lambda import CredentialSource, environment_credentials
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.lambda_event import MAX_PAYLOAD
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest
from proxy.wire.sigv4 import Credentials, sign

_REPLACED = frozenset({b"host", b"authorization", b"x-amz-date", b"x-amz-security-token"})


class FunctionUrlUpstream:
    """Implements `Upstream`. Must be made on the running loop."""

    def __init__(
        self,
        backend: Backend,
        timer: DeadlineTimer,
        *,
        read: ReadFile = read_regular,
        credentials: CredentialSource = environment_credentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.http = HttpUpstream(backend, timer, read)
        self._credentials = credentials
        self._clock = clock
        self._region = backend.region
        self._host = urlsplit(backend.url).netloc.rpartition("@")[2].encode("ascii")

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. The request goes out when its body is complete."""
        sending = _Collecting(self, request, sink)
        if (request.content_length or 0) > MAX_PAYLOAD:
            self.loop.call_soon(sending.fail, FailureKind.TOO_LARGE, "Over what a function takes.")
        elif not request.has_body:
            sending.go()
        return sending

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.http.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self.http.close()

    def credentials(self) -> Credentials | None:
        """What to sign with now."""
        return self._credentials()

    def signed(
        self, request: OutboundRequest, body: bytes, credentials: Credentials
    ) -> OutboundRequest:
        """The request with Host, hash, date and signature."""
        digest = hashlib.sha256(body).hexdigest().encode()
        own = [(b"Host", self._host), (b"X-Amz-Content-Sha256", digest)]
        path, _, query = request.target.decode("latin-1").partition("?")
        added = sign(
            credentials,
            method=request.method,
            path=path,
            query=canonical_query(query),
            headers=own,
            body=body,
            region=self._region,
            service="lambda",
            amz_date=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
        )
        kept = [pair for pair in request.headers if pair[0].lower() not in _REPLACED]
        return OutboundRequest(
            request.method,
            request.target,
            [own[0], *kept, own[1], *added],
            has_body=request.has_body,
            content_length=len(body) if request.has_body else None,
        )


def canonical_query(query: str) -> str:
    """A query as SigV4 wants it for signing: encoded strictly, and sorted. What is sent stays."""
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((_strict(name), _strict(value)))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def _strict(text: str) -> str:
    return quote(unquote_to_bytes(text.encode("latin-1")), safe="-_.~")


class _Collecting:
    """A request whose body is being collected; afterwards the `Sending` of the signed one."""

    def __init__(
        self, upstream: FunctionUrlUpstream, request: OutboundRequest, sink: ResponseSink
    ) -> None:
        self._upstream = upstream
        self._request = request
        self._sink = sink
        self._body: list[bytes] = []
        self._size = 0
        self._sending: Sending | None = None
        self._done = False

    def go(self) -> None:
        """The request is complete: sign and send it."""
        upstream, body = self._upstream, b"".join(self._body)
        self._body.clear()
        credentials = upstream.credentials()
        if credentials is None:
            detail = "No AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            upstream.loop.call_soon(self.fail, FailureKind.CONNECT, detail)
            return
        self._done = True
        signed = upstream.signed(self._request, body, credentials)
        self._sending = upstream.http.send(signed, self._sink)
        if self._request.has_body:
            self._sending.write(body)
            self._sending.end()

    def fail(self, kind: FailureKind, detail: str) -> None:
        """End with a failure, once; nothing was sent."""
        if not self._done:
            self._done = True
            self._sink.response_failed(Failure(kind, Sent.NOTHING, detail))

    # -- Sending -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self._done:
            return
        self._size += len(data)
        if self._size > MAX_PAYLOAD:
            self._body.clear()
            detail = "Over what a function takes."
            self._upstream.loop.call_soon(self.fail, FailureKind.TOO_LARGE, detail)
        else:
            self._body.append(data)

    def end(self) -> None:
        if not self._done and self._size <= MAX_PAYLOAD and self._request.has_body:
            self.go()

    def pause(self) -> None:
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        if self._sending is not None:
            self._sending.resume()

    def abort(self) -> None:
        self._done = True
        if self._sending is not None:
            self._sending.abort()
