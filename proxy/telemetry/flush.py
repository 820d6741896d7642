"""Getting the workers' latest counters at once: what a scrape waits for, within a bound."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable

FLUSH_S = 0.3
"""How long a scrape waits for the workers' latest counters."""


class Flushes:
    """The flushes under way. `to_workers` asks each worker for its counters, by a number."""

    def __init__(self, to_workers: Callable[[int], None]) -> None:
        self._to_workers = to_workers
        self._waiting: dict[int, tuple[set[int], asyncio.Event]] = {}

    async def run(self, workers: Iterable[int]) -> None:
        """Ask these workers, by number, for their counters; wait no longer than `FLUSH_S`."""
        expected, event = set(workers), asyncio.Event()
        if not expected:
            return
        number = secrets.randbits(31) | 1
        self._waiting[number] = (expected, event)
        self._to_workers(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await event.wait()
        del self._waiting[number]

    def came(self, worker: int, number: int) -> None:
        """A worker sent its counters, for the flush of that number or for none."""
        if number in self._waiting:
            expected, event = self._waiting[number]
            expected.discard(worker)
            if not expected:
                event.set()

    def gone(self, worker: int) -> None:
        """A worker will answer no more."""
        for number in list(self._waiting):
            self.came(worker, number)
