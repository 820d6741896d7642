"""A runtime on fakes, and a client that records what a flow calls."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from figway.message.headers import Arrival
from figway.message.http import Headers
from figway.model.backend import Backend
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import compile_table
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.record import RequestRecord
from proxy.request.flow import Flow
from proxy.request.runtime import FacadeSettings, Runtime
from proxy.upstreams.fake import FakeUpstream
from proxy.wire.client_head import parse
from proxy.wire.message import ResponseHead


def table(*routes: Route, new: str = "http://new") -> Table:
    backends = {
        "legacy": Backend(id="legacy", side=Side.LEGACY, url="http://legacy/base/"),
        "new": Backend(id="new", side=Side.NEW, url=new),
    }
    return Table(
        default_backend="legacy", backends=backends, routes={route.id: route for route in routes}
    )


ROUTE = Route(id="r", match=RouteMatch(path="/r"), stage=Stage.NEW, new="new")


class Stand:
    """A runtime on fakes. Upstreams are kept by backend id, the latest last."""

    def __init__(self, *routes: Route, **settings: Any) -> None:
        self.fakes: dict[str, list[FakeUpstream]] = {}
        self.records: list[RequestRecord] = []
        self.faults: list[BaseException] = []
        self.spawned: list[Coroutine[Any, Any, Any]] = []
        self.changes: list[tuple[Any, ...]] = []
        self.runtime = Runtime(
            compile_table(table(*routes)),
            open_upstream=self.open,
            timer=DeadlineTimer(),
            recorder=self,
            spawn=lambda coroutine, name: self.spawned.append(coroutine),
            report=lambda where, error: self.faults.append(error),
            settings=FacadeSettings(**settings),
            breaker_changed=lambda *change: self.changes.append(change),
        )

    def open(self, backend: Backend) -> FakeUpstream:
        if backend.url == "http://unusable":
            raise ValueError("unusable")
        fake = FakeUpstream()
        self.fakes.setdefault(backend.id, []).append(fake)
        return fake

    def record(self, record: RequestRecord) -> None:
        self.records.append(record)

    def begin(self, data: bytes = b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n") -> Client:
        client = Client()
        head = parse(data)
        head.client = "192.0.2.1"
        client.flow = Flow(self.runtime, head, client, Arrival("192.0.2.1", "http", head.host))
        client.flow.begin()
        if head.content_length == 0:
            client.flow.body_end()
        return client

    async def ask(self, data: bytes = b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n") -> Client:
        client = self.begin(data)
        for _ in range(20):
            await asyncio.sleep(0)
        return client

    def close(self) -> None:
        for coroutine in self.spawned:
            coroutine.close()


class Client:
    """Implements `ClientPort` by remembering."""

    def __init__(self) -> None:
        self.flow: Flow
        self.calls: list[str] = []
        self.status = 0
        self.headers: Headers = []
        self.content = b""

    def inform(self, head: ResponseHead) -> None:
        self.calls.append(f"inform {head.status}")

    def respond(self, head: ResponseHead) -> None:
        self.calls.append("respond")
        self.status, self.headers = head.status, head.headers

    def body(self, data: bytes) -> None:
        self.content += data

    def end(self, trailers: Headers) -> None:
        self.calls.append("end")

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_body(self) -> None:
        self.calls.append("pause")

    def connection(self) -> None: ...

    def resume_body(self) -> None:
        self.calls.append("resume")
