"""The execution environments of one function: reused when warm, started when needed."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter, deque

from new_services.host.environment import Environment
from new_services.host.errors import throttled
from new_services.host.invocation import Invocation, Outcome
from new_services.host.layout import Function, Layout
from new_services.host.log import say
from new_services.host.sandbox import Sandbox
from new_services.host.tasks import TaskKeeper

_SETTLING_SECONDS = 0.05


class Pool:
    """Runs invocations of one function within its concurrency."""

    def __init__(self, function: Function, layout: Layout, tasks: TaskKeeper) -> None:
        self.function = function
        self.counts: Counter[str] = Counter()
        """invocations, ok, error, timeout, exit, init, oversize, throttled, cold_starts."""
        self._layout = layout
        self._tasks = tasks
        self._all: set[Environment] = set()
        self._idle: list[Environment] = []
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._in_flight = 0
        self._stopping = False

    async def invoke(self, invocation: Invocation, fault: str = "") -> Outcome:
        """Run one invocation; raises InvokeError (429) beyond the reserved concurrency."""
        if self._in_flight >= self.function.concurrency:
            self.counts["throttled"] += 1
            raise throttled()
        self._in_flight += 1
        try:
            environment = await self._acquire()
            self.counts["invocations"] += 1
            started = time.perf_counter()
            outcome = await environment.invoke(invocation, fault)
        finally:
            self._in_flight -= 1
        self.counts[outcome.kind] += 1
        log = self._framed(invocation, outcome, time.perf_counter() - started, environment)
        return Outcome(outcome.payload, outcome.failed, log, outcome.kind)

    async def _acquire(self) -> Environment:
        while self._idle:
            environment = self._idle.pop()
            if environment.idle:
                return environment
        if any(environment.settling for environment in self._all):
            # A caller can be back before the runtime is: no reason for a cold start.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SETTLING_SECONDS):
                    return await self._wait()
        if len(self._all) < self.function.environments:
            return await self._start()
        return await self._wait()

    async def _wait(self) -> Environment:
        waiter: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._changed(waiter.result())  # handed over too late: it goes back in line
            raise

    async def _start(self) -> Environment:
        self.counts["cold_starts"] += 1
        environment = Environment(
            self.function,
            Sandbox(self.function, self._layout, self._echo),
            self._tasks,
            self._changed,
        )
        self._all.add(environment)
        try:
            await environment.start(f"[$LATEST]{uuid.uuid4().hex}")
        except BaseException:
            self._all.discard(environment)
            raise
        return environment

    def _changed(self, environment: Environment) -> None:
        if environment.ended:
            self._all.discard(environment)
            if self._waiting and not self._stopping:
                self._tasks.start(self._start_for_waiter(), f"start {self.function.name}")
            return
        if (waiter := self._next_waiter()) is not None:
            waiter.set_result(environment)
        else:
            self._idle.append(environment)

    async def _start_for_waiter(self) -> None:
        if len(self._all) < self.function.environments:
            environment = await self._start()
            if (waiter := self._next_waiter()) is not None:
                waiter.set_result(environment)

    def _next_waiter(self) -> asyncio.Future[Environment] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def check_memory(self) -> None:
        for environment in list(self._all):
            environment.check_memory()

    def stop(self) -> None:
        """Kill every environment; invocations in them end as exits."""
        self._stopping = True
        for waiter in self._waiting:
            waiter.cancel()
        for environment in list(self._all):
            environment.stop()

    async def ended(self) -> None:
        """Wait until the last process is gone."""
        await asyncio.gather(*(environment.gone.wait() for environment in self._all))

    @property
    def processes(self) -> int:
        return len(self._all)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def _echo(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            say(f"[{self.function.name}] {line}")

    def _framed(
        self, invocation: Invocation, outcome: Outcome, seconds: float, environment: Environment
    ) -> bytes:
        """The log with the lines that Lambda itself writes around a function's own."""
        request_id, milliseconds = invocation.request_id, seconds * 1000
        head = f"START RequestId: {request_id} Version: $LATEST\n"
        tail = (
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\t"
            f"Memory Size: {self.function.memory} MB\tMax Memory Used: {environment.memory()} MB\n"
        )
        return head.encode() + outcome.log + tail.encode()
