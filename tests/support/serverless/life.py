"""A sandbox in this process, as fixtures: what a Lambda function's tests call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from figway.model.codec import table_hash, to_data
from figway.model.table import Table
from proxy.serverless.bootstrap import Sandbox as Composed
from proxy.serverless.bootstrap import open_sandbox
from proxy.serverless.settings import load
from tests.support.serverless.events import make_event
from tests.support.serverless.facade import TableServer
from tests.support.wire import RawBackend

HOST = (b"host", b"shop.example")
GET = make_event("http", "GET", b"/a", [HOST])
POST = make_event("http", "POST", b"/a", [HOST, (b"content-type", b"text/plain")], b"order")
NEW = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"


class Life:
    """A sandbox in this process: a loop that runs only while an invocation does."""

    def __init__(self, **variables: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.variables = {"FIGWAY_METRICS_NAMESPACE": "", "FIGWAY_LOG": "off", **variables}
        self.sandbox: Composed = self.run(open_sandbox(load(self.variables)))

    def run(self, work: Any) -> Any:
        result = self.loop.run_until_complete(work)
        self.check()
        return result

    def invoke(self, event: dict[str, Any], remaining_ms: int = 10_000) -> Any:
        return self.run(self.sandbox.app.invoke(event, remaining_ms))

    def check(self) -> None:
        """Nothing pending: no task, no timer, nothing ready but the end of a connection that its
        other side closed in this very turn, which the next invocation sees first."""
        assert asyncio.all_tasks(self.loop) == set()
        timers = [handle for handle in self.loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert timers == []
        ready = [str(handle) for handle in self.loop._ready]  # type: ignore[attr-defined]
        assert [handle for handle in ready if "_call_connection_lost" not in handle] == []

    def end(self) -> None:
        async def close() -> None:
            if self.sandbox.runtime is not None:
                self.sandbox.timer.start()
                await self.sandbox.runtime.close()
                self.sandbox.timer.stop()
            await asyncio.sleep(0.01)

        self.loop.run_until_complete(close())
        for transport in list(self.loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture
def live() -> Iterator[Callable[..., Life]]:
    made: list[Life] = []

    def make(**variables: str) -> Life:
        made.append(Life(**variables))
        return made[-1]

    yield make
    for life in made:
        life.end()


@pytest.fixture
def backend() -> Iterator[RawBackend]:
    raw = RawBackend()
    yield raw
    raw.stop()


@pytest.fixture
def tables() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


def body_of(answer: dict[str, Any]) -> str:
    return str(answer["body"])


def bundle(path: Path, table: Table, revision: int = 1) -> str:
    data = {"revision": revision, "etag": table_hash(table), "table": to_data(table)}
    path.write_text(json.dumps(data))
    return str(path)
