"""The worker processes: started, fed with tables, listened to, and replaced when they die.

Each worker has a channel and its own listening socket. A worker that dies, by whatever cause, is
started again at once, and more slowly if it keeps dying. One that says nothing for `SILENT_S` has
hung and is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from proxy.loop.backoff import Backoff
from proxy.loop.channel import Channel, Message, pack
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper

SILENT_S = 30.0
STEADY_S = 10.0
"""A worker that lived this long did not die of its start."""
MAX_BACKLOG = 512 * 1024 * 1024


class Boss(Protocol):
    """Who is told what workers say."""

    def from_worker(self, worker: Worker, message: Message) -> None:
        """A worker said something other than what its own state keeps."""

    def worker_died(self, worker: Worker) -> None:
        """A worker is gone; a replacement follows."""

    async def greet(self, worker: Worker) -> None:
        """A worker has connected: tell it what to serve."""


class Worker:
    """One worker process and what is known of it."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener = listener
        self.pid = 0
        self.process: asyncio.subprocess.Process | None = None
        self.channel: Channel | None = None
        self.started_ms = 0
        self.heard = 0.0
        self.restarts = 0
        self.reset()

    def reset(self) -> None:
        """Forget what a process before this one said."""
        self.ready = False
        self.revision = -1
        self.etag = ""
        self.kill = False
        self.breakers: list[dict[str, Any]] = []
        self.gauges: dict[str, int] = {}
        self.out: list[dict[str, Any]] = []
        self.budgets: list[dict[str, Any]] = []
        self.unfinished = 0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def send(self, frame: bytes) -> None:
        """Send a packed message; lost if the worker is not there."""
        if self.channel is not None:
            self.channel.send_packed(frame)

    def kill_process(self, number: signal.Signals) -> None:
        """Signal the process, if it is there."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


class Workers:
    """All workers of a proxy."""

    def __init__(
        self,
        listeners: list[socket.socket],
        boss: Boss,
        log: EventLog,
        keeper: TaskKeeper,
        start: Callable[[int], Message],
    ) -> None:
        self.all = [Worker(number, sock) for number, sock in enumerate(listeners)]
        self._boss = boss
        self._log = log
        self._keeper = keeper
        self._start = start
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every worker, and look after it from then on."""
        for worker in self.all:
            self._tasks.append(self._keeper.spawn(self._tend(worker), f"worker {worker.number}"))
        self._keeper.spawn(self._watch(), "worker watch")

    def send(self, message: Message) -> None:
        """Send a message to all."""
        frame = pack(message)
        for worker in self.all:
            worker.send(frame)

    @property
    def live(self) -> list[Worker]:
        """Workers whose process runs."""
        return [worker for worker in self.all if worker.alive]

    @property
    def ready(self) -> bool:
        """Does every worker accept connections and serve a table?"""
        return all(worker.ready and worker.alive for worker in self.all)

    async def drain(self, timeout_s: float) -> int:
        """Let every worker finish its requests, then end; how many requests were cut off."""
        self._stopping = True
        self.send({"t": "drain", "timeout_ms": int(timeout_s * 1000)})
        await self._ended(timeout_s + 5.0)
        return sum(worker.unfinished for worker in self.all)

    async def stop(self) -> None:
        """End every worker at once."""
        self._stopping = True
        self.send({"t": "stop"})
        await self._ended(2.0)

    async def _ended(self, timeout_s: float) -> None:
        _, pending = await asyncio.wait(self._tasks, timeout=timeout_s) if self._tasks else ((), ())
        if pending:
            for worker in self.live:
                worker.kill_process(signal.SIGKILL)
            await asyncio.wait(pending, timeout=2.0)

    # -- one worker ------------------------------------------------------------------------------

    async def _tend(self, worker: Worker) -> None:
        backoff = Backoff(0.1, 5.0)
        while not self._stopping:
            began = time.monotonic()
            code = await self._run(worker)
            if self._stopping:
                return
            worker.restarts += 1
            if time.monotonic() - began >= STEADY_S:
                backoff.reset()
            wait = backoff.next()
            self._log.error(
                "worker_died",
                f"Worker {worker.number} ended ({ending(code)}); the next starts in {wait:.1f} s.",
                worker=worker.number,
                pid=worker.pid,
                code=code,
            )
            self._boss.worker_died(worker)
            await asyncio.sleep(wait)

    async def _run(self, worker: Worker) -> int:
        """One life of a worker: from its start to the code that it ended with."""
        ours, theirs = socket.socketpair()
        closed = asyncio.Event()
        worker.reset()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "proxy.processes.worker",
                str(theirs.fileno()),
                str(worker.listener.fileno()),
                pass_fds=(theirs.fileno(), worker.listener.fileno()),
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            self._log.error("worker_start", f"A worker cannot be started: {error}.")
            return -1
        finally:
            theirs.close()
        worker.process, worker.pid = process, process.pid
        worker.started_ms = int(time.time() * 1000)
        worker.heard = time.monotonic()
        try:
            worker.channel = await Channel.open(
                ours, lambda message: self._heard(worker, message), closed.set
            )
            worker.channel.send(self._start(worker.number))
            await self._boss.greet(worker)
            code = await process.wait()
            with contextlib.suppress(TimeoutError):  # its last counters may still be on the way
                async with asyncio.timeout(1.0):
                    await closed.wait()
            return code
        finally:
            if worker.channel is not None:
                worker.channel.close()
                worker.channel = None

    def _heard(self, worker: Worker, message: Message) -> None:
        worker.heard = time.monotonic()
        kind = message["t"]
        if kind == "ready":
            worker.ready = True
        elif kind == "applied":
            worker.revision, worker.etag = message["revision"], message["etag"]
        elif kind == "kill":
            worker.kill = message["on"]
        elif kind == "breakers":
            worker.breakers = message["breakers"]
        elif kind == "counters":
            worker.gauges = message["gauges"]
            worker.budgets = message["backends"]["budgets"]
        elif kind == "drained":
            worker.unfinished = message["unfinished"]
        self._boss.from_worker(worker, message)

    async def _watch(self) -> None:
        """Kill what has hung; its replacement follows by itself."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for worker in self.live:
                stuck = worker.channel is not None and worker.channel.backlog > MAX_BACKLOG
                if not self._stopping and (stuck or now - worker.heard > SILENT_S):
                    self._log.error(
                        "worker_hung", f"Worker {worker.number} hangs; killing it.", pid=worker.pid
                    )
                    worker.heard = now
                    worker.kill_process(signal.SIGKILL)


_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TOP_PAD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
}
"""For glibc: a buffer of a big body is taken from memory that the process keeps, instead of being
mapped and given back to the system for every piece. Others ignore it; the environment wins."""


def environment() -> dict[str, str]:
    """The worker's environment: without the secrets, which come over the channel."""
    return _ALLOCATOR | {
        name: value
        for name, value in os.environ.items()
        if name not in ("FIGWAY_CONTROL_KEY", "FIGWAY_FORCE_SECRET", "FIGWAY_REDACT_KEY")
    }


def ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with code {code}"
