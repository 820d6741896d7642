"""The serving workers of a proxy: what each says of itself, and what all are told.

Each has a channel and its own listening socket. One that dies, by whatever cause, is started again
at once, and more slowly if it keeps dying; see `proxy.processes.child`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.child import Child, ChildSpec
from proxy.processes.messages import (
    Applied,
    Breakers,
    Counters,
    Drained,
    KillState,
    Message,
    Quarantined,
    Ready,
    Row,
    pack,
)

HUNG_AFTER = 3
"""Seconds: a worker beats once a second."""
KILLED_AFTER = 10
DRAIN_MARGIN_S = 5.0
"""What a worker may need beyond the time of its requests: its last counters and captures."""


class WorkerOwner(Protocol):
    """Who is told what workers say."""

    def on_message(self, worker: Worker, message: Message) -> None:
        """A worker said something; what it says of its own state is in `worker` already."""

    def on_exit(self, worker: Worker) -> None:
        """A worker is gone; a replacement follows, unless the proxy stops."""

    def on_change(self) -> None:
        """What the fleet should know of a worker changed."""

    async def greet(self, worker: Worker) -> None:
        """A worker has connected: tell it what to serve."""


class Worker:
    """One worker, through all its processes, and what is known of it."""

    def __init__(
        self,
        number: int,
        listener: socket.socket,
        owner: WorkerOwner,
        log: EventLog,
        keeper: TaskKeeper,
        start: Callable[[int], Message],
    ) -> None:
        self.number = number
        self.listener = listener
        spec = ChildSpec(
            "proxy.processes.worker", "worker", f"Worker {number}", HUNG_AFTER, KILLED_AFTER
        )
        self.child = Child(spec, self, log, keeper)
        self._owner = owner
        self._start = start
        self.reset()

    def reset(self) -> None:
        """Forget what a process before this one said."""
        self.ready = False
        self.revision = -1
        self.etag = ""
        self.kill = False
        self.breakers: list[Row] = []
        self.gauges: dict[str, int] = {}
        self.out: list[Row] = []
        self.budgets: list[Row] = []
        self.quarantine: list[Row] = []
        self.unfinished = 0

    @property
    def alive(self) -> bool:
        """Its process runs."""
        return self.child.alive

    @property
    def serving(self) -> bool:
        """It accepts connections, serves a table, and answers."""
        return self.ready and self.alive and not self.child.hung

    @property
    def name(self) -> str:
        """Tells this process of it from all others."""
        return f"{self.number}:{self.child.pid}"

    # -- Owner ---------------------------------------------------------------------------------

    def start_message(self) -> Message:
        self.reset()
        return self._start(self.number)

    async def greet(self) -> None:
        await self._owner.greet(self)

    def on_message(self, message: Message) -> None:
        match message:
            case Ready():
                self.ready = True
            case Applied():
                self.revision, self.etag = message.revision, message.etag
            case KillState():
                self.kill = message.on
            case Breakers():
                self.breakers = message.breakers
            case Quarantined():
                self.quarantine = message.rows
            case Counters():
                self.gauges = message.gauges
                self.budgets = message.backends["budgets"]
            case Drained():
                self.unfinished = message.unfinished
            case _:
                pass
        self._owner.on_message(self, message)

    def on_exit(self) -> None:
        self._owner.on_exit(self)

    def on_change(self) -> None:
        self._owner.on_change()


class Workers:
    """All workers of a proxy."""

    def __init__(
        self,
        listeners: list[socket.socket],
        owner: WorkerOwner,
        log: EventLog,
        keeper: TaskKeeper,
        start: Callable[[int], Message],
    ) -> None:
        self.all = [
            Worker(number, sock, owner, log, keeper, start) for number, sock in enumerate(listeners)
        ]

    def start(self, *fds: int) -> None:
        """Start every worker, and look after it from then on. Each inherits `fds`."""
        for worker in self.all:
            worker.child.begin(worker.listener, *fds)

    def send(self, message: Message) -> None:
        """Send a message to all."""
        self.send_packed(pack(message))

    def send_packed(self, data: bytes) -> None:
        """Send what `pack` made to all."""
        for worker in self.all:
            worker.child.send_packed(data)

    @property
    def live(self) -> list[Worker]:
        """Workers whose process runs."""
        return [worker for worker in self.all if worker.alive]

    @property
    def ready(self) -> bool:
        """Does every worker accept connections and serve a table?"""
        return all(worker.serving for worker in self.all)

    async def drain(self, timeout_s: float) -> int:
        """Let every worker finish its requests, then end; how many requests were cut off."""
        await asyncio.gather(
            *(worker.child.drain(timeout_s, DRAIN_MARGIN_S) for worker in self.all)
        )
        return sum(worker.unfinished for worker in self.all)

    async def stop(self) -> None:
        """End every worker at once."""
        await asyncio.gather(*(worker.child.stop() for worker in self.all))
