"""What was compared of one route with one build of new: counts by what differed.

Nothing here says match or mismatch: `judgement` works that out by the rules, words and forms of
now. Parts add up, whoever counted them, but for forms and distinct requests, which merge by union.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from figway.evidence.noise.legacy_forms import MOST_PLACES, PlaceForm
from figway.evidence.noise.marks import Mark, ending
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import BEYOND
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.requests import Distinct, Frequent, Shapes

MOST_SIGNATURES = 2_000
MOST_ENTRIES = 100
"""Fields of one signature; a pair that differs in more counts as one that differs beyond."""

Entry = tuple[str, str]
"""Field, mark."""
Entries = tuple[Entry, ...]
NO_DIFFERENCE: Entries = ()
OWN = "|own"
"""Ends the place of a value that is the server's own, and not compared by value."""
MORE: Entries = ((f"{BEYOND}|changed", Mark.SETTLED.value),)
"""The signature of all that found no room: mismatches."""
_DISTINCT_NAMES = ("new", "legacy", "both")


def entries_of(marks: Mapping[str, Iterable[Mark]]) -> Entries:
    """The signature of a pair: by field, the mark that weighs most."""
    found = tuple(sorted((field, _heaviest(given).value) for field, given in marks.items()))
    return found if len(found) <= MOST_ENTRIES else MORE


def _heaviest(marks: Iterable[Mark]) -> Mark:
    given = set(marks)
    return next(mark for mark in _WEIGHT if mark in given)


_WEIGHT = (
    Mark.SETTLED,
    Mark.BEYOND,
    Mark.AT_ONCE,
    Mark.LOOKED_ONCE,
    Mark.UNSTEADY,
    Mark.SLOW,
    Mark.OPAQUE,
    Mark.STALE,
    Mark.NOT_LOOKED,
    Mark.YOUNG,
    Mark.FAR,
    Mark.FORM,
    Mark.COVERED,
)


def told(entries: Entries) -> str:
    """What a pair with this signature was called when it came to its end."""
    return ending(frozenset([Mark(mark) for _, mark in entries]))


def signature_hash(entries: Entries) -> str:
    """16 hexadecimal digits that pairs share when the same fields were found the same."""
    if not entries:
        return ""
    text = "\n".join(f"{name}\t{mark}" for name, mark in entries)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


@dataclass(slots=True)
class SignatureCount:
    """Pairs of one signature."""

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def add(self, count: int, first_ms: int, last_ms: int) -> None:
        """Count pairs."""
        self.first_ms = min(self.first_ms, first_ms) if self.count else first_ms
        self.last_ms = max(self.last_ms, last_ms)
        self.count += count


@dataclass(slots=True)
class OwnLooks:
    """Legacy compared with itself by a sample that does not depend on differences."""

    looks: int = 0
    places: dict[str, int] = field(default_factory=dict)
    """Looks in which a place varied."""

    def count(self, places: Iterable[str]) -> None:
        """One look."""
        self.looks += 1
        for place in set(places):
            if place in self.places or len(self.places) < MOST_PLACES:
                self.places[place] = self.places.get(place, 0) + 1

    def add(self, other: OwnLooks) -> None:
        """Sum."""
        self.looks += other.looks
        for place, number in other.places.items():
            if place in self.places or len(self.places) < MOST_PLACES:
                self.places[place] = self.places.get(place, 0) + number


def _no_failures() -> dict[str, dict[str, int]]:
    return {name: {} for name in _DISTINCT_NAMES}


