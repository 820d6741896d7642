"""A child process of the supervisor, through all its generations.

It is spawned with one end of a socket pair and a listening socket, greeted, watched, started again
when it ends (more slowly if it keeps ending), killed when it hangs, and drained. Serving workers
and the shadow worker are both children; what differs is in `ChildSpec` and in their `Owner`.

Silence is counted in ticks of the supervisor's own loop. A supervisor that stood still itself
(a frozen container, a stopped process) counts one tick for the whole time, so it does not take
healthy children for hung ones when it wakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.loop.backoff import Backoff
from proxy.loop.channel import Channel
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.messages import Drain, Message, Stop, UnknownMessage, pack, unpack

STEADY_S = 10.0
"""A process that lived this long did not die of its start."""
TICK_S = 1.0
MAX_BACKLOG = 512 * 1024 * 1024
"""Bytes that a child may leave unread before it counts as hung."""
LAST_WORDS_S = 2.0
"""How long what a process said last may still be on its way."""
_KILL_S = 2.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a child is. `event` begins its event names, `name` stands in sentences."""

    module: str
    event: str
    name: str
    hung_after: int
    """Ticks of silence after which it counts as hung: it is not to be relied on."""
    killed_after: int
    """Ticks of silence after which it is killed, and so replaced."""
    note: str = ""
    """What its death means for traffic."""


class Owner(Protocol):
    """Whoever has a child."""

    def start_message(self) -> Message:
        """The first message to a process that has just started."""

    async def greet(self) -> None:
        """A process has started: tell it what it needs besides."""

    def on_message(self, message: Message) -> None:
        """The process said something."""

    def on_exit(self) -> None:
        """The process is over, and all that it said has been heard. A replacement may follow."""

    def on_change(self) -> None:
        """It has hung, or it answers again."""


