"""One execution environment: a process and the Runtime API that it talks to.

Source of the Runtime API: AWS Lambda developer guide, "Using the Lambda runtime API" (2018-06-01).
The environment holds one invocation at a time; it is idle again when its runtime asks for the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from new_services.host.invocation import (
    RESPONSE_LIMIT,
    Invocation,
    Outcome,
    exited,
    oversized,
    timed_out,
)
from new_services.host.layout import Function
from new_services.host.sandbox import Sandbox
from new_services.host.tasks import TaskKeeper
from new_services.host.wire import Request, Response, bind, listen, port_of

_PREFIX = "/2018-06-01/runtime/"
_INIT_SECONDS = 10.0  # what AWS allows an on-demand function before its first `next`
_ACCEPTED = b'{"status":"OK"}'


class Environment:
    """Runs invocations one after another; `changed` is called when it turns idle or has ended."""

    def __init__(
        self,
        function: Function,
        sandbox: Sandbox,
        tasks: TaskKeeper,
        changed: Callable[[Environment], None],
    ) -> None:
        self._function = function
        self._sandbox = sandbox
        self._tasks = tasks
        self._changed = changed
        self._server: asyncio.Server | None = None
        self._ready = asyncio.Event()
        self._work: asyncio.Future[Invocation] | None = None
        self._current: Invocation | None = None
        self._result: asyncio.Future[Outcome] | None = None
        self._deadline_ms = 0
        self._init_error: bytes | None = None
        self.ended = False
        self.gone = asyncio.Event()
        """Set when the process has been reaped."""
        self._fault = ""

    @property
    def idle(self) -> bool:
        return not self.ended and self._work is not None

    @property
    def settling(self) -> bool:
        """Has answered and is about to ask for the next invocation."""
        busy = self.ended or self._current is not None or self._work is not None
        return self._ready.is_set() and not busy

    async def start(self, stream: str) -> None:
        # Its own port: the runtime client is told an address and cannot say which sandbox it is.
        self._server = await listen(
            bind("127.0.0.1", 0), self._runtime_api, self._tasks, 2 * RESPONSE_LIMIT, True
        )
        await self._sandbox.start(f"127.0.0.1:{port_of(self._server)}", stream)
        self._tasks.start(self._watch(), f"watch {self._function.name}")

    async def invoke(self, invocation: Invocation, fault: str = "") -> Outcome:
        """Run one invocation to its answer, error, timeout or crash.

        `fault`: "hang" stops the process before it runs; "lost" runs it and loses the answer;
        "crash" runs it and kills the process before the answer. The timeout and kill are real.
        """
        result: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._current, self._result, self._fault = invocation, result, fault
        limit = self._function.timeout
        try:
            if not self._ready.is_set():
                limit = _INIT_SECONDS
                async with asyncio.timeout(limit):
                    await self._until_ready(result)
                limit = self._function.timeout
            if not result.done():
                self._hand_over(invocation)
            async with asyncio.timeout(limit):
                return await result
        except TimeoutError:
            self.stop()
            return timed_out(invocation.request_id, limit, self._sandbox.take_log())
        finally:
            if self._current is invocation:
                self._current = self._result = None

    async def _until_ready(self, result: asyncio.Future[Outcome]) -> None:
        ready = self._tasks.start(self._ready.wait(), "init")
        try:
            await asyncio.wait([ready, result], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()

    def _hand_over(self, invocation: Invocation) -> None:
        self._deadline_ms = int((time.time() + self._function.timeout) * 1000)
        self._sandbox.take_log()
        if self._fault == "hang":
            self._sandbox.suspend()
        if self._work is not None:
            self._work.set_result(invocation)
            self._work = None

    def _finish(self, outcome: Outcome) -> None:
        # Cleared here, not where the result is awaited: the runtime's `next` may be faster.
        if self._result is not None and not self._result.done():
            self._result.set_result(outcome)
        self._current = self._result = None

    async def _watch(self) -> None:
        code = await self._sandbox.wait()
        self.ended = True
        log = self._sandbox.take_log()
        if self._current is not None:
            if self._init_error is not None:
                self._finish(Outcome(self._init_error, failed=True, log=log, kind="init"))
            else:
                self._finish(exited(self._current.request_id, code, log))
        if self._server is not None:
            self._server.close()
        self._changed(self)
        self.gone.set()

    def stop(self) -> None:
        """Kill the process; `changed` follows when it is gone."""
        self.ended = True
        self._sandbox.kill()

    def check_memory(self) -> None:
        """Kill the process when it holds more than the function's memory, as AWS does."""
        if not self.ended and self._sandbox.memory() > self._function.memory:
            self.stop()

    def memory(self) -> int:
        return self._sandbox.memory()

    # The Runtime API.

    async def _runtime_api(self, request: Request) -> Response:
        if not request.path.startswith(_PREFIX):
            return Response(404)
        parts = request.path.removeprefix(_PREFIX).split("/")
        match (request.method, parts):
            case ("GET", ["invocation", "next"]):
                return await self._next()
            case ("POST", ["init", "error"]):
                self._init_error = request.body
                return Response(202, _ACCEPTED)
            case ("POST", ["invocation", request_id, "response" | "error" as what]):
                return self._answered(request_id, what == "error", request)
        return Response(404)

    async def _next(self) -> Response:
        self._work = asyncio.get_running_loop().create_future()
        self._ready.set()
        if self._current is None:
            self._changed(self)
        invocation = await self._work
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(self._deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn),
            ("Lambda-Runtime-Trace-Id", invocation.trace_id),
        ]
        if invocation.client_context:
            headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
        return Response(200, invocation.payload, headers)

    def _answered(self, request_id: str, failed: bool, request: Request) -> Response:
        if self._current is None or request_id != self._current.request_id:
            return Response(
                400, b'{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}'
            )
        if self._fault:
            if self._fault == "crash":
                self._sandbox.kill()
            return Response(202, _ACCEPTED)
        log = self._sandbox.take_log()
        if request.too_large or len(request.body) > RESPONSE_LIMIT:
            self._finish(oversized())
            return Response(413, b'{"errorType":"RequestEntityTooLarge"}')
        kind = "error" if failed else "ok"
        self._finish(Outcome(request.body, failed=failed, log=log, kind=kind))
        return Response(202, _ACCEPTED)
