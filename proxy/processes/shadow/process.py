"""The shadow worker's process: started when a route wants it, watched, and started again.

Its listening socket belongs to the supervisor, in a directory that only this user may enter, so a
serving worker finds it at the same place whichever life of the shadow worker listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from proxy.loop.backoff import Backoff
from proxy.loop.channel import Channel, Message
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.workers import ending, environment

SILENT_S = 20.0
STEADY_S = 10.0


class ShadowProcess:
    """One shadow worker at a time. `life` numbers them.

    `heard` is told each message, `ended` each life that is over, `greet` is asked for what a new
    one needs to know.
    """

    def __init__(
        self,
        log: EventLog,
        keeper: TaskKeeper,
        start: Callable[[int], Message],
        greet: Callable[[], object],
        heard: Callable[[Message], None],
        ended: Callable[[int], None],
    ) -> None:
        self.life = 0
        self.pid = 0
        self.restarts = 0
        self.channel: Channel | None = None
        self._log = log
        self._keeper = keeper
        self._start = start
        self._greet = greet
        self._heard = heard
        self._ended = ended
        self._directory = ""
        self._listener: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._last = 0.0
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def path(self) -> str:
        """Where it listens; empty before it was wanted."""
        return str(Path(self._directory, "shadow")) if self._directory else ""

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def begin(self) -> None:
        """Start it, and look after it from then on. Raises OSError without a place to listen."""
        if self._task is None:
            self._listen()
            self._task = self._keeper.spawn(self._tend(), "shadow worker")
            self._keeper.spawn(self._watch(), "shadow worker watch")

    def send(self, message: Message) -> None:
        """Send a message; lost if it is not there."""
        if self.channel is not None:
            self.channel.send(message)

    def send_packed(self, frame: bytes) -> None:
        """Send a packed message; lost if it is not there."""
        if self.channel is not None:
            self.channel.send_packed(frame)

    async def drain(self, timeout_s: float) -> None:
        """Let it finish what came in, then end it."""
        self._stopping = True
        if self._task is not None:
            self.send({"t": "drain", "timeout_ms": int(timeout_s * 1_000)})
            _, pending = await asyncio.wait((self._task,), timeout=timeout_s + 2.0)
            if pending:
                self._kill()
                await asyncio.wait((self._task,), timeout=2.0)
        self.close()

    def close(self) -> None:
        """Leave nothing behind."""
        self._stopping = True
        self._kill()
        if self._listener is not None:
            self._listener.close()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _listen(self) -> None:
        # Not the state directory: a path of a Unix socket has room for about a hundred bytes.
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        usable = runtime and os.access(runtime, os.W_OK) and len(runtime) < 60
        self._directory = tempfile.mkdtemp(prefix="figway-", dir=runtime if usable else None)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(256)

    async def _tend(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while not self._stopping:
            began = time.monotonic()
            code = await self._run()
            self._ended(self.life)
            if self._stopping:
                return
            self.restarts += 1
            if time.monotonic() - began >= STEADY_S:
                backoff.reset()
            wait = backoff.next()
            self._log.error(
                "shadow_worker_died",
                f"The shadow worker ended ({ending(code)}); the next starts in {wait:.1f} s. "
                "Traffic is served as before.",
                pid=self.pid,
                code=code,
            )
            await asyncio.sleep(wait)

    async def _run(self) -> int:
        assert self._listener is not None
        ours, theirs = socket.socketpair()
        closed = asyncio.Event()
        self.life += 1
        fds = (theirs.fileno(), self._listener.fileno())
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "proxy.processes.shadow.worker", *map(str, fds)),
                pass_fds=fds,
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            self._log.error("shadow_worker_start", f"It cannot be started: {error}.")
            return -1
        finally:
            theirs.close()
        self._process, self.pid, self._last = process, process.pid, time.monotonic()
        try:
            self.channel = await Channel.open(ours, self._on_message, closed.set)
            self.channel.send(self._start(self.life))
            self._greet()
            code = await process.wait()
            with contextlib.suppress(TimeoutError):  # its last words are still on the way
                async with asyncio.timeout(2.0):
                    await closed.wait()
            return code
        finally:
            if self.channel is not None:
                self.channel.close()
                self.channel = None

    def _on_message(self, message: Message) -> None:
        self._last = time.monotonic()
        self._heard(message)

    def _kill(self) -> None:
        if self.alive and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.alive and time.monotonic() - self._last > SILENT_S:
                self._log.error("shadow_worker_hung", "The shadow worker hangs; killing it.")
                self._last = time.monotonic()
                self._kill()
