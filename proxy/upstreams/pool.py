"""The connections of one worker to one http backend, and the requests that wait for one.

The connection used last is used next, so that surplus ones grow idle and go. A request that
finds none idle opens one of its own up to `max_connections`; beyond that it waits in line, up to
`wait_ms`, and beyond `max_waiting` it is shed at once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from figway.model.table import ConnectionLimits, Timeouts
from figway.serving.exchange import FailureKind
from proxy.loop.deadlines import NEVER, DeadlineTimer
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.connection import Connection

Dial = Callable[[Connection], Awaitable[None]]
"""Connects a transport to the protocol given; raises `DialError`."""


class DialError(Exception):
    """No connection. `kind` is CONNECT or TLS; the text is for people."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Pool:
    """Gives attempts connections. `deadline` is that of the request that waits longest."""

    def __init__(
        self,
        dial: Dial,
        refuse_peer: Callable[[object], str],
        timer: DeadlineTimer,
        timeouts: Timeouts,
        limits: ConnectionLimits,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.timer = timer
        self.refuse_peer = refuse_peer
        self.head_ms = timeouts.head_ms
        self.idle_ms = timeouts.idle_ms
        self.deadline = NEVER
        self._dial = dial
        self._connect_ms = timeouts.connect_ms
        self._limits = limits
        self._idle: list[Connection] = []
        self._members: set[Connection] = set()
        self._transports: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: OrderedDict[Attempt, None] = OrderedDict()
        self._retired = False
        self._gone: asyncio.Future[None] | None = None
        timer.add(self)

    @property
    def open(self) -> int:
        """Connections, those being opened included."""
        return len(self._members)

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    # -- attempts ----------------------------------------------------------------------------

    def start(self, attempt: Attempt) -> None:
        """Give `attempt` a connection, now or later."""
        now = self.timer.read()
        idle = self._idle
        while idle:
            connection = idle.pop()
            fresh = connection.deadline > now and connection.generation == self.timer.generation
            if fresh and connection.usable:
                connection.begin(attempt)
                return
            connection.abandon()
        if len(self._members) < self._limits.max_connections:
            self._open(attempt, now)
        elif len(self._waiting) >= self._limits.max_waiting:
            detail = "Too many requests wait for a connection."
            self.loop.call_soon(attempt.fail, FailureKind.SATURATED, detail)
        else:
            attempt.wait_until = now + self._limits.wait_ms
            self._waiting[attempt] = None
            self.deadline = min(self.deadline, attempt.wait_until)

    def forget(self, attempt: Attempt) -> None:
        """`attempt` was given up while it waited."""
        self._waiting.pop(attempt, None)

    def expired(self, now: int) -> None:
        """Called by the sweep: shed what has waited too long, and look at the next in line."""
        while self._waiting:
            attempt = next(iter(self._waiting))
            if attempt.wait_until > now:
                self.deadline = attempt.wait_until
                return
            del self._waiting[attempt]
            attempt.fail(FailureKind.SATURATED, "No connection became free in time.")
        self.deadline = NEVER

    # -- connections -------------------------------------------------------------------------

    def release(self, connection: Connection) -> None:
        """`connection` is idle and in step."""
        if self._waiting:
            attempt, _ = self._waiting.popitem(last=False)
            connection.begin(attempt)
        elif self._retired:
            connection.close()
        else:
            connection.deadline = self.timer.now + self._limits.keep_alive_ms
            connection.generation = self.timer.generation
            self._idle.append(connection)

    def connected(self, connection: Connection) -> None:
        """`connection` has a transport."""
        self._transports.add(connection)

    def left(self, connection: Connection, *, idle: bool) -> None:
        """`connection` is closing: its place is free."""
        self._members.discard(connection)
        self.timer.discard(connection)
        if idle and connection in self._idle:
            self._idle.remove(connection)
        if self._waiting and len(self._members) < self._limits.max_connections:
            attempt, _ = self._waiting.popitem(last=False)
            self._open(attempt, self.timer.read())
        elif self._retired and not self._members:
            self.timer.discard(self)

    def lost(self, connection: Connection) -> None:
        """`connection` has no transport any more."""
        self._transports.discard(connection)
        if self._gone is not None and not self._transports and not self._gone.done():
            self._gone.set_result(None)

    def went_stale(self) -> None:
        """The backend closed a kept connection. The others were idle for longer still."""
        for connection in self._idle[:]:
            connection.close()

    def retire(self) -> None:
        """Keep no connection from now on."""
        self._retired = True
        if not self._members:
            self.timer.discard(self)
        for connection in self._idle[:]:
            connection.close()

    async def close(self) -> None:
        """Close every connection; attempts under way fail. Returns when all are closed."""
        self._retired = True
        waiting, self._waiting = self._waiting, OrderedDict()
        for attempt in waiting:
            attempt.fail(FailureKind.CONNECT, "The connection pool is closing.")
        for connection in list(self._members):
            connection.fail(FailureKind.RESET, "The connection pool is closing.")
        self.timer.discard(self)
        if self._opening:
            await asyncio.wait(set(self._opening))
        if self._transports:
            self._gone = self.loop.create_future()
            await self._gone

    def _open(self, attempt: Attempt, now: int) -> None:
        connection = Connection(self, attempt, now + self._connect_ms)
        attempt.connection = connection
        self._members.add(connection)
        self.timer.add(connection)
        task = self.loop.create_task(self._connect(connection))
        connection.opening = task
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: Connection) -> None:
        try:
            await self._dial(connection)
        except DialError as error:
            connection.fail(error.kind, str(error))
        except asyncio.CancelledError:
            connection.fail(FailureKind.CONNECT, "The connection was given up.")
        except Exception as error:  # a fault of ours must not leave the attempt hanging
            connection.fail(FailureKind.CONNECT, f"{type(error).__name__} while connecting.")
            raise
        finally:
            connection.opening = None
