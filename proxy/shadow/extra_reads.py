"""How many reads comparing may add to legacy's load: a share of the pairs, and nothing besides."""

from __future__ import annotations

MOST_SAVED = 50.0
"""Reads that a quiet time may save up."""
MOST_KEPT = 3
"""Of these, the ones that are kept for planned looks."""


class ExtraReads:
    """Each pair brings a part of a read; each read takes a whole one. Zero per cent is zero."""

    __slots__ = ("_saved", "kept", "percent", "spent")

    def __init__(self, percent: int) -> None:
        self.percent = percent
        self.spent = 0
        self.kept = 0
        """Reads that later looks will take: others leave so many, up to `MOST_KEPT`."""
        self._saved = 0.0

    def pair(self) -> None:
        """Legacy served a request in its own right."""
        self._saved = min(MOST_SAVED, self._saved + self.percent / 100)

    def spend(self, *, later: bool = False) -> bool:
        """Take one read; False when there is none left. `later`: for a look that was planned."""
        if self._saved < 1.0 + (0 if later else min(self.kept, MOST_KEPT)):
            return False
        self._saved -= 1.0
        self.spent += 1
        return True
