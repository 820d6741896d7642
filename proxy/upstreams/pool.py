"""The connections of one worker to one http backend, and the requests that wait for one.

The connection used last is used next, so that surplus ones grow idle and go. A request that
finds none idle opens one of its own up to `max_connections`; beyond that it waits in line, up to
`wait_ms`, and beyond `max_waiting` it is shed at once. A request that must not be sent twice gets a
connection that was just used, or a fresh one: the backend may be closing an older one just now, and
its client would have had no such failure. Tunnels and event streams count apart.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from figway.message.http import REPEATABLE_METHODS
from figway.model.backend import ConnectionLimits, Timeouts
from figway.serving.attempts.failures import FailureKind
from proxy.loop.deadlines import NEVER, DeadlineTimer
from proxy.loop.piece_budget import PieceBudget
from proxy.upstreams.attempt import HOLD, Attempt
from proxy.upstreams.connection import Connection
from proxy.upstreams.logins import ClientConnection

JUST_USED_MS: Final = 500
"""How long a connection may have been idle for a request that must not be sent twice."""

Dial = Callable[[Connection], Awaitable[None]]
"""Connects a transport to the protocol given; raises `DialError`."""


CLOSE_S = 2.0
"""How long the end of connections is waited for when a pool closes; nothing depends on it."""


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
        self.pieces = PieceBudget()
        self.refuse_peer = refuse_peer
        self.head_ms = timeouts.head_ms
        self.idle_ms = timeouts.idle_ms
        self.deadline = NEVER
        self._dial = dial
        self._connect_ms = timeouts.connect_ms
        self._limits = limits
        self._idle: list[Connection] = []
        self._members: set[Connection] = set()
        self._lasting: set[Connection] = set()
        self._transports: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: OrderedDict[Attempt, None] = OrderedDict()
        self._retired = False
        self._gone: asyncio.Future[None] | None = None
        self._odd: dict[str, int] = {}
        timer.add(self)

    @property
    def open(self) -> int:
        """Connections, those being opened included."""
        return len(self._members) + len(self._lasting)

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def note_odd(self, kinds: tuple[str, ...]) -> None:
        """An answer had to be mended (`proxy.wire.odd_head` names the kinds)."""
        for kind in kinds:
            self._odd[kind] = self._odd.get(kind, 0) + 1

    def take_odd(self) -> dict[str, int]:
        """How many answers were mended since the last call, by kind."""
        odd, self._odd = self._odd, {}
        return odd

    # -- attempts ----------------------------------------------------------------------------

    def start(self, attempt: Attempt) -> None:
        """Give `attempt` a connection, now or later."""
        now = self.timer.read()
        if attempt.owner is not None and self._start_on_own(attempt, attempt.owner):
            return
        idle = self._idle
        while idle:
            connection = idle.pop()
            fresh = connection.deadline > now and connection.generation == self.timer.generation
            if fresh and connection.usable:
                if now - connection.idle_since > JUST_USED_MS and not _repeatable(attempt):
                    idle.append(connection)  # the others were idle for longer still
                    break
                connection.begin(attempt)
                return
            connection.abandon()
        if idle and len(self._members) >= self._limits.max_connections:
            idle[0].close()  # its place is wanted by a request that needs a fresh one
        if attempt.request.upgrade and len(self._lasting) >= self._limits.max_lasting:
            detail = "The backend has as many tunnels and event streams as it may."
            self.loop.call_soon(attempt.fail, FailureKind.SATURATED, detail)
        elif len(self._members) < self._limits.max_connections:
            self._open(attempt, now)
        elif len(self._waiting) >= self._limits.max_waiting:
            detail = "Too many requests wait for a connection."
            self.loop.call_soon(attempt.fail, FailureKind.SATURATED, detail)
        else:
            attempt.wait_until = now + self._limits.wait_ms
            self._waiting[attempt] = None
            self.deadline = min(self.deadline, attempt.wait_until)

    def _start_on_own(self, attempt: Attempt, owner: ClientConnection) -> bool:
        """Use the connection that belongs to the client's own, if there is one."""
        connection = owner.connection(self)
        if connection is None:
            return False
        if not connection.usable:
            connection.abandon()
            return False
        connection.begin(attempt)
        return True

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
        if connection.owner is not None:
            connection.deadline = NEVER
            if self._retired or not connection.owner.keep(self, connection):
                connection.close()
        elif self._waiting:
            attempt, _ = self._waiting.popitem(last=False)
            connection.begin(attempt)
        elif self._retired:
            connection.close()
        else:
            now = self.timer.now
            connection.idle_since = now
            connection.deadline = min(now + self._kept_ms(connection), connection.retires_at)
            connection.generation = self.timer.generation
            self._idle.append(connection)

    def _kept_ms(self, connection: Connection) -> int:
        """How long an idle connection is kept: less than the backend announced, so that a request
        never meets its closing."""
        announced = connection.announced_ms
        if not announced:
            return self._limits.keep_alive_ms
        return min(self._limits.keep_alive_ms, announced - min(1_000, announced // 2))

    def may_serve_on(self, connection: Connection) -> bool:
        """Whether `connection` is young enough for another request."""
        return connection.retires_at > self.timer.now

    def lasts(self, connection: Connection) -> None:
        """`connection` became a tunnel or an event stream: others may have its place."""
        if connection in self._members and len(self._lasting) < self._limits.max_lasting:
            self._members.discard(connection)
            self._lasting.add(connection)
            self._fill()

    def connected(self, connection: Connection) -> None:
        """`connection` has a transport."""
        self._transports.add(connection)

    def left(self, connection: Connection, *, idle: bool) -> None:
        """`connection` is closing: its place is free."""
        self._members.discard(connection)
        self._lasting.discard(connection)
        self.timer.discard(connection)
        if connection.owner is not None:
            connection.owner.lost(self, connection)
        if idle and connection in self._idle:
            self._idle.remove(connection)
        self._fill()

    def _fill(self) -> None:
        """A place is free: the first in line may have it."""
        if self._waiting and len(self._members) < self._limits.max_connections:
            attempt, _ = self._waiting.popitem(last=False)
            self._open(attempt, self.timer.read())
        elif self._retired and not self.open:
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
        if not self.open:
            self.timer.discard(self)
        for connection in list(self._members):
            if connection.usable:
                connection.close()

    async def close(self) -> None:
        """Close every connection; attempts under way fail. Returns when all are closed."""
        self._retired = True
        waiting, self._waiting = self._waiting, OrderedDict()
        for attempt in waiting:
            attempt.fail(FailureKind.CONNECT, "The connection pool is closing.")
        for connection in [*self._members, *self._lasting]:
            connection.fail(FailureKind.RESET, "The connection pool is closing.")
        self.timer.discard(self)
        if self._opening:
            await asyncio.wait(set(self._opening), timeout=CLOSE_S)
        if self._transports:
            self._gone = self.loop.create_future()
            await asyncio.wait((self._gone,), timeout=CLOSE_S)

    def _open(self, attempt: Attempt, now: int) -> None:
        connection = Connection(self, attempt, now + self._connect_ms)
        if self._limits.max_age_ms:
            connection.retires_at = now + self._limits.max_age_ms
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


def _repeatable(attempt: Attempt) -> bool:
    """Whether the request may, and can, be sent again when a kept connection is closed."""
    request = attempt.request
    if request.method not in REPEATABLE_METHODS:
        return False
    length = request.content_length
    return not request.has_body or (length is not None and length <= HOLD)
