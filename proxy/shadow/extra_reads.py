"""How many reads comparing may add to legacy's load: a share of the pairs, and nothing besides."""

from __future__ import annotations

MOST_SAVED = 50.0
"""Reads that a quiet time may save up."""


class ExtraReads:
    """Each pair brings a part of a read; each read takes a whole one. Zero per cent is zero."""

    __slots__ = ("_saved", "percent", "spent")

    def __init__(self, percent: int) -> None:
        self.percent = percent
        self.spent = 0
        self._saved = 0.0

    def pair(self) -> None:
        """Legacy served a request in its own right."""
        self._saved = min(MOST_SAVED, self._saved + self.percent / 100)

    def spend(self) -> bool:
        """Take one read; False when there is none left."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        self.spent += 1
        return True
