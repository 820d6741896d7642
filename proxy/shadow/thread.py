"""Comparing and redacting, on one thread of their own.

A hostile body may take its bound of steps and seconds here; meanwhile the worker's sockets, timers
and pulse go on. The interpreter is told to switch threads often, so that latencies are measured to
within a millisecond while something is compared.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

SWITCH_S = 0.0005

T = TypeVar("T")


class CompareThread:
    """The thread. `waiting` is how many pieces of work are in line."""

    def __init__(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._threads = ThreadPoolExecutor(1, "compare")
        self.waiting = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Run a piece of work."""
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """End after the work at hand."""
        self._threads.shutdown(wait=False, cancel_futures=True)