@dataclass(slots=True)
class BuildEvidence:
    """See the module. All counts are pairs unless their name says otherwise."""

    build: str = ""
    first_ms: int = 0
    last_ms: int = 0
    signatures: dict[Entries, SignatureCount] = field(default_factory=dict)
    failed: dict[str, dict[str, int]] = field(default_factory=_no_failures)
    """By side (`new`, `legacy`, `both`) and reason."""
    equal_faults: dict[str, int] = field(default_factory=dict)
    """Both sides answered the same fault, by status."""
    unconfirmed: dict[str, int] = field(default_factory=dict)
    """Pairs without a second look, by why there was none."""
    looks: dict[str, PlaceLooks] = field(default_factory=dict)
    own: OwnLooks = field(default_factory=OwnLooks)
    forms: dict[str, PlaceForm] = field(default_factory=dict)
    sketches: dict[str, PlaceSketch] = field(default_factory=dict)
    distinct: Distinct = field(default_factory=Distinct)
    grown_ms: int = 0
    """When a request was compared last that had not been compared before."""
    frequent: Frequent = field(default_factory=Frequent)
    shapes: Shapes = field(default_factory=Shapes)
    """Of compared requests."""
    seen_shapes: Shapes = field(default_factory=Shapes)
    """Of captured requests, whatever became of them."""
    reads: dict[str, int] = field(default_factory=dict)
    """Requests that comparing added: `legacy`, `new`; and `natural`: repeats that cost nothing."""

    @property
    def pairs(self) -> int:
        """Pairs of two answers."""
        return sum(found.count for found in self.signatures.values())

    def seen_at(self, first_ms: int, last_ms: int) -> None:
        """Something was counted between these moments."""
        self.first_ms = min(self.first_ms or first_ms, first_ms)
        self.last_ms = max(self.last_ms, last_ms)

    def count(self, entries: Entries, at_ms: int, number: int = 1, last_ms: int = 0) -> None:
        """Count pairs of one signature; past 2 000 signatures as ones that differ beyond."""
        if entries not in self.signatures and len(self.signatures) >= MOST_SIGNATURES:
            entries = MORE
        found = self.signatures.setdefault(entries, SignatureCount())
        found.add(number, at_ms, last_ms or at_ms)

    def request(self, name: str, at_ms: int) -> None:
        """A request was compared, by its `request_hash`."""
        before = self.distinct.number
        self.distinct.add(name)
        self.frequent.add(name)
        if self.distinct.number > before:
            self.grown_ms = max(self.grown_ms, at_ms)

    def learned(self, data: Mapping[str, Any]) -> None:
        """Take in what `Knowledge.take` tells."""
        for place, looks in data["looks"].items():
            self.looks.setdefault(place, PlaceLooks()).add(PlaceLooks.from_data(looks))
        for place, form in data["forms"].items():
            self.forms.setdefault(place, PlaceForm()).merge(PlaceForm.from_data(form))

    def add(self, other: BuildEvidence) -> None:
        """Take in another part of the same window and build."""
        if other.first_ms:
            self.seen_at(other.first_ms, other.last_ms)
        for entries, found in other.signatures.items():
            self.count(entries, found.first_ms, found.count, found.last_ms)
        for side, reasons in other.failed.items():
            add_counts(self.failed.setdefault(side, {}), reasons)
        add_counts(self.equal_faults, other.equal_faults)
        add_counts(self.unconfirmed, other.unconfirmed)
        add_counts(self.reads, other.reads)
        self.own.add(other.own)
        self._add_places(other)
        before = self.distinct.number
        self.distinct.merge(other.distinct)
        if self.distinct.number > before:
            self.grown_ms = max(self.grown_ms, other.grown_ms)
        self.frequent.merge(other.frequent)
        self.shapes.merge(other.shapes)
        self.seen_shapes.merge(other.seen_shapes)

    def _add_places(self, other: BuildEvidence) -> None:
        for place, looks in other.looks.items():
            if place in self.looks or len(self.looks) < MOST_PLACES:
                self.looks.setdefault(place, PlaceLooks()).add(looks)
        for place, form in other.forms.items():
            if place in self.forms or len(self.forms) < MOST_PLACES:
                self.forms.setdefault(place, PlaceForm()).merge(form)
        for place, sketch in other.sketches.items():
            if place in self.sketches or len(self.sketches) < MOST_PLACES:
                self.sketches.setdefault(place, PlaceSketch()).add(sketch)

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "build": self.build,
            "first_ms": self.first_ms,
            "last_ms": self.last_ms,
            "signatures": [
                {
                    "entries": [list(entry) for entry in entries],
                    "count": found.count,
                    "first_ms": found.first_ms,
                    "last_ms": found.last_ms,
                }
                for entries, found in self.signatures.items()
            ],
            "failed": self.failed,
            "equal_faults": self.equal_faults,
            "unconfirmed": self.unconfirmed,
            "looks": {place: found.to_data() for place, found in self.looks.items()},
            "own": {"looks": self.own.looks, "places": self.own.places},
            "forms": {place: form.to_data() for place, form in self.forms.items()},
            "sketches": {place: found.to_data() for place, found in self.sketches.items()},
            "distinct": self.distinct.to_data(),
            "grown_ms": self.grown_ms,
            "frequent": self.frequent.to_data(),
            "shapes": self.shapes.to_data(),
            "seen_shapes": self.seen_shapes.to_data(),
            "reads": self.reads,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> BuildEvidence:
        """Read the JSON form; members that are not there are empty.

        Raises:
            ValueError, TypeError, KeyError: for what is none.
        """
        found = cls(str(data.get("build", "")))
        found.first_ms = int(data.get("first_ms", 0))
        found.last_ms = int(data.get("last_ms", 0))
        for row in data.get("signatures", ()):
            entries = tuple((str(name), Mark(mark).value) for name, mark in row["entries"])
            first, last = int(row.get("first_ms", 0)), int(row.get("last_ms", 0))
            found.count(entries, first, int(row["count"]), last)
        for side, reasons in data.get("failed", {}).items():
            found.failed[str(side)] = _counts(reasons)
        for name in ("equal_faults", "unconfirmed", "reads"):
            setattr(found, name, _counts(data.get(name, {})))
        own = data.get("own", {})
        found.own = OwnLooks(int(own.get("looks", 0)), _counts(own.get("places", {})))
        found.looks = {k: PlaceLooks.from_data(v) for k, v in data.get("looks", {}).items()}
        found.forms = {k: PlaceForm.from_data(v) for k, v in data.get("forms", {}).items()}
        found.sketches = {k: PlaceSketch.from_data(v) for k, v in data.get("sketches", {}).items()}
        found.distinct = Distinct.from_data(data.get("distinct", {}))
        found.grown_ms = int(data.get("grown_ms", 0))
        found.frequent = Frequent.from_data(data.get("frequent", ()))
        found.shapes = Shapes.from_data(data.get("shapes", ()))
        found.seen_shapes = Shapes.from_data(data.get("seen_shapes", ()))
        return found


def add_counts(into: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts by name."""
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(number) for name, number in data.items()}
