"""What a backend carries, second by second, over all workers of a proxy.

The counts lie in memory that the workers share. Each worker writes its own row only and reads all
of them, so that nobody waits for anybody; a reader may miss what is being counted just now. Time is
whole seconds of a clock that all workers have in common (monotonic).
"""

from __future__ import annotations

from typing import Final, Protocol

SECONDS: Final = 16
"""Seconds that are remembered, the present one included."""
_CELL: Final = 3  # the second, its own requests, its fallbacks
ROW: Final = SECONDS * _CELL
"""Numbers that one worker needs for one backend."""


class Cells(Protocol):
    """A row of 64-bit numbers: a list, or a view of shared memory."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


class Load:
    """The counts of one backend: `workers` rows of `ROW` numbers from `base` on, of which `worker`
    is this one's."""

    __slots__ = ("_base", "_cells", "_own", "workers")

    def __init__(self, cells: Cells, base: int = 0, workers: int = 1, worker: int = 0) -> None:
        self._cells = cells
        self._base = base
        self._own = base + worker * ROW
        self.workers = workers

    def count_own(self, second: int) -> None:
        """The backend serves a request in its own right."""
        self._cells[self._cell(second) + 1] += 1

    def count_fallback(self, second: int) -> None:
        """It serves one for another backend."""
        self._cells[self._cell(second) + 2] += 1

    def own(self, second: int) -> int:
        """Requests in its own right in one second, over all workers."""
        return self._sum(second, 1)

    def fallbacks(self, second: int) -> int:
        """Requests for another backend in one second, over all workers."""
        return self._sum(second, 2)

    def mean(self, second: int, window: int) -> float:
        """Its own requests a second over the `window` seconds before `second`."""
        return sum(self.own(second - back) for back in range(1, window + 1)) / window

    def _sum(self, second: int, which: int) -> int:
        cells, total = self._cells, 0
        at = self._base + second % SECONDS * _CELL
        for _ in range(self.workers):
            if cells[at] == second:
                total += cells[at + which]
            at += ROW
        return total

    def _cell(self, second: int) -> int:
        cells = self._cells
        at = self._own + second % SECONDS * _CELL
        if cells[at] != second:
            cells[at + 1] = cells[at + 2] = 0
            cells[at] = second
        return at
