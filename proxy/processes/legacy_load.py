"""The supervisor's end of the fallback budgets: places, peaks, and what the fleet is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from figway.model.table import Table
from figway.model.words import Side
from proxy.loop.events import EventLog
from proxy.processes.load_memory import LoadMemory
from proxy.processes.messages import LegacyLoads, Row
from proxy.telemetry.carried import Carried

SAVE_S = 60
WINDOW = 10
"""Seconds over which the present rate is taken."""


class LegacyLoad:
    """Watches what legacy backends carry. `to_workers` sends a message to each worker."""

    def __init__(
        self,
        memory: LoadMemory,
        carried: Carried,
        to_workers: Callable[[LegacyLoads], None],
        log: EventLog,
    ) -> None:
        self.carried = carried
        self._memory = memory
        self._to_workers = to_workers
        self._log = log
        self._told: dict[str, float] = {}

    @property
    def message(self) -> LegacyLoads:
        """Places and peaks, as a worker is told them."""
        now_ms = int(time.time() * 1_000)
        places = dict(self._memory.places)
        peaks = {backend: self.carried.peak(backend, now_ms)[0] for backend in places}
        self._told = peaks
        return LegacyLoads(places, peaks)

    def table(self, table: Table) -> None:
        """A table is about to be served."""
        legacy = (key for key, item in table.backends.items() if item.side is Side.LEGACY)
        if self._memory.assign(legacy):
            self._to_workers(self.message)

    def row(self, backend: str) -> Row:
        """What an acknowledgement says of a backend besides its budget."""
        now_ms, second = int(time.time() * 1_000), time.monotonic_ns() // 1_000_000_000
        load = self._memory.load(backend)
        peak, peak_ms = self.carried.peak(backend, now_ms)
        now = 0.0 if load is None else load.mean(second, WINDOW)
        return {"now_per_s": round(now, 1), "peak_per_s": round(peak, 1), "peak_ms": peak_ms}

    @property
    def backends(self) -> list[str]:
        """Backends that have a place."""
        return sorted(self._memory.places)

    async def run(self) -> None:
        """Look each second, for ever."""
        saved = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            self.look(int(time.time() * 1_000), time.monotonic_ns() // 1_000_000_000)
            if self.carried.changed and time.monotonic() - saved >= SAVE_S:
                saved = time.monotonic()
                await asyncio.to_thread(self.save)

    def look(self, now_ms: int, second: int) -> None:
        """Take in the seconds before this one, and tell the workers of higher peaks."""
        for backend in self._memory.places:
            load = self._memory.load(backend)
            if load is not None:
                most = max(load.own(second - 1), load.own(second - 2))
                self.carried.note(backend, float(most), now_ms)
        peaks = {key: self.carried.peak(key, now_ms)[0] for key in self._memory.places}
        if peaks != self._told:
            self._to_workers(self.message)

    def save(self) -> None:
        """Keep the peaks on disk; a failure is told, and costs no more than that."""
        try:
            self.carried.save(int(time.time() * 1_000))
        except OSError as error:
            self._log.error(
                "carried_not_kept",
                f"A restart would not know what legacy carried: {error.strerror or error}.",
            )
