"""A proxy as a process, a legacy that behaves, a new that does not, and clients that look closely.

def test_something(tmp_path):
    async def talk(arena):
        arena.new.fault = refuses_to_answer
        seen = await arena.ask("POST")
        assert seen.status == 504
        assert seen.record["failure"] == "timeout"
        arena.new.fault = None
        await arena.tell("New says nothing", seen)
    play(talk, tmp_path)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend, FallbackBudgetPolicy, Timeouts
from figway.model.table import BreakerPolicy, FallbackPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.suites.faults.rows import note
from tests.support.fleet import FakeControl, Proxy
from tests.support.load import Closed, Connection
from tests.support.peer import Peer, Server
from tests.support.until import until

HOST = "shop.example"
LIMIT_S = 45


@dataclass(slots=True)
class Request:
    """What a backend was asked."""

    method: str
    path: str
    head: bytes
    body: bytes


Fault = Callable[[Peer, Request], Awaitable[object]]
"""Plays one request badly; returning False ends the connection."""


class Party:
    """One side, in the test's own process: answers with its name and remembers what it was asked.

    `fault` takes over the answers; `body_first` says whether a request's body is read before.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault: Fault | None = None
        self.body_first = True
        self.requests: list[Request] = []
        self.port = 0
        self._server = Server(self._serve)
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        server = await asyncio.start_server(self._server._accepted, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._stack.callback(server.close)

    async def stop(self) -> None:
        """Die: refuse connections from now on, and cut those that there are."""
        await self._stack.aclose()
        for task in list(self._server._tasks):
            task.cancel()
        await asyncio.gather(*self._server._tasks, return_exceptions=True)

    def asked(self, method: str) -> int:
        """How many requests of a method came."""
        return sum(request.method == method for request in self.requests)

    async def _serve(self, peer: Peer) -> None:
        while True:
            head = await peer.head()
            method, path = head.decode("latin-1").split(" ")[:2]
            body = await self._body(peer, head) if self.body_first else b""
            request = Request(method, path, head, body)
            self.requests.append(request)
            if self.fault is None:
                await peer.answer(self.name.encode())
            elif await self.fault(peer, request) is False:
                return

    @staticmethod
    async def _body(peer: Peer, head: bytes) -> bytes:
        lowered = head.lower()
        if b"\r\ncontent-length: " in lowered:
            return await peer.exactly(
                int(lowered.split(b"\r\ncontent-length: ")[1].split(b"\r")[0])
            )
        body = b""
        if b"\r\ntransfer-encoding: chunked" in lowered:
            while size := int(await peer.reader.readuntil(b"\r\n"), 16):
                body += await peer.exactly(size)
                await peer.exactly(2)
            await peer.exactly(2)
        return body


@dataclass(slots=True)
class Seen:
    """One request as its client saw it, and the record that it left."""

    method: str
    status: int = 0
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    cut: str = ""
    ms: float = 0.0
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> str:
        """Who answered: `legacy`, `new`, or `facade` for a problem of its own."""
        return "facade" if self.problem else self.body.decode("latin-1")

    @property
    def problem(self) -> str:
        """The code of the facade's own answer."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(self.body)["type"].rpartition(":")[2])
        return ""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header of the answer."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def words(self) -> str:
        """For the table."""
        if self.cut:
            return f"{self.method} {self.cut}"
        if self.problem:
            return f"{self.method} {self.status} `{self.problem}`"
        return f"{self.method} {self.status}" + (f" from {self.side}" if self.side else "")

    def recorded(self) -> str:
        """For the table."""
        names = ("failure", "fallback", "no_fallback", "problem", "client_gone")
        found = [f"{name}={self.record[name]}" for name in names if self.record.get(name)]
        return f"{self.method} " + (", ".join(f"`{item}`" for item in found) or "nothing unusual")


class Arena:
    """The parties of one test. `/moved/*` is at 100 % new; `/alone/*` is retired: no fallback."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.legacy = Party("legacy")
        self.new = Party("new")
        self.patience_ms = 500
        self._settings = settings

    async def start(self) -> None:
        """Start all of it."""
        await self.legacy.start()
        await self.new.start()
        self.control = FakeControl(self.table())
        await self.control.start()
        self.proxy = self.another_proxy()
        await self.proxy.start()

    def another_proxy(self) -> Proxy:
        """A proxy that is not started yet, on the same state directory."""
        settings = {"workers": "1", **self._settings}
        return Proxy(self.folder, control_url=self.control.url, control_key="proxy-key", **settings)

    def table(self, new_url: str = "", budget: int = 1_000, **new: Any) -> Table:
        """The table, with short times."""
        wait = self.patience_ms
        times = Timeouts(connect_ms=wait, head_ms=wait, idle_ms=wait)
        fallback = FallbackPolicy(deadline_ms=4 * wait)
        breaker = BreakerPolicy(open_ms=600, ramp_ms=600)
        routes = {
            name: Route(
                id=name,
                match=RouteMatch(path=f"/{name}/{{x}}"),
                stage=stage,
                new="new",
                fallback=fallback,
                breaker=breaker,
            )
            for name, stage in (("moved", Stage.NEW), ("alone", Stage.RETIRED))
        }
        legacy = Backend(
            id="legacy",
            side=Side.LEGACY,
            url=self.legacy.url,
            timeouts=times,
            fallback_budget=FallbackBudgetPolicy(min_per_s=budget),
        )
        new_backend = Backend(
            id="new", side=Side.NEW, url=new_url or self.new.url, timeouts=times, **new
        )
        return Table(
            default_backend="legacy",
            backends=MappingProxyType({"legacy": legacy, "new": new_backend}),
            routes=MappingProxyType(routes),
        )

    async def publish(self, table: Table) -> None:
        """Publish a table, and wait until it is served."""
        self.control.publish(table)
        await until(
            lambda: self.control.ack["revision"] == self.control.revision, "the table is served"
        )

    # -- asking --------------------------------------------------------------------------------

    async def ask(
        self,
        method: str = "GET",
        path: str = "/moved/x",
        body: bytes = b"",
        *,
        connection: Connection | None = None,
    ) -> Seen:
        """Ask once, on a connection of its own unless one is given, and find the record."""
        link = connection or await Connection.open(self.proxy.facade)
        trace = os.urandom(16).hex()
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {HOST}",
            f"traceparent: 00-{trace}-{'1' * 16}-01",
        ]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        seen = Seen(method)
        begun = time.perf_counter()
        try:
            reply = await link.ask("\r\n".join([*lines, "", ""]).encode() + body)
            seen.status, seen.body, seen.headers = reply.status, reply.body, reply.headers
        except Closed as closed:
            seen.cut = "answer cut off" if closed.started else "connection closed, no answer"
        except OSError:
            seen.cut = "answer cut off"
        seen.ms = (time.perf_counter() - begun) * 1_000
        if connection is None:
            link.close()
        seen.record = await self.record(trace)
        return seen

    async def record(self, trace: str) -> dict[str, Any]:
        """The log record of a trace."""
        found: dict[str, Any] = await until(
            lambda: next((line for line in self.proxy.lines if line.get("trace") == trace), None),
            "the record",
        )
        return found

    async def normal(self, limit_s: float = 20.0) -> float:
        """Milliseconds until reads are served by new again, five in a row."""
        begun = time.perf_counter()
        row, first = 0, 0.0
        async with asyncio.timeout(limit_s):
            while row < 5:
                seen = await self.ask()
                row = row + 1 if (seen.status, seen.side) == (200, "new") else 0
                first = time.perf_counter() if row == 1 else first
                if not row:
                    await asyncio.sleep(0.02)
        return (first - begun) * 1_000

    async def tell(self, fault: str, *seen: Seen) -> None:
        """Wait until all is normal, and keep the row."""
        took = await self.normal()
        saw = "; ".join(dict.fromkeys(item.words() for item in seen))
        recorded = "; ".join(dict.fromkeys(item.recorded() for item in seen))
        note(fault, saw, recorded, took)

    async def stop(self) -> None:
        """Leave nothing behind."""
        await self.proxy.destroy()
        self.control.stop()
        await self.new.stop()
        await self.legacy.stop()


@contextlib.asynccontextmanager
async def arena(folder: Path, patience_ms: int = 500, **settings: Any) -> AsyncIterator[Arena]:
    """An arena, cleaned up afterwards; `patience_ms` is how long its backends may take."""
    found = Arena(folder, settings)
    found.patience_ms = patience_ms
    try:
        await found.start()
        yield found
    finally:
        await found.stop()


def play(talk: Callable[[Arena], Coroutine[Any, Any, None]], folder: Path, **settings: Any) -> None:
    """Run one test's conversation, within a bound."""

    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_S), arena(folder, **settings) as found:
            await talk(found)

    asyncio.run(bounded())
