"""One invocation of the proxy function: wake, answer, settle, and leave nothing pending.

Between two invocations the sandbox is frozen: no timer runs and no socket is read. So an
invocation first lets the loop see what happened meanwhile (a backend that closed a kept connection,
a table that arrived), then answers, then gives captures and counters a bounded time to leave. After
that nothing is on the loop: no task, no timer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from figway.message.problem import Problem
from proxy.doors.aws_lambda import MARGIN_MS, InvocationClient, LambdaDoor
from proxy.doors.aws_lambda_answer import Answer, build_answer
from proxy.doors.aws_lambda_event import EventKind, OtherHttp, UnknownEvent, kind_of
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.tasks import Report, TaskKeeper
from proxy.request.client import problem_answer
from proxy.serverless.tables import SandboxTable
from proxy.serverless.telemetry import Reports

if TYPE_CHECKING:
    from proxy.serverless.captures_out import OutQueue

_FIRST_TABLE_MS = 3_000
_REFRESH_MS = 5_000
NO_TABLE = Problem(
    503,
    "no_table",
    "The facade has no table yet",
    "It has never reached the table's source, and none was bundled.",
    retry_after=5,
)


class ServerlessProxy:
    """Answers events, one after another, on one loop."""

    def __init__(
        self,
        timer: DeadlineTimer,
        keeper: TaskKeeper,
        table: SandboxTable,
        reports: Reports,
        settle_ms: int,
        report: Report,
    ) -> None:
        self.timer = timer
        self.keeper = keeper
        self.table = table
        self.reports = reports
        self.queue: OutQueue | None = None
        self.door: LambdaDoor | None = None
        self._settle_ms = settle_ms
        self._report = report

    def serve(self, door: LambdaDoor) -> None:
        """Answer with this door from now on."""
        self.door = door

    async def prepare(self, work: Coroutine[Any, Any, None]) -> None:
        """Cold start: do what must be done before the first event."""
        self.timer.start()
        try:
            await work
        finally:
            await self._quiet()

    async def begin(self, wait_ms: int) -> None:
        """Cold start: ask for the table, and wait for it as long as that."""
        self.timer.start()
        try:
            self.table.look()
            await self._within(wait_ms, self.table.answered())
        finally:
            await self._quiet()

    async def invoke(self, event: Mapping[str, Any], remaining_ms: int, trace: str = "") -> Any:
        """Answer one event; one that carries no HTTP refreshes the table and sends what waits."""
        await self._wake()
        try:
            try:
                kind = kind_of(event)
            except OtherHttp as error:
                return _not_read(error)
            except UnknownEvent:
                return await self._refresh(remaining_ms)
            self.table.look()
            if self.door is None:
                await self._within(min(_FIRST_TABLE_MS, remaining_ms - MARGIN_MS), self._first())
            if self.door is None:
                head, body = problem_answer(NO_TABLE, "")
                return build_answer(
                    kind, head.status, head.reason, head.headers, body, keep_length=False
                )
            answer: Answer = await self.door.answer(event, remaining_ms, trace)
            await self._settle()
            return answer
        finally:
            await self._quiet()

    async def stream(
        self, event: Mapping[str, Any], remaining_ms: int, client: InvocationClient, trace: str
    ) -> None:
        """Answer one event through `client`; captures leave after the answer, before the freeze."""
        await self._wake()
        try:
            kind_of(event)
            self.table.look()
            if self.door is None:
                await self._within(min(_FIRST_TABLE_MS, remaining_ms - MARGIN_MS), self._first())
            if self.door is None:
                head, body = problem_answer(NO_TABLE, "")
                client.respond(head)
                client.body(body)
                client.end([])
            else:
                await self.door.serve(event, remaining_ms, client, trace)
            await self._settle()
        finally:
            await self._quiet()

    # -- the parts of an invocation ----------------------------------------------------------

    async def _wake(self) -> None:
        self.timer.start()
        # One turn reads what the sockets hold, the next closes what has ended.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _first(self) -> None:
        while self.door is None:
            self.table.look()
            await self.table.answered()
            if self.door is None:
                await asyncio.sleep(0.05)

    async def _refresh(self, remaining_ms: int) -> dict[str, Any]:
        """A scheduled event, or a person's: nobody waits, so wait for everything."""
        await self._within(min(_REFRESH_MS, remaining_ms - MARGIN_MS), self.table.refreshed())
        await self._settle(urgent=True)
        served = self.table.served
        return {
            "revision": served.revision if served is not None else None,
            "etag": served.etag if served is not None else None,
        }

    async def _settle(self, *, urgent: bool = False) -> None:
        """Let captures and counters leave, and a question for the table find its connection.

        Whatever goes wrong here is reported, and costs no user an answer.
        """
        try:
            await self._hand_over(urgent)
        except Exception as error:
            self._report("settling", error)

    async def _hand_over(self, urgent: bool) -> None:
        queue = self.queue
        if queue is not None:
            batch = None
            if not queue.resting:
                served = self.table.served
                self.reports.serves = "" if served is None else served.etag
                batch = self.reports.due(time.time(), queue.book.take, urgent=urgent)
            queue.flush(batch, self.reports.told)
        await self._within(self._settle_ms, self._settled(queue))
        if queue is not None:
            queue.give_up()

    async def _settled(self, queue: OutQueue | None) -> None:
        if queue is not None:
            await queue.sent()
        await self.table.dialled()

    async def _within(self, wait_ms: float, work: Coroutine[Any, Any, None]) -> None:
        if wait_ms <= 0:
            work.close()
            return
        try:
            async with asyncio.timeout(wait_ms / 1_000):
                await work
        except TimeoutError:
            return

    async def _quiet(self) -> None:
        """Leave nothing on the loop."""
        self.table.give_up_dialling()
        await asyncio.sleep(0)  # what was spawned begins, what was cancelled ends
        await self.keeper.close()
        self.timer.stop()
        for _ in range(3):
            await asyncio.sleep(0)


def _not_read(error: OtherHttp) -> Answer:
    """An HTTP answer to an event that the door does not read: 400, never a success."""
    problem = Problem(400, "unknown_event", "This kind of event is not read", str(error))
    head, body = problem_answer(problem, "")
    return build_answer(
        EventKind.HTTP, head.status, head.reason, head.headers, body, keep_length=False
    )
