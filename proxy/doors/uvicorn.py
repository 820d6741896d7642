"""The ASGI door under uvicorn: its HTTP protocol, made transparent and finite.

uvicorn's own server is not used, as it would install signal handlers and a ticker; its protocol
on httptools is, with what it lacks added: limits on the head, on connections in all and from one
address, on the time for a head, for a body, and for a client to take its answer; a record of what
it refuses itself; and a drain that gives a request on its way a chance. A WebSocket handshake is
handed to the native door's connection together with the transport, so that the tunnel carries raw
bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from functools import partial
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from figway.message.problem import Problem
from proxy.doors.asgi import EXTENSION, AsgiClient, AsgiDoor
from proxy.doors.refusals import LINGER_MS, NO_ROOM, SLOW_BODY, SLOW_HEAD
from proxy.doors.server import CLOSE_S, GRACE_MS, NativeDoor
from proxy.loop.deadlines import NEVER
from proxy.loop.write_batcher import SMALL, WriteBatcher
from proxy.request.client import problem_answer
from proxy.request.runtime import Runtime
from proxy.wire.client_answer import encode

_MALFORMED = Problem(400, "malformed", "Bad request", "This is not a well-formed request.")
_LARGE_HEAD = Problem(431, "head_too_large", "The request head is too large")
_LONG_LINE = Problem(414, "uri_too_long", "The request line is too long")
_BAD_TARGET = Problem(
    400, "bad_target", "Bad request", "The request target has no known form, or denies the Host."
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]++)(?:[/?].*)?", re.DOTALL).fullmatch


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
        def tunnel(**_: Any) -> asyncio.Protocol:
            return self.native.connection()

        config = Config(
            cast(Any, self.app),
            http=FacadeProtocol,
            ws=cast(Any, tunnel),
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
        make = partial(FacadeProtocol, self)
        backlog = self.runtime.settings.backlog
        server = await loop.create_server(make, sock=sock, ssl=self._tls, backlog=backlog)
        self._servers.append(server)

    def stop_listening(self) -> None:
        """Accept no more; every connection is told that its next answer is the last."""
        self.app.draining = True
        for server in self._servers:
            server.close()

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, finish what is under way, close; how many requests were cut off."""
        self.stop_listening()
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s  # one time for both kinds of connections
        for connection in list(self.state.connections):
            cast(FacadeProtocol, connection).drain()
        cut_off = await self.native.drain(timeout_s) if self.native.connections else 0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty(), max(0.0, until - loop.time()))
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
        while self.state.connections or self.state.tasks:  # noqa: ASYNC110  uvicorn has no event
            await asyncio.sleep(0.02)


class Gathered:
    """The transport as uvicorn's cycles see it: it sends the head of an answer with the first piece
    of its body, where uvicorn writes them apart and each write is a system call."""

    __slots__ = ("_door", "_held", "_transport")

    def __init__(self, door: UvicornDoor, transport: asyncio.Transport) -> None:
        self._door = door
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        """Keep a small piece until the next, or until the end of this turn of the loop."""
        if self._held:
            held, self._held = self._held, b""
            if len(data) < SMALL:
                self._transport.write(held + data)
            else:
                self._transport.writelines((held, data))
        elif len(data) < SMALL:
            self._held = data
            self._door.batcher.flush_soon(self)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Close, once everything is written."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed or closing."""
        return self._transport.is_closing()


