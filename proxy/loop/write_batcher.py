"""What is written together: pieces that wait for the end of a turn of the event loop.

Each write is a system call, and may wake whoever reads: a head that waits for the first piece of
its body costs one call instead of two.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

SMALL: Final = 16_384
"""Bytes up to which joining two pieces costs less than a second system call."""


class Flushed(Protocol):
    """Holds bytes back until the turn is over."""

    def flush(self) -> None:
        """Write what is held back, if there still is any. Must not raise."""


class WriteBatcher:
    """Who is to be flushed when this turn of the running loop is over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Flushed] = []

    def flush_soon(self, item: Flushed) -> None:
        """Have `item` flushed at the end of this turn."""
        if not self._waiting:
            self._loop.call_soon(self.end)
        self._waiting.append(item)

    def end(self) -> None:
        """Flush everybody."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            item.flush()
