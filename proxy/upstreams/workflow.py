"""Requests as executions of a Step Functions state machine, with the event of an HTTP API as input.

In mode sync the client waits: the output of an express execution is the answer. In mode start it
gets 202; the execution is named by its Idempotency-Key, and a name is taken once in 90 days, so
that a request which comes again starts nothing and gets the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from figway.model.backend import Backend, WorkflowMode
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.aws_endpoint import AwsEndpoint, CredentialSource, origin_of, region_of
from proxy.upstreams.aws_failures import error_name, failure_of
from proxy.upstreams.handed_message import Handed
from proxy.upstreams.handing_on import ServiceCall, ServiceReply
from proxy.upstreams.lambda_event import BadPayload, FunctionAnswer, build_event, read_answer
from proxy.upstreams.port import Failure
from proxy.wire.message import OutboundRequest

_TYPE = (b"Content-Type", b"application/x-amz-json-1.0")
_SYNC = [_TYPE, (b"X-Amz-Target", b"AWSStepFunctions.StartSyncExecution")]
_START = [_TYPE, (b"X-Amz-Target", b"AWSStepFunctions.StartExecution")]


class Workflow:
    """Implements `Receiver`. Raises ValueError when no region is known."""

    limit = 262_144
    takes = "The input of a workflow takes 256 KiB"

    def __init__(
        self, backend: Backend, credentials: CredentialSource, clock: Callable[[], float]
    ) -> None:
        self._aws = aws = backend.aws
        self._clock = clock
        region = region_of(backend, aws.resource)

        def endpoint(prefix: str) -> AwsEndpoint:
            url = backend.endpoint_url or origin_of("states", region, prefix)
            return AwsEndpoint(url, "states", region, credentials=credentials, clock=clock)

        self._start = endpoint("")
        # Executions that are waited for have a host of their own, unless one is named.
        self._sync = endpoint("sync-")

    def endpoints(self) -> list[AwsEndpoint]:
        """See `Receiver.endpoints`."""
        return [self._start, self._sync]

    def call(self, handed: Handed, body: bytes) -> ServiceCall | None:
        """See `Receiver.call`."""
        event = self._event(handed, body)
        if len(event) > self.limit:
            return None
        data = {
            "stateMachineArn": self._aws.resource,
            "name": handed.id,
            "input": event.decode(),
        }
        if self._starts(handed):
            return ServiceCall(self._start, _START, orjson.dumps(data))
        return ServiceCall(self._sync, _SYNC, orjson.dumps(data))

    def answer(self, reply: ServiceReply, handed: Handed) -> FunctionAnswer | Failure:
        """See `Receiver.answer`."""
        starts = self._starts(handed)
        if reply.status != 200:
            if starts and handed.keyed and _exists(reply):
                return handed.accepted()
            return failure_of(reply.status, reply.fields, reply.payload)
        try:
            data = orjson.loads(reply.payload)
        except orjson.JSONDecodeError:
            data = None
        named = data.get("executionArn") if isinstance(data, dict) else None
        if not isinstance(named, str) or not named:
            return Failure(FailureKind.PROTOCOL, Sent.SOME, "The workflow named no execution.")
        return handed.accepted() if starts else _result(data, handed.request.method)

    def _starts(self, handed: Handed) -> bool:
        aws = self._aws
        return aws.mode is WorkflowMode.START or (aws.respond_async and handed.wants_async)

    def _event(self, handed: Handed, body: bytes) -> bytes:
        request = handed.request
        kept = OutboundRequest(
            request.method, request.target, handed.kept_headers(), has_body=request.has_body
        )
        now = int(self._clock() * 1_000)
        return build_event(kept, body, request_id=handed.id, epoch_ms=now)


def _exists(reply: ServiceReply) -> bool:
    return error_name(reply.fields, reply.payload) == "ExecutionAlreadyExists"


def _result(data: dict[str, Any], method: str) -> FunctionAnswer | Failure:
    """The answer that an execution's end stands for. Causes may hold what no client should read."""
    status, output = data.get("status"), data.get("output")
    if status == "SUCCEEDED" and isinstance(output, str):
        try:
            return _output(output.encode(), method)
        except BadPayload as error:
            detail = str(error).replace("function", "workflow")
            return Failure(FailureKind.PROTOCOL, Sent.SOME, detail)
    if status == "TIMED_OUT":
        return Failure(FailureKind.WORKFLOW_TIMED_OUT, Sent.SOME, "The execution timed out.")
    if status in ("FAILED", "ABORTED"):
        name = "".join(c for c in str(data.get("error") or status)[:100] if c.isprintable())
        return Failure(FailureKind.WORKFLOW_FAILED, Sent.SOME, f"The workflow failed: {name}.")
    return Failure(FailureKind.PROTOCOL, Sent.SOME, "The execution has no known end.")


def _output(output: bytes, method: str) -> FunctionAnswer:
    """Output that names a statusCode is an answer as functions give it; all other is the body."""
    return read_answer(output, to_head=method == "HEAD")