class FacadeProtocol(HttpToolsProtocol):
    """One client's connection under uvicorn. Implements `HasDeadline`."""

    def __init__(self, door: UvicornDoor) -> None:
        super().__init__(config=door.config, server_state=door.state, app_state={})
        self._door = door
        self._head_bytes = 0
        self._reading_head = True
        self._write_paused = False
        self._asking: AsgiClient | None = None
        self._answered: AsgiClient | None = None
        self._over = False
        self._due: Problem | None = None
        self.deadline = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        door = self._door
        self._gathered = Gathered(door, self.transport)
        self._wait(door.runtime.settings.idle_ms)
        door.runtime.timer.add(self)
        if not door.native.takes(self._peer) or door.crowded:
            self._refuse(NO_ROOM)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.runtime.timer.discard(self)
        self._door.native.gave_up(self._peer)
        super().connection_lost(exc)
        if self._answered is not None:
            self._answered.gone()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        self._write_paused = True
        self.deadline = self._door.runtime.timer.now + self._door.runtime.settings.write_ms

    def resume_writing(self) -> None:
        """The client takes more."""
        super().resume_writing()
        self._write_paused = False
        self.deadline = NEVER
        if not self._reading_head:
            self._wait(self._door.runtime.settings.body_ms)
        elif self._idle:
            self._wait(self._door.runtime.settings.idle_ms)

    def data_received(self, data: bytes) -> None:
        settings = self._door.runtime.settings
        if self._over:
            return
        if not self._reading_head:
            self._wait(settings.body_ms)
        else:
            if not self._head_bytes:
                self._wait(settings.head_ms)
            end = data.find(b"\r\n\r\n")
            self._head_bytes += len(data) if end < 0 else end
            if self._head_bytes > settings.max_head:
                self._refuse(_LARGE_HEAD)
                return
        super().data_received(data)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        super().on_url(url)
        if len(self.url) > self._door.runtime.settings.max_line:
            self._refuse(_LONG_LINE)

    def on_headers_complete(self) -> None:
        """The head is in."""
        self._reading_head = False
        self._head_bytes = 0
        self._asking = None
        self._wait(self._door.runtime.settings.body_ms)
        if self._over or self.transport.is_closing():
            return
        if not self._known_form():
            self._refuse(_BAD_TARGET)
            return
        cast(Any, self.scope)["extensions"] = {EXTENSION: self._asked}
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = cast(asyncio.Transport, self._gathered)
            if self._door.draining:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body; not of one that was refused with its head."""
        if not self._over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is in: what comes next is a head."""
        if self._over:
            return
        self._reading_head = True
        if self._idle:
            self._wait(self._door.runtime.settings.idle_ms)
        elif not self._write_paused:
            self.deadline = NEVER
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read leaves a record, as at the native door."""
        self._refuse(_MALFORMED)

    def on_response_complete(self) -> None:
        """On to the next request, or to saying why there is none."""
        self._answered = None
        self._gathered.flush()
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
        elif self._due is None:
            self.flow.resume_reading()
            self._wait(self._door.runtime.settings.idle_ms)  # by the sweep, not by a timer each
        elif self.cycle.more_body:
            self._linger()  # the answer was early, and the body behind it is no good
        else:
            self._say(self._due)

    def handle_websocket_upgrade(self) -> None:
        """The native door's connection takes over, and is told of the connection's end."""
        self._door.runtime.timer.discard(self)
        self._door.native.gave_up(self._peer)  # the other counts it anew
        super().handle_websocket_upgrade()

    def drain(self) -> None:
        """Take no further request after the one under way; an idle client has a last chance."""
        if self._idle:
            self.deadline = self._door.runtime.timer.now + GRACE_MS
        else:
            self.cycle.keep_alive = False

    def expired(self, now: int) -> None:
        """A timeout passed: abort, answer 408, or close, by state."""
        self.deadline = NEVER
        if self._write_paused:
            self.transport.abort()
        elif self._over:
            self.transport.close()
        elif self._reading_head and self._head_bytes:
            self._refuse(SLOW_HEAD)
        elif self._reading_head or self._idle:  # or the rest of a body after an early answer
            self.transport.close()
        elif self.flow.read_paused:  # the backend is slower than the client
            self._wait(self._door.runtime.settings.body_ms)
        elif self._asking is not None:
            self._asking.refuse(SLOW_BODY)

    def _asked(self, client: AsgiClient) -> None:
        """The door says which request begins now."""
        self._asking = self._answered = client
        if self._due is not None and not self.pipeline and self.cycle.more_body:
            asyncio.get_running_loop().call_soon(client.refuse, self._due)

    def _wait(self, ms: int) -> None:
        """Give the client so long for what comes next, unless it is slow to take its answer."""
        if not self._write_paused:
            self.deadline = self._door.runtime.timer.now + ms

    def _known_form(self) -> bool:
        """uvicorn drops scheme and host of an absolute target: refuse unless they equal Host."""
        if self.url[:1] in (b"/", b"*") or self.parser.get_method() == b"CONNECT":
            return True
        absolute = _ABSOLUTE(self.url)
        hosts = [value for name, value in self.headers if name == b"host"]
        return absolute is not None and [absolute[1].lower()] == [host.lower() for host in hosts]

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Read no more. Answers to what came before are given first."""
        if self._over or self.transport.is_closing():
            return
        self._over = True
        if self._idle:
            self._say(problem)
            return
        self._due = problem
        if self._asking is not None and self.cycle.more_body:
            self._asking.refuse(problem)  # it is this request's own body

    def _say(self, problem: Problem) -> None:
        """Refuse, and leave a record of it."""
        self._door.runtime.refused(self._peer, problem)
        head, body = problem_answer(problem, "")
        self.transport.write(encode(head, b"connection: close\r\n") + body)
        self._linger()

    def _linger(self) -> None:
        """Close so that unread bytes do not turn the answer into a reset (RFC 9112, 9.6)."""
        if self.transport.can_write_eof():
            self.flow.resume_reading()
            self.transport.write_eof()
            self._wait(LINGER_MS)
        else:
            self.transport.close()
