"""Numbers that both sides read from one place, told from those that each side counts for itself.

A counter of each side's own may stand anywhere. One that both read (a place in a queue, a stock)
is the same on both but for what legacy moves in such a time, and what lies farther off is wrong.
Which it is shows when a request is made again: legacy has moved on, and new agrees all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import place_of_field
from figway.evidence.window import BuildEvidence, Entries

PACED = 5
"""Requests made again that moved on alike on both sides."""
LEAST_FAR = 3
MOST_FAR = 0.5
"""Share of the pairs above which numbers are taken for each side's own."""
BESIDE_MS = 10_000
"""Time in which near and far pairs come beside each other: not as after a restart of one side."""


@dataclass(slots=True)
class FarPairs:
    """Of a place with a counter: the pairs in which new's is farther off than legacy's steps."""

    far: int = 0
    far_first_ms: int = 0
    far_last_ms: int = 0
    near: int = 0
    """The pairs that agree there, or differ by no more than legacy's steps."""
    near_first_ms: int = 0
    near_last_ms: int = 0

    def count(self, mark: Mark | None, number: int, first_ms: int, last_ms: int) -> None:
        """Take in pairs with this mark here; None where they agree."""
        if mark is Mark.FAR:
            self.far_first_ms = min(self.far_first_ms or first_ms, first_ms)
            self.far_last_ms = max(self.far_last_ms, last_ms)
            self.far += number
        elif mark in (None, Mark.FORM, Mark.STALE):
            self.near_first_ms = min(self.near_first_ms or first_ms, first_ms)
            self.near_last_ms = max(self.near_last_ms, last_ms)
            self.near += number

    def shared(self, looks: PlaceLooks) -> bool:
        """Whether both sides read the number from one place, so that what is far off is wrong."""
        if looks.paced < PACED or self.far > MOST_FAR * (self.far + self.near):
            return False
        last, first = (
            min(self.far_last_ms, self.near_last_ms),
            max(self.far_first_ms, self.near_first_ms),
        )
        return self.far >= LEAST_FAR and last - first >= BESIDE_MS


def far_pairs(evidence: BuildEvidence) -> Mapping[str, FarPairs]:
    """By place, where there is such a pair."""
    marked = {place for entries in evidence.signatures for place in _far(entries)}
    found = {place: FarPairs() for place in marked}
    for entries, counted in evidence.signatures.items() if found else ():
        marks = {place_of_field(name): Mark(mark) for name, mark in entries}
        for place, into in found.items():
            into.count(marks.get(place), counted.count, counted.first_ms, counted.last_ms)
    return found


def _far(entries: Entries) -> Iterable[str]:
    return (place_of_field(name) for name, mark in entries if mark == Mark.FAR.value)
