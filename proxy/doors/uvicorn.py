"""The ASGI door under uvicorn: the listener, the limits, the drain.

uvicorn's own server is not used, as it would install signal handlers and a ticker. Each connection
is a `proxy.doors.uvicorn_connection.FacadeProtocol`, or the native door's once it was handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from proxy.doors.asgi import AsgiDoor
from proxy.doors.server import CLOSE_S, GRACE_MS, NativeDoor
from proxy.doors.uvicorn_connection import FacadeProtocol
from proxy.loop.write_batcher import WriteBatcher
from proxy.request.runtime import Runtime


class UvicornDoor:
    """Serves a runtime through ASGI on listening sockets. The same calls as `NativeDoor`."""

    def __init__(self, runtime: Runtime, *, tls: ssl.SSLContext | None = None) -> None:
        self.runtime = runtime
        self.app = AsgiDoor(runtime)
        self.native = NativeDoor(runtime)
        self.state = ServerState()
        self.config = self._configure()
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self.batcher = WriteBatcher()

    def _configure(self) -> Config:
        config = Config(
            cast(Any, self.app),
            http=FacadeProtocol,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=cast(int, self.runtime.settings.idle_ms / 1_000),
        )
        config.load()
        return config

    def connection(self) -> FacadeProtocol:
        """A protocol for a connection that was accepted."""
        return FacadeProtocol(self)

    @property
    def draining(self) -> bool:
        """No further connection is accepted, and none is kept after its request."""
        return self.app.draining

    @property
    def connections(self) -> set[Any]:
        """What is open now."""
        return {*self.state.connections, *self.native.connections}

    @property
    def crowded(self) -> bool:
        """There are more connections than the settings allow."""
        count = len(self.state.connections) + len(self.native.connections)
        return count > self.runtime.settings.max_connections

    async def listen(self, sock: socket.socket) -> None:
        """Accept on a listening socket from now on. Raises OSError."""
        loop = asyncio.get_running_loop()
        backlog = self.runtime.settings.backlog
        server = await loop.create_server(
            self.connection, sock=sock, ssl=self._tls, backlog=backlog
        )
        self._servers.append(server)

    def stop_listening(self) -> None:
        """Accept no more; every connection is told that its next answer is the last."""
        self.app.draining = True
        self.native.stop_listening()  # for connections that are handed over from now on
        for server in self._servers:
            server.close()

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, finish what is under way, close; how many requests were cut off."""
        self.stop_listening()
        for connection in list(self.state.connections):
            cast(FacadeProtocol, connection).drain()
        for handed_over in list(self.native.connections):
            handed_over.drain(GRACE_MS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty(), timeout_s)
        cut_off = sum(not handed_over.idle for handed_over in self.native.connections)
        cut_off += len(self.state.tasks)
        await self.close()
        return cut_off

    async def close(self) -> None:
        """Close at once, whatever is under way."""
        for server in self._servers:
            server.close()
        for connection in list(self.state.connections):
            cast(FacadeProtocol, connection).transport.abort()
        await self.native.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty(), CLOSE_S)

    async def _empty(self) -> None:
        while self.connections or self.state.tasks:  # noqa: ASYNC110  uvicorn has no event
            await asyncio.sleep(0.02)