class Child:
    """One process at a time. `generation` numbers them."""

    def __init__(self, spec: ChildSpec, owner: Owner, log: EventLog, keeper: TaskKeeper) -> None:
        self.spec = spec
        self.generation = 0
        self.pid = 0
        self.restarts = 0
        self.started_ms = 0
        self.channel: Channel | None = None
        self.silent = 0
        """Ticks since it said something."""
        self._owner = owner
        self._log = log
        self._keeper = keeper
        self._listener: socket.socket | None = None
        self._fds: tuple[int, ...] = ()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._hung = False

    # -- what is known of it -------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Its process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def hung(self) -> bool:
        """It said nothing for so long that it is not to be relied on."""
        return self._hung

    # -- what it is told -----------------------------------------------------------------------

    def begin(self, listener: socket.socket, *fds: int) -> None:
        """Start it, and look after it from then on. It inherits `listener`, and `fds` as they
        are numbered here."""
        if self._task is None:
            self._listener = listener
            self._fds = fds
            self._task = self._keeper.spawn(self._tend(), self.spec.name)
            self._keeper.spawn(self._watch(), f"watch of {self.spec.name}")

    def send(self, message: Message) -> None:
        """Send a message; lost if the process is not there."""
        self.send_packed(pack(message))

    def send_packed(self, data: bytes) -> None:
        """Send what `pack` made; lost if the process is not there."""
        if self.channel is not None:
            self.channel.send(data)

    async def drain(self, timeout_s: float, margin_s: float) -> None:
        """Let it finish, then end; kill it `margin_s` after the time is up."""
        self._stopping = True
        self.send(Drain(int(timeout_s * 1_000)))
        await self._over(timeout_s + margin_s)

    async def stop(self) -> None:
        """End it at once."""
        self._stopping = True
        self.send(Stop())
        await self._over(_KILL_S)

    def kill(self) -> None:
        """Kill the process, if it is there."""
        if self._process is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def _over(self, timeout_s: float) -> None:
        if self._task is None:
            return
        _, pending = await asyncio.wait((self._task,), timeout=timeout_s)
        if pending:
            self._log.error(
                f"{self.spec.event}_not_drained",
                f"{self.spec.name} did not end in {timeout_s:g} s; killing it.",
                pid=self.pid,
            )
            self.kill()
            await asyncio.wait((self._task,), timeout=_KILL_S)

    # -- generations ---------------------------------------------------------------------------

    async def _tend(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while not self._stopping:
            began = time.monotonic()
            code = await self._run()
            if not self._stopping:
                self.restarts += 1
            self._owner.on_exit()
            if self._stopping:
                return
            if time.monotonic() - began >= STEADY_S:
                backoff.reset()
            wait = backoff.next()
            self._died(code, wait)
            await asyncio.sleep(wait)

    def _died(self, code: int, wait: float) -> None:
        text = f"{self.spec.name} ended ({ending(code)}); the next starts in {wait:.1f} s."
        note = f" {self.spec.note}" if self.spec.note else ""
        self._log.error(f"{self.spec.event}_died", text + note, pid=self.pid, code=code)

    async def _run(self) -> int:
        """One generation, from its start to the code that it ended with."""
        ours, theirs = socket.socketpair()
        self.generation += 1
        try:
            process = await self._spawn(theirs)
        except OSError as error:
            ours.close()
            self._log.error(
                f"{self.spec.event}_start", f"{self.spec.name} cannot be started: {error}."
            )
            return -1
        finally:
            theirs.close()
        self._process, self.pid = process, process.pid
        self.started_ms = int(time.time() * 1_000)
        self._heard()
        return await self._speak(ours, process)

    async def _spawn(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        assert self._listener is not None
        fds = (theirs.fileno(), self._listener.fileno())
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self.spec.module, *map(str, fds)),
            pass_fds=(*fds, *self._fds),
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
        )

    async def _speak(self, ours: socket.socket, process: asyncio.subprocess.Process) -> int:
        closed = asyncio.Event()
        try:
            self.channel = await Channel.open(ours, self._on_data, closed.set)
            self.send(self._owner.start_message())
            await self._owner.greet()
            code = await process.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await closed.wait()
            return code
        finally:
            if self.channel is not None:
                self.channel.close()
                self.channel = None

    def _on_data(self, data: dict[str, Any]) -> None:
        self._heard()
        try:
            message = unpack(data)
        except UnknownMessage as error:
            self._log.error(f"{self.spec.event}_message", f"{self.spec.name}: {error}.")
            return
        self._owner.on_message(message)

    def _heard(self) -> None:
        self.silent = 0
        if self._hung:
            self._hung = False
            self._owner.on_change()

    # -- watching ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """A second of the supervisor's own time has passed."""
        if not self.alive:
            return
        self.silent += 1
        spec = self.spec
        if self.silent >= spec.hung_after and not self._hung:
            self._hung = True
            text = f"{spec.name} has said nothing for {self.silent} s."
            self._log.warning(f"{spec.event}_silent", text, pid=self.pid)
            self._owner.on_change()
        stuck = self.channel is not None and self.channel.backlog > MAX_BACKLOG
        if stuck or self.silent >= spec.killed_after:
            self._log.error(f"{spec.event}_hung", f"{spec.name} hangs; killing it.", pid=self.pid)
            self.silent = 0
            self.kill()


_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TOP_PAD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
}
"""For glibc: a buffer of a big body is taken from memory that the process keeps, instead of being
mapped and given back to the system for every piece. Others ignore it; the environment wins."""


def environment() -> dict[str, str]:
    """A child's environment: without the secrets, which come over the channel."""
    return _ALLOCATOR | {
        name: value
        for name, value in os.environ.items()
        if name not in ("FIGWAY_CONTROL_KEY", "FIGWAY_FORCE_SECRET", "FIGWAY_REDACT_KEY")
    }


def ending(code: int) -> str:
    """How a process ended, for people."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with code {code}"
