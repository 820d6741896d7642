"""How many tiny pieces one turn of the event loop takes apart, for all connections together.

A read of 64 KB may hold 13 000 chunks of one byte. Whoever takes them all apart at once keeps every
other connection waiting, and a limit for each connection does so as soon as there are many. So the
connections share what a turn may do; who is over it goes on in a later turn, one after another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

TURN: Final = 1_024
"""Pieces that are taken apart in one turn."""
FEW: Final = 16
"""Pieces of one read that are free: a body in large pieces never waits for a flood of tiny ones."""


class PieceBudget:
    """What is left of this turn of the running loop, and who goes on in the next."""

    __slots__ = ("_due", "_left", "_loop", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = TURN
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = False

    @property
    def most(self) -> int:
        """Pieces that a connection may take apart now; at least `FEW`."""
        return max(self._left, FEW)

    @property
    def spent(self) -> bool:
        """Nothing is left of this turn."""
        return self._left <= FEW

    def spend(self, pieces: int) -> None:
        """So many were taken apart."""
        if pieces > FEW:
            self._left -= pieces
            self._begin_next()

    def later(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn, behind those who wait already. That costs a piece itself.

        Who raises does not keep the others from their turn.
        """
        self._waiting.append(go_on)
        self._begin_next()

    def _begin_next(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._due = False
        self._left = TURN
        waiting = self._waiting
        try:
            for _ in range(len(waiting)):
                if self.spent:
                    break
                self._left -= 1  # thousands may wait for a few pieces each, or be closed by now
                waiting.popleft()()
        finally:
            if waiting:
                self._begin_next()
