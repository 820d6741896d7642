"""The differences of one comparison, occurrence by occurrence, and what they are known by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from figway.compare.canonical.json import Value, fingerprint, same
from figway.evidence.noise.values import ABSENT, Reading, read, read_header

MOST_ORDERED = 60
BEYOND = "(more)"
"""Stands for what found no room."""
_BYTES = re.compile(r"[0-9]+ bytes, sha256 [0-9a-f]{64}")
_SIDES = frozenset({"missing", "added"})
_WHOLE = frozenset({"missing", "added", "type"})


def place_of(path: str, kind: str) -> str:
    """The key of a place: its path template, and what can vary there.

    `presence` for a member that one side lacks, else the kind of the difference, `value` for
    `changed`.
    """
    if kind in _SIDES:
        return f"{path}|presence"
    return f"{path}|{'value' if kind == 'changed' else kind}"


def place_of_field(field: str) -> str:
    """The place of a `Difference.field` (`path|kind~shape`)."""
    path, _, kind = field.rpartition("|")
    return place_of(path, kind.partition("~")[0])


@dataclass(frozen=True, slots=True)
class Seen:
    """One differing place of one pair."""

    exact: str
    path: str
    kind: str
    field: str
    one: Value
    """What the first answer has there; None where it has nothing."""
    other: Value
    ignored_by: str | None = None
    alone: bool = True
    """Of a value that one side lacks: no other stands in its stead, as where elements that differ
    on both sides are held against each other."""

    @property
    def place(self) -> str:
        """See `place_of`."""
        return place_of(self.path, self.kind)

    @property
    def in_set(self) -> bool:
        """Whether the place is one of many: an element of an array."""
        return "[*]" in self.path

    @property
    def whole(self) -> bool:
        """Whether the body is one value here, which stands for nothing but itself."""
        text = self.one
        return self.kind == "format" or (isinstance(text, str) and bool(_BYTES.fullmatch(text)))

    @property
    def readings(self) -> tuple[Reading, Reading]:
        """Both values as they read by themselves."""
        if self.kind == "order":
            return read(self.one), Reading("tree", number=inverted_share(self.one, self.other))
        read_one = read_header if self.path.startswith("header:") else read
        left = ABSENT if self.kind == "added" else read_one(self.one)
        right = ABSENT if self.kind == "missing" else read_one(self.other)
        return left, right


def inverted_share(one: Value, other: Value) -> float:
    """Of the pairs of elements of a list, the share that stands the other way round in another
    order of it; of the first `MOST_ORDERED` elements."""
    if not isinstance(one, list) or not isinstance(other, list):
        return 0.0
    places: dict[str, list[int]] = {}
    for at in range(len(other) - 1, -1, -1):
        places.setdefault(fingerprint(other[at]), []).append(at)
    turned = [places.get(fingerprint(item), [0]) for item in one[:MOST_ORDERED]]
    there = [at.pop() if len(at) > 1 else at[0] for at in turned]
    number = len(there) * (len(there) - 1) // 2
    inverted = sum(a > b for at, a in enumerate(there) for b in there[at + 1 :])
    return inverted / number if number else 0.0


class Changes:
    """Where one side's second answer differs from its first."""

    def __init__(self, seen: Iterable[Seen], *, whole: bool = True) -> None:
        self.by_exact: dict[str, Seen] = {}
        self.whole = whole
        """Every change is listed; else what is not listed may have changed too."""
        for item in seen:
            self.by_exact.setdefault(item.exact, item)

    def at(self, seen: Seen) -> Seen | None:
        """The change at this very place."""
        return self.by_exact.get(seen.exact)

    def reversed(self) -> Changes:
        """The same, told from the second answer to the first."""
        turned = (
            replace(item, one=item.other, other=item.one, kind=_TURNED.get(item.kind, item.kind))
            for item in self.by_exact.values()
        )
        return Changes(turned, whole=self.whole)

    def near(self, seen: Seen) -> bool:
        """Whether something above or below the place has changed, so that it moved.

        What one side lacks, or has as another type, is not moved by what varies within it.
        """
        exact = seen.exact
        if not self.whole or ("status" in self.by_exact and exact != "status"):
            return exact not in self.by_exact
        within = seen.kind not in _WHOLE or not seen.alone
        return any(
            other != exact and (_above(other, exact) or (within and _above(exact, other)))
            for other in self.by_exact
        )


_TURNED = {"missing": "added", "added": "missing"}


def _above(one: str, other: str) -> bool:
    return other.startswith(one) and other[len(one) : len(one) + 1] in (".", "[")


def equal(one: Value, other: Value) -> bool:
    """Deep equality of two values that were compared before, so that their depth is bounded."""
    return same(one, other)
