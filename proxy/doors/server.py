"""What the connections of the native door share: the listener, the limits, the drain."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Final, cast

from figway.message.forwarded import network_of
from proxy.doors.native import NativeConnection
from proxy.doors.peer import is_trusted
from proxy.loop.piece_budget import PieceBudget
from proxy.loop.write_batcher import WriteBatcher
from proxy.request.runtime import Runtime
from proxy.upstreams.logins import ClientConnection

CLOSE_S: Final = 2.0
"""How long the end of connections that were cut is waited for."""
GRACE_MS: Final = 1_000
"""How long an idle connection outlives the start of a drain: a request may be on its way."""


class NativeDoor:
    """Serves a runtime on listening sockets. Must be made on the running loop."""

    def __init__(self, runtime: Runtime, *, tls: ssl.SSLContext | None = None) -> None:
        self.runtime = runtime
        self.settings = runtime.settings
        self.timer = runtime.timer
        self.draining = False
        self.connections: set[NativeConnection] = set()
        self.batcher = WriteBatcher()
        self.pieces = PieceBudget()
        self._by_client: dict[bytes, int] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._tls = tls
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket) -> None:
        """Accept on a listening socket from now on. Raises OSError."""
        loop = asyncio.get_running_loop()
        backlog = self.settings.backlog  # asyncio would set 100, whatever the socket had
        server = await loop.create_server(
            self.connection, sock=sock, ssl=self._tls, backlog=backlog
        )
        self._servers.append(server)

    def stop_listening(self) -> None:
        """Accept no more; every connection is told that its next answer is the last."""
        self.draining = True
        for server in self._servers:
            server.close()

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, finish what is under way, close; how many requests were cut off."""
        self.stop_listening()
        for connection in list(self.connections):
            connection.drain(GRACE_MS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        cut_off = sum(not connection.idle for connection in self.connections)
        await self.close()
        return cut_off

    async def close(self) -> None:
        """Close at once, whatever is under way."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), CLOSE_S)

    # -- what connections ask and tell -------------------------------------------------------

    def connection(self, own: ClientConnection | None = None) -> asyncio.Protocol:
        """A protocol for a connection that was accepted; `own` is what pools know it by, where
        another door had it before."""
        return cast(asyncio.Protocol, NativeConnection(self, own))

    @property
    def crowded(self) -> bool:
        """There are more connections than the settings allow."""
        return len(self.connections) > self.settings.max_connections

    def takes(self, peer: str) -> bool:
        """Count a connection from `peer`; whether it may have one more."""
        limit = self.settings.max_connections_per_client
        if not limit or self.trusts(peer):
            return True
        client = network_of(peer)
        self._by_client[client] = count = self._by_client.get(client, 0) + 1
        return count <= limit

    def gave_up(self, peer: str) -> None:
        """A connection from `peer` is closed."""
        if not self._by_client or self.trusts(peer):
            return
        client = network_of(peer)
        count = self._by_client.get(client, 0)
        if count > 1:
            self._by_client[client] = count - 1
        elif count:
            del self._by_client[client]

    def joined(self, connection: NativeConnection) -> None:
        """A client connected."""
        self.connections.add(connection)
        self._empty.clear()
        self.timer.add(connection)

    def left(self, connection: NativeConnection) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        self.timer.discard(connection)
        if not self.connections:
            self._empty.set()

    def trusts(self, peer: str) -> bool:
        """Whether `peer` is a trusted proxy."""
        return is_trusted(peer, self.settings.trusted_proxies)
