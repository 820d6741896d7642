"""Background tasks that are kept alive, whose errors are reported, and that end with the
process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)


class TaskKeeper:
    """Owns the tasks of one process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or `stop` is called; an exception is logged by name."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` again and again, `seconds` apart; a failed round is logged, and the next
        comes."""
        self.start(name, _repeat(name, seconds, work))

    async def stop(self) -> None:
        """Cancel every task and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task %s failed: %s", task.get_name(), error, exc_info=error)


async def _repeat(name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    failing = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
            failing = False
        except Exception as error:
            # Once per outage: a database that is away for an hour is one line, not 3 600.
            if not failing:
                _log.warning("%s failed, and will be tried again: %s", name, error)
            failing = True
