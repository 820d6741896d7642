"""The door of Lambda events on fakes."""

from __future__ import annotations

import asyncio
from typing import Any

from figway.model.backend import Backend
from figway.model.table import Table
from figway.model.words import Side
from figway.routing.compile import compile_table
from proxy.doors.aws_lambda import LambdaDoor
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.record import RequestRecord
from proxy.request.runtime import FacadeSettings, Runtime
from proxy.upstreams.port import ResponseSink, Sending
from proxy.wire.message import OutboundRequest, ResponseHead


class Echo:
    """An upstream that answers at once with what it is told, and remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[OutboundRequest] = []
        self.bodies: list[bytes] = []
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = [b"ok"]
        self.silent = False
        self.stuck = False

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        self.requests.append(request)
        sending = _Sending(self, sink)
        if not request.has_body:
            asyncio.get_running_loop().call_soon(sending.answer)
        return sending

    def retire(self) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""


class _Sending:
    def __init__(self, echo: Echo, sink: ResponseSink) -> None:
        self._echo = echo
        self._sink = sink
        self._body = b""
        self._over = False

    def write(self, data: bytes) -> None:
        self._body += data

    def end(self) -> None:
        self._echo.bodies.append(self._body)
        asyncio.get_running_loop().call_soon(self.answer)

    def pause(self) -> None:
        """Not of interest."""

    resume = pause

    def abort(self) -> None:
        self._over = True

    def answer(self) -> None:
        echo, sink = self._echo, self._sink
        if self._over or echo.silent:
            return
        sink.response_head(ResponseHead(echo.status, b"Fine", list(echo.headers)))
        for piece in echo.pieces:
            if not self._over:
                sink.response_body(piece)
        if not self._over and not echo.stuck:
            sink.response_end([])


class Setting:
    """A door on a runtime whose backends are echoes."""

    def __init__(self, table: Table | None = None, **settings: Any) -> None:
        self.legacy, self.new = Echo(), Echo()
        self.records: list[RequestRecord] = []
        self.faults: list[BaseException] = []
        self.timer = DeadlineTimer(10)
        self.runtime = Runtime(
            compile_table(table or TABLE, 1, "one"),
            open_upstream=lambda b: self.new if b.side is Side.NEW else self.legacy,
            timer=self.timer,
            recorder=self,
            spawn=lambda work, name: work.close(),
            report=lambda where, error: self.faults.append(error),
            settings=FacadeSettings(**settings),
        )
        self.door = LambdaDoor(self.runtime)

    def record(self, record: RequestRecord) -> None:
        self.records.append(record)

    async def ask(self, event: dict[str, Any], remaining_ms: int = 5_000) -> dict[str, Any]:
        self.timer.start()
        try:
            return await self.door.answer(event, remaining_ms)
        finally:
            self.timer.stop()
            assert not self.faults, self.faults


TABLE = Table(
    default_backend="legacy",
    backends={
        "legacy": Backend(id="legacy", side=Side.LEGACY, url="http://legacy.internal"),
        "new": Backend(id="new", side=Side.NEW, url="http://new.internal"),
    },
)
