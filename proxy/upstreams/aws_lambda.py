"""The upstream for backends of kind lambda: AWS Lambda's Invoke API over the http upstream.

An invocation is one POST with the whole request as an HTTP API event, so bodies are collected,
within the platform's limit, and the answer comes whole. Signed with SigV4 when there are
credentials; without, only another endpoint than AWS's own (`endpoint_url`) is called.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, urlsplit

import orjson

from figway.message.http import Headers
from figway.model.backend import Backend, BackendKind, timeouts_of
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER, DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.aws_endpoint import (
    NO_CREDENTIALS,
    CredentialSource,
    amz_date,
    environment_credentials,
)
from proxy.upstreams.collecting import Collecting
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.lambda_event import MAX_PAYLOAD, BadPayload, build_event, read_answer
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead
from proxy.wire.sigv4 import sign

_MAX_RESPONSE = MAX_PAYLOAD + 65_536
_SERVICE = "lambda"


class FunctionAddress:
    """Which function, where: `function` of a backend (name or ARN, optional qualifier) resolved.

    Raises ValueError when no region is known and no `endpoint_url` is set.
    """

    __slots__ = ("endpoint", "host", "path", "query", "region")

    def __init__(self, backend: Backend) -> None:
        name, qualifier, arn_region, partition = _split_function(backend.function)
        region = backend.region or arn_region or os.environ.get("AWS_REGION", "")
        region = region or os.environ.get("AWS_DEFAULT_REGION", "")
        if not region and not backend.endpoint_url:
            raise ValueError(f"Backend {backend.id}: no AWS region: set region, or use an ARN.")
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        self.region = region or "us-east-1"
        self.endpoint = backend.endpoint_url or f"https://lambda.{region}.{suffix}"
        url = urlsplit(self.endpoint)
        self.host = url.netloc.rpartition("@")[2].encode("ascii")
        self.path = (
            f"{url.path.rstrip('/')}/2015-03-31/functions/{quote(name, safe='')}/invocations"
        )
        self.query = f"Qualifier={quote(qualifier, safe='-_.~')}" if qualifier else ""

    @property
    def target(self) -> bytes:
        """The request target of an invocation."""
        return f"{self.path}?{self.query}".encode() if self.query else self.path.encode()


def _split_function(function: str) -> tuple[str, str, str, str]:
    """Name (or ARN without qualifier), qualifier, region and partition of `function`."""
    parts = function.split(":")
    if parts[0] == "arn" and len(parts) >= 7:
        qualifier = parts[7] if len(parts) > 7 else ""
        return ":".join(parts[:7]), qualifier, parts[3], parts[1]
    name, _, qualifier = function.partition(":")
    return name, qualifier, "", "aws"


class LambdaUpstream:
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
        self.address = FunctionAddress(backend)
        self.http = HttpUpstream(
            replace(backend, kind=BackendKind.HTTP, url=self.address.endpoint), timer, read
        )
        self.loop = asyncio.get_running_loop()
        self.timer = timer
        self.most_ms = timeouts_of(backend).head_ms
        self._credentials = credentials
        self._clock = clock
        self._local = bool(backend.endpoint_url)

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. The function is invoked when the request's body is complete."""
        invocation = _Invocation(self, request, sink)
        invocation.begin()
        return invocation

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.http.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self.http.close()

    def invocation(self, event: bytes, request: OutboundRequest) -> OutboundRequest | None:
        """The POST that carries `event` for `request`, signed; None when AWS is to be called
        unsigned."""
        address = self.address
        headers: Headers = [
            (b"Host", address.host),
            (b"Content-Type", b"application/json"),
            (b"X-Amz-Invocation-Type", b"RequestResponse"),
        ]
        credentials = self._credentials()
        if credentials is not None:
            headers += sign(
                credentials,
                method="POST",
                path=address.path,
                query=address.query,
                headers=headers,
                body=event,
                region=address.region,
                service=_SERVICE,
                amz_date=amz_date(self._clock()),
            )
        elif not self._local:
            return None
        post = OutboundRequest(
            "POST", address.target, headers, has_body=True, content_length=len(event)
        )
        post.head_ms, post.idle_ms = request.head_ms, request.idle_ms
        return post

    def event(self, request: OutboundRequest, body: bytes) -> bytes:
        """The event for `request`."""
        now = int(self._clock() * 1_000)
        return build_event(request, body, request_id=secrets.token_hex(8), epoch_ms=now)


