"""Child processes that belong together: start in order, watch, stop in the reverse order.

`figway up` and `figway demo` run the system as the separate processes that it is in production;
this is the small supervisor around them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

_POLL = 0.05
DRAIN_S = 8
"""Seconds that the proxy has to finish requests once it is told to stop."""
LOG_BYTES = 16 * 1024 * 1024
"""Of one process; as much again is kept of what was before."""
_STOP_GRACE = DRAIN_S + 4.0  # seconds between SIGTERM and SIGKILL


class ProcessFailed(RuntimeError):
    """A process ended when it should not have, or never became ready."""


@dataclass(slots=True)
class Child:
    """One process of a group. `log` is where its output goes besides being watched."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    lines: list[str] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None

    def last_words(self) -> str:
        """The last line that the process wrote, for an error message."""
        return next((line for line in reversed(self.lines) if line.strip()), "it said nothing")


class BoundedLog:
    """A file of lines that only its owner reads, bounded: a full one becomes `NAME.log.1`, in place
    of the one before. A disk that is full loses lines, and stops nobody."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file = self._open()

    def write(self, line: str) -> None:
        """Append a line."""
        with suppress(OSError):
            if self._file.tell() > self._limit:
                self._file.close()
                self._path.replace(f"{self._path}.1")
                self._file = self._open()
            self._file.write(f"{line}\n".encode())

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._file.close()

    def _open(self) -> FileIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return FileIO(os.open(self._path, flags, 0o600), "a")


Ready = Callable[[Child], Awaitable[bool]]
"""Is the process ready to do its work?"""


class Group:
    """Processes that start and stop together. Use as an asynchronous context manager.

    `told` hears of each that starts and is ready, so that nobody looks at silence for a minute.
    """

    def __init__(
        self,
        logs: Path,
        told: Callable[[str], None] = lambda line: None,
        heard: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`heard` is called with each line that a process writes."""
        self._logs = logs
        self._told = told
        self._heard = heard
        self._children: list[Child] = []
        logs.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Group:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Ready,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Child:
        """Start a process and wait until it is ready.

        Raises `ProcessFailed` with the process's own last line when it ends first or takes
        longer than `timeout` seconds.
        """
        child = Child(name, command, self._logs / f"{name}.log", env or {})
        self._told(f"Starting {name} ...")
        await _spawn(child, self._heard)
        self._children.append(child)
        try:
            async with asyncio.timeout(timeout):
                await _until_ready(child, ready)
        except TimeoutError:
            raise ProcessFailed(
                f"{name} was not ready after {timeout:g} s: {child.last_words()} (log: {child.log})"
            ) from None
        return child

    def child(self, name: str) -> Child:
        """The process called `name` that was started last. Raises `KeyError`."""
        for child in reversed(self._children):
            if child.name == name:
                return child
        raise KeyError(name)

    async def again(self, child: Child, ready: Ready) -> None:
        """Start a process that ended once more, in its place, and wait for as long as it takes to
        be ready: a busy machine starts it slowly, and it is of no use to give up on it.

        Raises `ProcessFailed` when it ends first, or cannot be started at all.
        """
        await _stop(child)
        child.lines.clear()
        try:
            await _spawn(child, self._heard)
        except OSError as error:  # no memory, no processes or no descriptors left
            raise ProcessFailed(f"{child.name} cannot be started: {error.strerror}") from None
        await _until_ready(child, ready)

    async def first_to_end(self, besides: str = "") -> Child:
        """Wait until one of the processes ends, and return it; that called `besides` may end."""
        waits = {
            asyncio.Task(child.process.wait()): child
            for child in self._children
            if child.process is not None and child.name != besides
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        return waits[done.pop()]

    async def stop(self) -> None:
        """Stop all processes, the last started first; SIGKILL for what does not end in time."""
        while self._children:
            await _stop(self._children.pop())


async def _spawn(child: Child, heard: Callable[[str], None]) -> None:
    child.process = await asyncio.create_subprocess_exec(
        *child.command,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches us alone; we stop the children in order
        limit=1 << 20,
    )
    child.reader = asyncio.Task(_read(child, heard), name=f"output of {child.name}")


async def _until_ready(child: Child, ready: Ready) -> None:
    """Raises `ProcessFailed` when it ends first."""
    assert child.process is not None
    assert child.reader is not None
    while not await ready(child):
        if child.reader.done():
            code = await child.process.wait()
            raise ProcessFailed(f"{child.name} ended with code {code}: {child.last_words()}")
        await asyncio.sleep(_POLL)


async def _read(child: Child, heard: Callable[[str], None]) -> None:
    assert child.process is not None
    assert child.process.stdout is not None
    log = BoundedLog(child.log)
    try:
        async for raw in child.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            child.lines.append(line)
            del child.lines[:-50]
            log.write(line)
            heard(line)
    finally:
        log.close()


async def _stop(child: Child) -> None:
    process = child.process
    assert process is not None
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_GRACE)
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()
    if child.reader is not None:
        child.reader.cancel()
        await asyncio.gather(child.reader, return_exceptions=True)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def answers(url: str) -> Ready:
    """Ready means: `url` answers with success."""

    from control_plane import outbound  # slow to import, and most commands start no process

    async def ready(_: Child) -> bool:
        try:
            async with outbound.AsyncClient(trust_env=False, timeout=2.0) as client:
                return (await client.get(url)).is_success
        except outbound.HTTPError:
            return False

    return ready


def said(words: str) -> Ready:
    """Ready means: a line of its output holds `words`."""

    async def ready(child: Child) -> bool:
        return any(words in line for line in child.lines)

    return ready


def python_module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", name, *arguments]
