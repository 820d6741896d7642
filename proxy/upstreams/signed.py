"""The upstream for AWS services that speak plain HTTP and ask for IAM: S3, API Gateway, function
URLs, OpenSearch. An http backend whose requests are signed.

The signature covers the body, so bodies are collected, within what the service takes; but S3 over
TLS takes bodies unsigned, and gets them as they come. A path of S3 is sent in the spelling in which
it is signed, which names the same object; any other as it came. The Host that is signed is the
backend's own, whatever the policy. A client's Authorization does not go through, as IAM's stands
there, nor do its X-Amz-* fields: they would be said in the name of the facade.

Errors of S3 and of API Gateway quote what they refuse: the key's id, the session's token, the
request as it was signed. Such an answer is no client's business; it is a failure, and where the
error is one of signatures nothing was taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from figway.message.http import Headers
from figway.model.backend import Backend
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.aws_endpoint import (
    NO_CREDENTIALS,
    CredentialSource,
    amz_date,
    environment_credentials,
    region_of,
)
from proxy.upstreams.aws_failures import error_name
from proxy.upstreams.collecting import Collecting
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.lambda_event import MAX_PAYLOAD
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead
from proxy.wire.sigv4 import (
    NAMES_OBJECTS,
    UNSIGNED_PAYLOAD,
    Credentials,
    canonical_query,
    object_path,
    sign,
)

_MEBIBYTE = 1_048_576
_MOST = {"lambda": MAX_PAYLOAD, "execute-api": 10 * _MEBIBYTE}
_MOST_ELSEWHERE = 16 * _MEBIBYTE
_REFUSALS = frozenset({400, 401, 403})
_MOST_HELD = 1_048_576
"""Bytes of a refusal that are looked through; a longer one is passed on to nobody."""
_OF_SIGNATURES = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Errors that are told before a request is looked at."""
_REPLACED = frozenset({b"host", b"authorization", b"expect"})


