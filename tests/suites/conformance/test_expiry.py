"""Legacy closes idle connections while requests come: the facade makes no failure of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from proxy.upstreams.pool import JUST_USED_MS
from tests.suites.conformance.conftest import Open
from tests.support.wire import Facade, table_of

ROUNDS = 15
METHODS = (b"POST", b"PUT", b"DELETE")


class Legacy(asyncio.Protocol):
    """Answers every request, and closes what is idle when it is told to."""

    def __init__(self, served: list[bytes], idle: list[Legacy]) -> None:
        self.served = served
        self.idle = idle
        self.held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, end, body = self.held.partition(b"\r\n\r\n")
        if end and len(body) == 4 * (b"content-length: 4" in head.lower()):
            self.held = b""
            self.served.append(head.split(b" ")[0])
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            self.idle.append(self)


class Relayed(asyncio.Protocol):
    """One end of a relay that hands everything on, the closing too, so much later."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.early: list[bytes] = []
        self.other: Relayed | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        else:
            self._later(self.other.transport.write, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self._later(self.other.transport.close)

    def join(self, other: Relayed) -> None:
        """Hand on to `other` from now on."""
        self.other = other
        early, self.early = self.early, []
        for data in early:
            self.data_received(data)

    def _later(self, act: Any, *given: bytes) -> None:
        asyncio.get_running_loop().call_later(self.delay_s, act, *given)


class Place:
    """A legacy of one listener, `delay_s` away, on the facade's own loop."""

    def __init__(self, facade: Facade, delay_s: float) -> None:
        self.facade = facade
        self.delay_s = delay_s
        self.served: list[bytes] = []
        self.idle: list[Legacy] = []
        self._relayed: list[Relayed] = []
        self._joining: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    async def open(self) -> int:
        """Listen; the port that the facade is to ask."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Legacy(self.served, self.idle), "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        relay = await loop.create_server(self._relay, "127.0.0.1", 0)
        self._servers = [server, relay]
        return cast(int, relay.sockets[0].getsockname()[1])

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for relayed in self._relayed:
            relayed.transport.abort()
        await asyncio.sleep(2 * self.delay_s)  # for what was on its way
        self.close_idle()

    def _relay(self) -> Relayed:
        near = Relayed(self.delay_s)
        task = asyncio.get_running_loop().create_task(self._join(near))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)
        return near

    async def _join(self, near: Relayed) -> None:
        loop = asyncio.get_running_loop()
        _, far = await loop.create_connection(
            lambda: Relayed(self.delay_s), "127.0.0.1", self._port
        )
        self._relayed += [near, far]
        far.join(near)
        near.join(far)

    def close_idle(self) -> None:
        """Legacy's time for idle connections is over."""
        idle, self.idle[:] = self.idle[:], []
        for connection in idle:
            connection.transport.close()


def grow_old(facade: Facade) -> None:
    """What the facade keeps was last used a while ago."""
    upstream: Any = facade.runtime._backends["legacy"].upstream
    for connection in upstream.pool._idle:
        connection.idle_since -= JUST_USED_MS + 1_000


@pytest.mark.parametrize("away_ms", [0, 10])
def test_no_request_fails_because_legacy_closed_an_idle_connection(
    facade_of: Open, away_ms: int
) -> None:
    """W29: the closing is under way while the request is; clients open a connection for each."""
    facade = facade_of()
    place = Place(facade, away_ms / 1_000)
    port = facade.start(place.open()).result(10)
    facade.swap(table_of(port))
    failed: list[tuple[bytes, int, str]] = []
    for number in range(ROUNDS):
        for method in METHODS:
            with facade.connect() as client:
                assert client.get(b"/warm").status == 200
            facade.call(lambda: grow_old(facade))
            with facade.connect() as client:
                facade.call(place.close_idle)
                try:
                    status = client.ask(method, b"/x", body=b"body").status
                except AssertionError as error:
                    failed.append((method, number, str(error)))
                else:
                    if status != 200:
                        failed.append((method, number, str(status)))
    facade.start(place.close()).result(10)
    assert failed == []
    for method in METHODS:  # and none was repeated that had been served
        assert place.served.count(method) == ROUNDS
