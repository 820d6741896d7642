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
from dataclasses import dataclass, field
from pathlib import Path

from control_plane import outbound

_POLL = 0.05
DRAIN_S = 8
"""Seconds that the proxy has to finish requests once it is told to stop."""
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


Ready = Callable[[Child], Awaitable[bool]]
"""Is the process ready to do its work?"""


class Group:
    """Processes that start and stop together. Use as an asynchronous context manager."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
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
        child.process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the children in order
            limit=1 << 20,
        )
        self._children.append(child)
        child.reader = asyncio.Task(_read(child), name=f"output of {name}")
        try:
            async with asyncio.timeout(timeout):
                while not await ready(child):
                    if child.reader.done():
                        code = await child.process.wait()
                        raise ProcessFailed(f"{name} ended with code {code}: {child.last_words()}")
                    await asyncio.sleep(_POLL)
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
        """Start a process that ended once more, and wait until it is ready, as `start` does."""
        await _stop(child)
        place = self._children.index(child)
        del self._children[place]
        try:
            await self.start(child.name, child.command, ready=ready, env=child.env)
        finally:  # whoever starts first stops last, also after this
            self._children.insert(place, self._children.pop())

    async def first_to_end(self) -> Child:
        """Wait until one of the processes ends, and return it."""
        waits = {
            asyncio.Task(child.process.wait()): child
            for child in self._children
            if child.process is not None
        }
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waits[done.pop()]

    async def stop(self) -> None:
        """Stop all processes, the last started first; SIGKILL for what does not end in time."""
        while self._children:
            await _stop(self._children.pop())


async def _read(child: Child) -> None:
    assert child.process is not None
    assert child.process.stdout is not None
    with child.log.open("a", encoding="utf-8", errors="replace") as log:
        async for raw in child.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            child.lines.append(line)
            del child.lines[:-50]
            log.write(line + "\n")
            log.flush()


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