class SignedUpstream:
    """Implements `Upstream`. Must be made on the running loop.

    Raises ValueError when no region is known.
    """

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
        self.service = backend.sign.service or "lambda"
        self.most = _MOST.get(self.service, _MOST_ELSEWHERE)
        self.credentials = credentials
        self._clock = clock
        self._region = backend.sign.region or region_of(backend, backend.url)
        url = urlsplit(backend.url)
        self._host = url.netloc.rpartition("@")[2].encode("ascii")
        self._streams = self.service == "s3" and url.scheme == "https"
        self.http = HttpUpstream(backend, timer, read)

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. The request goes out when its body is complete, or at once."""
        if self._streams and request.content_length is not None and not request.upgrade:
            credentials = self.credentials()
            if credentials is not None:
                signed = self._signed(request, UNSIGNED_PAYLOAD, credentials)
                return self.http.send(signed, _Unquoted(sink, credentials))
        sending = _Signed(self, request, sink)
        sending.begin()
        return sending

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.http.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self.http.close()

    def signed(
        self, request: OutboundRequest, body: bytes, credentials: Credentials
    ) -> OutboundRequest:
        """The request with Host, hash, date and signature."""
        whole = OutboundRequest(
            request.method,
            request.target,
            request.headers,
            has_body=request.has_body,
            content_length=len(body) if request.has_body else None,
        )
        whole.head_ms, whole.idle_ms = request.head_ms, request.idle_ms
        return self._signed(whole, hashlib.sha256(body).hexdigest(), credentials)

    def _signed(
        self, request: OutboundRequest, payload: str, credentials: Credentials
    ) -> OutboundRequest:
        own = [(b"Host", self._host), (b"X-Amz-Content-Sha256", payload.encode())]
        target = request.target
        path, mark, query = target.decode("latin-1").partition("?")
        if self.service in NAMES_OBJECTS:
            path = object_path(path)
            target = f"{path}{mark}{query}".encode("latin-1")
        added = sign(
            credentials,
            method=request.method,
            path=path,
            query=canonical_query(query),
            headers=own,
            body=b"",
            region=self._region,
            service=self.service,
            amz_date=amz_date(self._clock()),
            payload=payload,
        )
        kept = [pair for pair in request.headers if not _is_replaced(pair[0].lower())]
        signed = OutboundRequest(
            request.method,
            target,
            [own[0], *kept, own[1], *added],
            has_body=request.has_body,
            content_length=request.content_length,
        )
        signed.head_ms, signed.idle_ms = request.head_ms, request.idle_ms
        return signed


def _is_replaced(name: bytes) -> bool:
    return name in _REPLACED or name.startswith(b"x-amz-")


class _Signed(Collecting):
    """A request whose body is being collected; afterwards the `Sending` of the signed one."""

    def __init__(
        self, upstream: SignedUpstream, request: OutboundRequest, sink: ResponseSink
    ) -> None:
        super().__init__(upstream.loop, request, sink, upstream.most)
        self._upstream = upstream

    def complete(self, body: bytes) -> None:
        upstream = self._upstream
        credentials = upstream.credentials()
        if credentials is None:
            self.later(FailureKind.CONNECT, NO_CREDENTIALS)
            return
        self.done = True
        self.onward = upstream.http.send(
            upstream.signed(self.request, body, credentials), _Unquoted(self.sink, credentials)
        )
        if self.request.has_body:
            self.onward.write(body)
            self.onward.end()

    def too_large(self) -> tuple[FailureKind, str]:
        most = self._upstream.most // _MEBIBYTE
        return FailureKind.TOO_LARGE, f"Over the {most} MiB that can be signed for this service."


class _Unquoted:
    """Implements `ResponseSink`: passes an answer on, but for a refusal that quotes credentials."""

    def __init__(self, sink: ResponseSink, credentials: Credentials) -> None:
        self._sink = sink
        secret = (credentials.access_key, credentials.session_token)
        self._secrets = [value.encode() for value in secret if value]
        self._head: ResponseHead | None = None
        self._held: list[bytes] = []
        self._size = 0

    def response_informational(self, head: ResponseHead) -> None:
        self._sink.response_informational(head)

    def response_head(self, head: ResponseHead) -> None:
        if head.status in _REFUSALS:
            self._head = head
        else:
            self._sink.response_head(head)

    def response_body(self, data: bytes) -> None:
        if self._head is None:
            self._sink.response_body(data)
        elif self._size < _MOST_HELD:
            self._size += len(data)
            self._held.append(data)

    def response_end(self, trailers: Headers) -> None:
        head, self._head = self._head, None
        if head is None:
            self._sink.response_end(trailers)
            return
        payload = b"".join(self._held)
        if self._size >= _MOST_HELD:
            detail = "An answer of its status is over 1 MiB."
            self._sink.response_failed(Failure(FailureKind.TOO_LARGE, Sent.SOME, detail))
            return
        if any(secret in payload for secret in self._secrets):
            self._sink.response_failed(_quoting(head, payload))
            return
        self._sink.response_head(head)
        if payload:
            self._sink.response_body(payload)
        self._sink.response_end(trailers)

    def response_failed(self, failure: Failure) -> None:
        self._sink.response_failed(failure)

    def request_paused(self) -> None:
        self._sink.request_paused()

    def request_resumed(self) -> None:
        self._sink.request_resumed()


def _quoting(head: ResponseHead, payload: bytes) -> Failure:
    """The failure that an answer with credentials in it stands for."""
    fields = {name.lower(): value for name, value in head.headers}
    named = error_name(fields, payload)
    if named in _OF_SIGNATURES:
        return Failure(FailureKind.SERVICE_REFUSED, Sent.NOTHING, f"It refused: {named}.")
    detail = f"Its answer of status {head.status} quotes the proxy's credentials."
    return Failure(FailureKind.PROTOCOL, Sent.SOME, detail)
