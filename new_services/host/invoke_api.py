"""AWS Lambda's Invoke API: POST /2015-03-31/functions/{name}/invocations.

Source: AWS Lambda API reference, Invoke. All versions and aliases of a function share one set of
execution environments here; everything else that a caller can see is as AWS answers it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote

import orjson

from new_services.host import errors
from new_services.host.faults import Faults
from new_services.host.invocation import Invocation, Outcome
from new_services.host.layout import Layout
from new_services.host.log import say
from new_services.host.pool import Pool
from new_services.host.signature import verify
from new_services.host.tasks import TaskKeeper
from new_services.host.wire import DropConnection, Request, Response

REQUEST_LIMIT = 6_291_456
"""Bytes of a request that is answered with the function's response (6 MB)."""
EVENT_LIMIT = 1_048_576
"""Bytes of an asynchronous request (1 MB)."""
_LOG_TAIL = 4096
_RETRY_SECONDS = (1.0, 2.0)  # AWS waits one and two minutes; two retries either way


class InvokeApi:
    """Answers invocations; `credentials` (id -> secret), when given, must have signed them."""

    def __init__(
        self,
        layout: Layout,
        pools: Mapping[str, Pool],
        faults: Faults,
        tasks: TaskKeeper,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        self._layout = layout
        self._pools = pools
        self._faults = faults
        self._tasks = tasks
        self._credentials = credentials

    async def handle(self, request: Request) -> Response:
        """Answer one request; every answer carries a request id."""
        request_id = str(uuid.uuid4())
        try:
            response = await self._invoke(request, request_id)
        except errors.InvokeError as error:
            response = error.response()
        response.headers.append(("x-amzn-RequestId", request_id))
        return response

    async def _invoke(self, request: Request, request_id: str) -> Response:
        parts = request.path.split("/")
        if request.method != "POST" or len(parts) != 5 or parts[4] != "invocations":
            raise errors.unknown_operation()
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if kind not in ("RequestResponse", "Event", "DryRun"):
            raise errors.invalid_parameter(f"Unsupported invocation type: {kind}")
        limit = EVENT_LIMIT if kind == "Event" else REQUEST_LIMIT
        if request.too_large or len(request.body) > limit:
            raise errors.too_large(limit)
        if self._credentials is not None:
            verify(request, self._credentials, datetime.now(UTC))
        pool, qualifier, version = self._find(unquote(parts[3]), request.query)
        if kind == "DryRun":
            return Response(204)
        invocation = self._invocation(request, request_id, pool, qualifier)
        fault = await self._fault(pool)
        trace = [("X-Amzn-Trace-Id", invocation.trace_id)]
        if kind == "Event":
            self._tasks.start(self._retried(pool, invocation, fault), f"event {request_id}")
            return Response(202, headers=trace)
        outcome = await pool.invoke(invocation, fault)
        tail = request.headers.get("x-amz-log-type") == "Tail"
        return self._answer(outcome, version, trace, tail)

    async def deliver(self, pool: Pool, payload: bytes) -> Outcome | None:
        """Invoke a function for a queue of its; None when it could not be invoked."""
        arn = self._layout.arn(pool.function.name)
        try:
            fault = await self._fault(pool)
            return await pool.invoke(Invocation(str(uuid.uuid4()), arn, payload, ""), fault)
        except (errors.InvokeError, DropConnection):
            return None

    def _find(self, name: str, query: str) -> tuple[Pool, str, str]:
        """The pool for a name, a partial or a whole ARN; its qualifier and the version it names."""
        parts = name.split(":")
        if "function" in parts:
            parts = parts[parts.index("function") + 1 :]
        elif len(parts) == 3:  # account:function:name without the word
            parts = parts[1:]
        qualifier = parse_qs(query).get("Qualifier", [parts[1] if len(parts) > 1 else ""])[0]
        arn = self._layout.arn(parts[0]) + (f":{qualifier}" if qualifier else "")
        version = self._version(qualifier)
        if (pool := self._pools.get(parts[0])) is None or version is None:
            raise errors.not_found(arn)
        return pool, qualifier, version

    def _version(self, qualifier: str) -> str | None:
        if qualifier in ("", "$LATEST"):
            return "$LATEST"
        if qualifier == self._layout.version:
            return qualifier
        return self._layout.aliases.get(qualifier)

    def _invocation(
        self, request: Request, request_id: str, pool: Pool, qualifier: str
    ) -> Invocation:
        payload = request.body or b"{}"
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise errors.not_json(str(error)) from None
        trace = request.headers.get("x-amzn-trace-id") or (
            f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};"
            f"Parent={secrets.token_hex(8)};Sampled=0"
        )
        arn = self._layout.arn(pool.function.name) + (f":{qualifier}" if qualifier else "")
        context = _client_context(request.headers.get("x-amz-client-context", ""))
        return Invocation(request_id, arn, payload, trace, context)

    async def _fault(self, pool: Pool) -> str:
        """Apply a fault that is set for this function; what is left for its environment to do."""
        fault = self._faults.take(pool.function.name)
        if fault is None:
            return ""
        match fault.kind:
            case "throttle":
                pool.counts["throttled"] += 1
                raise errors.throttled()
            case "service":
                raise errors.service_error()
            case "reset":
                raise DropConnection
            case "delay":
                await asyncio.sleep(fault.value / 1000)
                return ""
        return fault.kind

    async def _retried(self, pool: Pool, invocation: Invocation, fault: str) -> None:
        for pause in (*_RETRY_SECONDS, None):
            try:
                outcome = await pool.invoke(invocation, fault)
            except errors.InvokeError:
                outcome = None
            if outcome is not None and not outcome.failed:
                return
            if pause is not None:
                await asyncio.sleep(pause)
        pool.counts["event_given_up"] += 1
        say(f"[{pool.function.name}] event given up: {invocation.request_id}")

    def _answer(
        self, outcome: Outcome, version: str, headers: list[tuple[str, str]], tail: bool
    ) -> Response:
        headers = [
            ("Content-Type", "application/json"),
            *headers,
            ("X-Amz-Executed-Version", version),
        ]
        if outcome.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if tail:
            log = base64.b64encode(outcome.log[-_LOG_TAIL:]).decode("ascii")
            headers.append(("X-Amz-Log-Result", log))
        return Response(200, outcome.payload, headers)


def _client_context(header: str) -> str:
    if not header:
        return ""
    try:
        text = base64.b64decode(header, validate=True).decode("utf-8")
        json.loads(text)
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError):
        raise errors.invalid_parameter(
            "Could not parse request body into json: invalid client context"
        ) from None
    return text