class _Invocation(Collecting):
    """One request to a function: the caller's `Sending`, and the sink of the POST."""

    def __init__(
        self, upstream: LambdaUpstream, request: OutboundRequest, sink: ResponseSink
    ) -> None:
        super().__init__(upstream.loop, request, sink, MAX_PAYLOAD)
        self._upstream = upstream
        self._head: ResponseHead | None = None
        self._payload: list[bytes] = []
        self._payload_size = 0
        self._until = NEVER

    def complete(self, body: bytes) -> None:
        event = self._upstream.event(self.request, body)
        if len(event) > MAX_PAYLOAD:
            self.later(*self.too_large())
            return
        post = self._upstream.invocation(event, self.request)
        if post is None:
            self.later(FailureKind.CONNECT, NO_CREDENTIALS)
            return
        self.onward = self._upstream.http.send(post, self)
        self.onward.write(event)
        self.onward.end()

    def too_large(self) -> tuple[FailureKind, str]:
        return FailureKind.TOO_LARGE, "The request is over the 6 MB that a function takes."

    # -- the sink of the POST ----------------------------------------------------------------

    def response_informational(self, head: ResponseHead) -> None:
        """Interim answers of the platform are of no interest."""

    def response_head(self, head: ResponseHead) -> None:
        self._head = head
        own = self.request.head_ms
        patience = self._upstream.most_ms if own < 0 else own
        self._until = self._upstream.timer.now + patience if patience else NEVER

    def response_body(self, data: bytes) -> None:
        self._payload_size += len(data)
        if self._payload_size > _MAX_RESPONSE:
            self._give_up(FailureKind.TOO_LARGE, "The function's answer is over 6 MB.")
        elif self._upstream.timer.now > self._until:
            # The client gets nothing before it is whole: its end is waited for like its head.
            self._give_up(FailureKind.TIMEOUT, "No whole answer in time.")
        else:
            self._payload.append(data)

    def _give_up(self, kind: FailureKind, detail: str) -> None:
        if self.onward is not None:
            self.onward.abort()
        self.fail(kind, Sent.SOME, detail)

    def response_end(self, trailers: Headers) -> None:
        head = self._head
        if self.done or head is None:
            return
        payload = b"".join(self._payload)
        fields = {name.lower(): value for name, value in head.headers}
        failure = _failure_of(head.status, fields, payload)
        if failure is not None:
            self.fail(failure.kind, failure.sent, failure.detail)
            return
        try:
            answer = read_answer(payload, to_head=self.request.method == "HEAD")
        except BadPayload as error:
            self.fail(FailureKind.PROTOCOL, Sent.SOME, str(error))
            return
        build = fields.get(b"x-amz-executed-version", b"")
        self.sink.response_head(ResponseHead(answer.status, b"", answer.headers, build=build))
        if answer.body and not self.done:
            self.sink.response_body(answer.body)
        if not self.done:
            self.done = True
            self.sink.response_end([])

    def response_failed(self, failure: Failure) -> None:
        self.fail(failure.kind, failure.sent, failure.detail)

    def request_paused(self) -> None:
        """The event is written whole: nobody to pause."""

    def request_resumed(self) -> None:
        """See `request_paused`."""


def _failure_of(status: int, fields: dict[bytes, bytes], payload: bytes) -> Failure | None:
    """The failure that the Invoke API reports, or None for a returned payload.

    With a status from 400 to 499 the platform refused: the function has not run, and nothing
    was sent as far as it goes. Details name the type only; messages and stack traces may hold
    what no client should read.
    """
    kind = fields.get(b"x-amz-function-error")
    if status == 200 and kind is None:
        return None
    error = fields.get(b"x-amzn-errortype", b"").decode("latin-1").partition(":")[0]
    error = _error_type(payload) or error or f"status {status}"
    if status == 200:
        too_large = error.endswith("ResponseSizeTooLarge")
        named = FailureKind.TOO_LARGE if too_large else FailureKind.FUNCTION_ERROR
        return Failure(named, Sent.SOME, f"The function failed: {error}.")
    sent = Sent.NOTHING if 400 <= status < 500 else Sent.SOME
    detail = f"The platform refused the invocation: {error}."
    if status == 429:
        return Failure(FailureKind.THROTTLED, sent, detail)
    if status == 413:
        return Failure(FailureKind.TOO_LARGE, sent, detail)
    return Failure(FailureKind.FUNCTION_ERROR, sent, detail)


def _error_type(payload: bytes) -> str:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(value, dict):
        return ""
    named = value.get("errorType") or value.get("Type") or ""
    if not named and "Task timed out" in str(value.get("errorMessage", "")):
        return "timed out"
    return "".join(c for c in str(named)[:100] if c.isprintable())
