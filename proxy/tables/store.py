"""Keeping the served table on disk, off every path: a disk that fails stops nothing."""

from __future__ import annotations

import asyncio

from proxy.loop.events import EventLog
from proxy.tables.check import Served
from proxy.tables.last_good import LastGood, Stored


class TableStore:
    """Writes the latest served table. `error` says why it cannot, and is empty if it can."""

    def __init__(self, last_good: LastGood, log: EventLog) -> None:
        self._last_good = last_good
        self._log = log
        self._latest: Served | None = None
        self._due = asyncio.Event()
        self.error = ""

    def keep(self, served: Served) -> None:
        """Keep this table; one that waits to be written is forgotten for it."""
        self._latest = served
        self._due.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            served = self._latest
            assert served is not None
            stored = Stored(served.revision, served.etag, served.table)
            try:
                await asyncio.to_thread(self._last_good.save, stored)
            except OSError as error:
                self._failed(error)
            else:
                if self.error:
                    self._log.info("last_good_kept", "The table is kept on disk again.")
                self.error = ""

    def _failed(self, error: OSError) -> None:
        text = f"{self._last_good.path} cannot be written: {error.strerror or error}"
        if text != self.error:
            self._log.error(
                "last_good_not_kept",
                "Serving goes on, but a start without the control plane would serve an older "
                f"table: {text}.",
            )
        self.error = text
