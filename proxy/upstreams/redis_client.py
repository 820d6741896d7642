"""Connections to one Redis: commands are written one after another, replies come in that order.

One connection a worker is enough, since Redis does one thing at a time. A command is written to a
connection that was just used, or that is fresh and logged in: until then it is known that nothing
was sent. What was written to a connection that ends, of that nobody knows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from figway.model.backend import ConnectionLimits, Timeouts
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER, DeadlineTimer
from proxy.upstreams.attempt import HOLD
from proxy.upstreams.dial import Dialer
from proxy.upstreams.pool import CLOSE_S, JUST_USED_MS, DialError
from proxy.upstreams.port import Failure
from proxy.wire.resp import BadReply, Reply, ReplyReader


class RedisCommand:
    """One command, and what is told of it: its reply or its failure, once; nothing when `done`."""

    __slots__ = ("data", "deadline", "done", "failed", "replied")

    def __init__(
        self, data: bytes, replied: Callable[[Reply], None], failed: Callable[[Failure], None]
    ) -> None:
        self.data = data
        self.replied = replied
        self.failed = failed
        self.deadline = NEVER
        self.done = False

    def reply(self, reply: Reply) -> None:
        """Its reply is there."""
        if not self.done:
            self.done = True
            self.replied(reply)

    def fail(self, kind: FailureKind, sent: Sent, detail: str) -> None:
        """There will be none."""
        if not self.done:
            self.done = True
            self.failed(Failure(kind, sent, detail))


class RedisConnection(asyncio.Protocol):
    """One connection of a client. `ready` says that its login is over, `paused` that it takes no
    bytes for now; `written` are the commands whose replies are to come, in their order."""

    def __init__(self, client: RedisClient, login: list[bytes], deadline: int) -> None:
        self.client = client
        self.ready = False
        self.paused = False
        self.written: deque[RedisCommand] = deque()
        self.deadline = deadline
        self.generation = client.timer.generation
        self.idle_since = 0
        self.retires_at = NEVER
        self._login = login
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self.opening: asyncio.Task[None] | None = None

    # -- what its client calls ---------------------------------------------------------------

    @property
    def fresh(self) -> bool:
        """Whether a command that must not be sent twice may be written: nobody is closing it."""
        timer = self.client.timer
        if self.generation != timer.generation or timer.now >= self.retires_at:
            return False
        return bool(self.written) or timer.now - self.idle_since <= JUST_USED_MS

    def send(self, command: RedisCommand, deadline: int) -> None:
        """Write a command; its reply is waited for until `deadline`."""
        command.deadline = deadline
        self.written.append(command)
        self.deadline = min(self.deadline, deadline)
        if self._transport is not None:
            self._transport.write(command.data)

    def leave(self) -> None:
        """Take no more; close when what was written has its replies."""
        self.client.left(self)
        if all(command.done for command in self.written):
            self.close()

    def close(self) -> None:
        """Close at once. Commands without reply fail."""
        self.fail(FailureKind.RESET, "The connection is closing.")

    def fail(self, kind: FailureKind, detail: str) -> None:
        """Close at once, and say so of everything that is waited for."""
        if self._closed:
            return
        self._closed = True
        self.deadline = NEVER
        self.client.timer.discard(self)
        self.client.left(self)
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
        written, self.written = self.written, deque()
        if not self.ready:
            self.client.broken(kind, detail)
        for command in written:
            command.fail(kind, Sent.SOME, detail)
        self.client.gone(self)

    def expired(self, now: int) -> None:
        """See `HasDeadline`. Replies that come later are not mistaken for those of others."""
        if not self.ready:
            self.fail(FailureKind.CONNECT, "No connection in time.")
            return
        self.client.left(self)
        for command in self.written:
            if command.deadline <= now:
                command.fail(FailureKind.TIMEOUT, Sent.SOME, "No reply in time.")
        waiting = [command.deadline for command in self.written if not command.done]
        self.deadline = min(waiting, default=NEVER)
        if not waiting:
            self.close()
        self.client.pump()

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._closed:
            self._transport.abort()
            return
        refusal = self.client.dialer.refuse_peer(transport.get_extra_info("peername"))
        if refusal:
            self.fail(FailureKind.CONNECT, refusal)
            return
        self._transport.set_write_buffer_limits(high=HOLD)
        if self._login:
            self._transport.write(b"".join(self._login))
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        try:
            for reply in self._reader.feed(data):
                self._take(reply)
                if self._closed:
                    return
        except BadReply as error:
            self.fail(FailureKind.PROTOCOL, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready:
            self.fail(FailureKind.CONNECT, "The connection ended before the login.")
        self.fail(FailureKind.RESET, "The connection ended before the reply.")

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.client.pump()

    # -- replies -----------------------------------------------------------------------------

    def _take(self, reply: Reply) -> None:
        if self._login:
            self._logged_in(reply)
        elif self.written:
            self._replied(self.written.popleft(), reply)
        else:
            self.fail(FailureKind.PROTOCOL, "A reply came that nobody asked for.")

    def _logged_in(self, reply: Reply) -> None:
        if reply != b"OK":
            failure = self.client.refused(reply)
            self.fail(failure.kind, failure.detail)
            return
        self._login.pop(0)
        if not self._login:
            self._begin()

    def _begin(self) -> None:
        self.ready = True
        self._rest()
        self.client.pump()

    def _rest(self) -> None:
        """Nothing is waited for: an idle connection is kept for a while."""
        self.idle_since = self.client.timer.now
        self.deadline = self.idle_since + self.client.keep_alive_ms

    def _replied(self, command: RedisCommand, reply: Reply) -> None:
        if self.written:
            self.deadline = min(item.deadline for item in self.written)
        else:
            self._rest()
        command.reply(reply)
        if self._closed:
            return
        if self.client.connection is self:
            self.client.pump()
        else:
            self.leave()


class RedisClient:
    """The way to one Redis: what is written to the present connection, and what waits for one.

    `login` gives the commands that a connection begins with; `refused` what their refusal means.
    """

    def __init__(
        self,
        dialer: Dialer,
        timer: DeadlineTimer,
        timeouts: Timeouts,
        limits: ConnectionLimits,
        login: Callable[[], list[bytes]],
        refused: Callable[[Reply], Failure],
    ) -> None:
        self.dialer = dialer
        self.timer = timer
        self.refused = refused
        self.connection: RedisConnection | None = None
        self._timeouts = timeouts
        self._limits = limits
        self._login = login
        self._waiting: deque[RedisCommand] = deque()
        self._connections: set[RedisConnection] = set()
        self.keep_alive_ms = limits.keep_alive_ms

    def add(self, command: RedisCommand) -> None:
        """Send a command, now or when there is a connection. Nothing is told within this call."""
        self._waiting = deque(item for item in self._waiting if not item.done)
        if len(self._waiting) >= self._limits.max_waiting:
            detail = "Too many requests wait for the connection."
            loop = asyncio.get_running_loop()
            loop.call_soon(command.fail, FailureKind.SATURATED, Sent.NOTHING, detail)
            return
        self._waiting.append(command)
        self.timer.read()
        self.pump()

    def pump(self) -> None:
        """Write what waits, as far as the connection takes it; open one where there is none."""
        if self.connection is not None and self.connection.ready and not self.connection.fresh:
            self.connection.leave()
        connection = self.connection
        if not self._waiting:
            return
        if connection is None:
            self._open()
            return
        most = self._limits.max_connections
        while (
            connection.ready
            and self._waiting
            and not connection.paused
            and len(connection.written) < most
        ):
            command = self._waiting.popleft()
            if not command.done:
                connection.send(command, self.timer.now + self._timeouts.head_ms)

    def left(self, connection: RedisConnection) -> None:
        """`connection` takes no more."""
        if self.connection is connection:
            self.connection = None

    def gone(self, connection: RedisConnection) -> None:
        """`connection` is closed. What was not written to it goes to the next."""
        self._connections.discard(connection)
        self.pump()

    def broken(self, kind: FailureKind, detail: str) -> None:
        """There is no connection: nothing of what waits was sent."""
        waiting, self._waiting = self._waiting, deque()
        for command in waiting:
            command.fail(kind, Sent.NOTHING, detail)

    def retire(self) -> None:
        """Keep no connection that nobody waits for."""
        if self.connection is not None and self.connection.ready and not self._waiting:
            self.connection.leave()

    async def close(self) -> None:
        """Close every connection; commands under way fail."""
        self.broken(FailureKind.CONNECT, "The connection is closing.")
        opening = [
            connection.opening for connection in self._connections if connection.opening is not None
        ]
        for connection in list(self._connections):
            connection.close()
        if opening:
            await asyncio.wait(opening, timeout=CLOSE_S)

    def _open(self) -> None:
        now = self.timer.now
        connection = self.connection = RedisConnection(
            self, self._login(), now + self._timeouts.connect_ms
        )
        if self._limits.max_age_ms:
            connection.retires_at = now + self._limits.max_age_ms
        self._connections.add(connection)
        self.timer.add(connection)
        connection.opening = asyncio.get_running_loop().create_task(self._dial(connection))

    async def _dial(self, connection: RedisConnection) -> None:
        try:
            await self.dialer(connection)
        except DialError as error:
            connection.fail(error.kind, str(error))
        except asyncio.CancelledError:
            connection.fail(FailureKind.CONNECT, "The connection was given up.")
        except Exception as error:  # a fault of ours must not leave commands hanging
            connection.fail(FailureKind.CONNECT, f"{type(error).__name__} while connecting.")
            raise
        finally:
            connection.opening = None
