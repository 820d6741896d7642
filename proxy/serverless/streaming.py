"""A runtime client of our own, for answers that leave as they come: `python -m
proxy.serverless.streaming`.

The platform's client for Python returns answers whole. This one posts them in chunks, so that
server-sent events and bodies over 6 MB go through a function URL with InvokeMode RESPONSE_STREAM,
or a REST API with response streaming. It waits for the next event with its loop at rest, as the
platform freezes it there; and captures leave after the client has its answer. Sources: AWS, "Using
the Lambda runtime API" and "Building a custom runtime", response streaming.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import sys
import time
from typing import Any, cast

import orjson

from figway.message.http import Headers
from figway.message.problem import Problem
from proxy.doors.aws_lambda_answer import prelude
from proxy.doors.aws_lambda_event import EventKind, UnknownEvent, kind_of
from proxy.request.client import problem_answer
from proxy.request.flow import Flow
from proxy.serverless.bootstrap import Sandbox, open_sandbox
from proxy.serverless.settings import load
from proxy.wire.message import ResponseHead

HOLD = 262_144
"""Bytes of an answer that wait for the platform before the backend is told to pause."""
_BASE = "/2018-06-01/runtime/"
_STREAMED = frozenset({EventKind.URL, EventKind.REST})
_BROKEN_OFF = Problem(502, "answer_broken_off", "The backend's answer broke off")


class StreamedAnswer(asyncio.Protocol):
    """The client's end of a streamed invocation: one POST to the runtime API, in chunks."""

    def __init__(self, host: str, request_id: str) -> None:
        self.ended = asyncio.Event()
        self.taken = asyncio.Event()
        self._host = host
        self._id = request_id
        self._flow: Flow | None = None
        self._transport: asyncio.Transport | None = None
        self._started = False
        self._done = False

    def attach(self, flow: Flow) -> None:
        """See `InvocationClient`."""
        self._flow = flow

    # -- ClientPort --------------------------------------------------------------------------

    def inform(self, head: ResponseHead) -> None:
        """An invocation has one answer."""

    def respond(self, head: ResponseHead) -> None:
        """Begin the answer."""
        self._started = True
        fields = (
            f"POST {_BASE}invocation/{self._id}/response HTTP/1.1\r\nHost: {self._host}\r\n"
            "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
            "\r\n"
        )
        self._write(fields.encode("latin-1"))
        # Eight NULs part the head from the body.
        self._chunk(orjson.dumps(prelude(head.status, head.headers)) + b"\0" * 8)

    def body(self, data: bytes) -> None:
        """A piece of the answer."""
        self._chunk(data)

    def end(self, trailers: Headers) -> None:
        """The answer is complete."""
        self._finish(b"0\r\n\r\n")

    def abort(self) -> None:
        """It broke off: the platform is told, so that it tells the client."""
        if self._started:
            error = b"Lambda-Runtime-Function-Error-Type: Figway.AnswerBrokenOff\r\n"
            self._finish(b"0\r\n" + error + b"\r\n")
            return
        head, body = problem_answer(_BROKEN_OFF, "")
        self.respond(head)
        self.body(body)
        self.end([])

    def pause_body(self) -> None:
        """The request's body is in memory already."""

    def connection(self) -> None:
        """Events come from anybody: no connection is one client's alone."""

    def resume_body(self) -> None:
        """See `pause_body`."""

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HOLD)

    def data_received(self, data: bytes) -> None:
        self.taken.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.taken.set()
        if not self._done and self._flow is not None:
            self._flow.client_gone()
            self.ended.set()

    def pause_writing(self) -> None:
        if self._flow is not None:
            self._flow.client_paused()

    def resume_writing(self) -> None:
        if self._flow is not None and not self._done:
            self._flow.client_resumed()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def _chunk(self, data: bytes) -> None:
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def _finish(self, data: bytes) -> None:
        if not self._done:
            self._done = True
            self._write(data)
            self.ended.set()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


class RuntimeClient:
    """Asks the runtime API for events, and posts what is not streamed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection = http.client.HTTPConnection(address)

    def next(self) -> tuple[dict[str, str], Any]:
        """Wait for the next invocation: its fields in lower case, and the event."""
        self._connection.request("GET", _BASE + "invocation/next")
        reply = self._connection.getresponse()
        body = reply.read()
        fields = {name.lower(): value for name, value in reply.getheaders()}
        return fields, orjson.loads(body)

    def post(self, path: str, data: Any) -> None:
        """Post a whole answer, or an error."""
        body = orjson.dumps(data)
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", _BASE + path, body, headers)
        self._connection.getresponse().read()


async def answer(
    sandbox: Sandbox, client: RuntimeClient, fields: dict[str, str], event: Any
) -> Any:
    """Answer one event; what is to be posted whole, or None for what was streamed."""
    remaining_ms = int(fields["lambda-runtime-deadline-ms"]) - int(time.time() * 1_000)
    trace = fields.get("lambda-runtime-trace-id", "")
    try:
        streamed = kind_of(event) in _STREAMED
    except UnknownEvent:
        streamed = False
    if not streamed:
        return await sandbox.app.invoke(event, remaining_ms, trace)
    host, _, port = client.address.partition(":")
    request_id = fields["lambda-runtime-aws-request-id"]
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(
        lambda: StreamedAnswer(client.address, request_id), host, int(port or "80")
    )
    try:
        await sandbox.app.stream(event, remaining_ms, stream, trace)
        await stream.taken.wait()
    finally:
        stream.close()
        await asyncio.sleep(0)
    return None


def main() -> None:
    """Serve invocations for ever."""
    client = RuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"])
    loop = asyncio.new_event_loop()
    try:
        sandbox = loop.run_until_complete(open_sandbox(load()))
    except Exception as error:
        client.post("init/error", _named(error))
        sys.exit(1)
    while True:
        fields, event = client.next()
        request_id = fields["lambda-runtime-aws-request-id"]
        os.environ["_X_AMZN_TRACE_ID"] = fields.get("lambda-runtime-trace-id", "")
        try:
            whole = loop.run_until_complete(answer(sandbox, client, fields, event))
        except Exception as error:
            sandbox.report("invocation", error)
            client.post(f"invocation/{request_id}/error", _named(error))
            continue
        if whole is not None:
            client.post(f"invocation/{request_id}/response", whole)


def _named(error: Exception) -> dict[str, str]:
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


if __name__ == "__main__":
    main()
