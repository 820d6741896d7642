"""How often what ran: so that a test can prove that a write ran once."""

from __future__ import annotations

from collections import Counter


class Counters:
    """Counts since the start, or since they were cleared."""

    def __init__(self) -> None:
        self.received = 0
        self.executed: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def clear(self) -> None:
        """Begin anew."""
        self.received = 0
        self.executed.clear()
        self.operations.clear()
        self.faults.clear()
