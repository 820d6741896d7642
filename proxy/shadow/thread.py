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
from functools import partial
from typing import TypeVar

from figway.compare.answer import Answer
from figway.compare.verdict import Comparison
from proxy.capture.message import Captured
from proxy.shadow.comparer import RouteComparer

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

    async def compare(
        self,
        comparer: RouteComparer,
        captured: Captured,
        one: Answer,
        other: Answer,
        unordered: frozenset[str] = frozenset(),
    ) -> Comparison:
        """Compare two answers to a request; here and now where that takes less than the way to the
        thread and back."""
        found = comparer.now(captured, one, other, unordered)
        if found is not None:
            return found
        return await self.do(partial(comparer.compare, captured, one, other, unordered))

    def close(self) -> None:
        """End after the work at hand."""
        self._threads.shutdown(wait=False, cancel_futures=True)
