"""A captured request with both answers, and how far the finding on it has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from figway.compare.answer import Answer
from figway.compare.verdict import COMPARED, Comparison
from figway.evidence.noise.marks import OF_FORM, Mark
from figway.evidence.noise.seen import Seen
from figway.evidence.window import (
    MORE,
    NO_DIFFERENCE,
    Entries,
    entries_of,
    signature_hash,
    told,
)
from proxy.capture.message import Captured


class PairStage(StrEnum):
    """asked -> compared -> (held ->) looked -> ended; a pair may end from every stage."""

    ASKED = "asked"
    """The side that did not serve was asked."""
    COMPARED = "compared"
    """Both answers are there, and compared."""
    HELD = "held"
    """It differs, and waits for the budget of second looks or for a natural repeat."""
    LOOKED = "looked"
    """A second look was taken."""
    ENDED = "ended"


NOT_COMPARED = Comparison("compare_error", reason="unknown")
"""Of a pair that is not compared yet."""


@dataclass(slots=True)
class Pair:
    """See the module."""

    captured: Captured
    legacy: Answer
    new: Answer
    comparison: Comparison = NOT_COMPARED
    since: int = 0
    """Monotonic milliseconds at which both answers were there, and compared; 0 before."""
    apart_ms: float = 0.0
    """From asking legacy to asking new."""
    slack_ms: float = 0.0
    """The time that both answers took: somewhere within, each side looked at its clock."""
    seen: list[Seen] = field(default_factory=list)
    marks: list[Mark | None] = field(default_factory=list)
    """Of each of `seen`; None for one that takes a second look."""
    stage: PairStage = PairStage.ASKED
    why: str = ""
    """Why there was no second look."""
    unordered: frozenset[str] = frozenset()
    """Lists that legacy gives in any order, and that are compared so for this pair."""
    again: frozenset[str] = frozenset()
    """Places at which a repeat differs as the request before it did, though legacy has moved on."""
    refusal: str = ""
    """Why legacy may not be asked again; empty if it may."""
    before: Pair | None = None
    """What was answered to an equal request before, if legacy is to be held against itself."""

    @property
    def open(self) -> list[int]:
        """Which of `seen` take a second look."""
        return [at for at, mark in enumerate(self.marks) if mark is None]

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        bodies = len(self.legacy.body) + len(self.new.body)
        return self.captured.size + bodies

    def settle(self, mark: Mark) -> None:
        """Give every difference without a mark this one."""
        self.marks = [mark if found is None else found for found in self.marks]

    @property
    def entries(self) -> Entries:
        """Its signature."""
        if self.comparison.beyond:
            return MORE
        if not self.seen:
            return NO_DIFFERENCE
        marks: dict[str, set[Mark]] = {}
        for item, mark in self.found:
            marks.setdefault(item.field, set()).add(mark)
        return entries_of(marks)

    @property
    def ended(self) -> tuple[str, str]:
        """What it is called now that it has its marks, and its signature or the reason."""
        verdict = self.comparison.verdict
        if verdict not in COMPARED:
            return verdict, self.comparison.reason
        entries = self.entries
        return (told(entries), signature_hash(entries)) if entries else ("match", "")

    @property
    def found(self) -> Iterator[tuple[Seen, Mark]]:
        """The differences that have a mark."""
        for item, mark in zip(self.seen, self.marks, strict=True):
            if mark is not None:
                yield item, mark

    @property
    def excused(self) -> frozenset[str]:
        """The fields that differ in a form that legacy shows, and in nothing else."""
        forms = {item.field for item, mark in self.found if mark in OF_FORM}
        others = {item.field for item, mark in self.found if mark not in OF_FORM}
        return frozenset(forms - others)
