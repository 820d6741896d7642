"""The differences of one comparison, occurrence by occurrence, and what they are known by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from figway.compare.align import IDENTITIES
from figway.compare.canonical.json import Value, fingerprint, same
from figway.compare.doubled import TWICE
from figway.compare.tied import TIED
from figway.evidence.noise.values import ABSENT, Reading, read, read_at

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
    spot: str = ""
    """Of an element that one list lacks: `first`, `last` or `within`."""
    together: int = 0
    """Of these, how many its list lacks or has besides."""
    uneven: bool = False
    """Not as many are lacking as there are besides."""

    @property
    def name(self) -> str:
        """What an element is known by on either side: by its `id` or the like, else by itself."""
        value, key = self._value, self.named_by
        if key and isinstance(value, dict):
            return f"{key}={fingerprint(value[key])}"
        return fingerprint(value)

    @property
    def named_by(self) -> str:
        """The member that an element is known by; empty for none."""
        value = self._value
        if not isinstance(value, dict):
            return ""
        return next((key for key in IDENTITIES if isinstance(value.get(key), str | int)), "")

    @property
    def _value(self) -> Value:
        return self.one if self.kind == "missing" else self.other

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
        left = ABSENT if self.kind == "added" else read_at(self.path, self.one)
        right = ABSENT if self.kind == "missing" else read_at(self.path, self.other)
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
        self.seen = list(seen)
        self.by_exact: dict[str, Seen] = {}
        self.whole = whole
        """Every change is listed; else what is not listed may have changed too."""
        for item in self.seen:
            self.by_exact.setdefault(item.exact, item)

    def at(self, seen: Seen) -> Seen | None:
        """The change at this very place."""
        return self.by_exact.get(seen.exact)

    def reversed(self) -> Changes:
        """The same, told from the second answer to the first."""
        turned = (
            replace(item, one=item.other, other=item.one, kind=_TURNED.get(item.kind, item.kind))
            for item in self.seen
        )
        return Changes(turned, whole=self.whole)

    def lists(self) -> Iterable[list[Seen]]:
        """By list, the elements that came and went."""
        found: dict[str, list[Seen]] = {}
        for item in self.seen:
            if item.spot:
                found.setdefault(list_of(item.exact), []).append(item)
        return found.values()

    def resized(self, element: Seen) -> bool:
        """Whether the list of an element has become longer or shorter."""
        here = list_of(element.exact)
        return any(item.uneven and list_of(item.exact) == here for item in self.seen if item.spot)

    def moved_above(self, element: Seen) -> bool:
        """Whether what the list of an element stands in has changed, so that it is no longer where
        it was, or the list as a whole."""
        here = list_of(element.exact)
        return any(
            item.exact == here or _above(item.exact, here) or item.exact == "status"
            for item in self.seen
            if item.kind != "order"
        )

    def has(self, kind: str, element: Seen) -> bool | None:
        """Whether the list of an element gained (`added`) or lost (`missing`) this very one; None
        where that cannot be told."""
        here, unclear = list_of(element.exact), False
        for item in self.seen:
            if not item.exact.startswith(f"{here}["):
                continue
            if item.spot and list_of(item.exact) == here:
                if item.kind == kind and item.name == element.name:
                    return True
            elif item.kind in ("changed", "type"):  # held against each other by their places
                named = _named(item, here, element.named_by, gone=kind == "missing")
                if named == element.name:
                    return True
                unclear |= named is None
        return None if unclear else False

    def near(self, seen: Seen) -> bool:
        """Whether something above or below the place has changed, so that it moved.

        What one side lacks, or has as another type, is not moved by what varies within it.
        """
        exact = seen.exact
        if not self.whole or ("status" in self.by_exact and exact != "status"):
            return exact not in self.by_exact
        if seen.kind == "order":
            return any(_above(other, exact) or _is_element(other, exact) for other in self.by_exact)
        if exact.endswith(_OF_TWO):  # both places vary, and are to vary alike
            here = exact.removesuffix(_OF_TWO)
            return any(
                item.kind != "changed" and (other == here or _above(other, here))
                for other, item in self.by_exact.items()
            )
        if exact.endswith(_OF_A_LIST):  # it is told of the list, whatever stands where in it
            here = list_of(exact)
            return any(
                _above(other, here) or (other == here and item.kind != "order")
                for other, item in self.by_exact.items()
            )
        within = seen.kind not in _WHOLE or not seen.alone
        return any(
            other != exact and (_above(other, exact) or (within and _above(exact, other)))
            for other in self.by_exact
        )


def _named(item: Seen, here: str, key: str, *, gone: bool) -> str | None:
    """The name of an element that another stands in the place of now, or (not `gone`) of that
    other; empty where it is still the same, None where that cannot be told."""
    _, _, member = item.exact[len(here) :].partition("]")
    name = fingerprint(item.one if gone else item.other)
    if not member:
        return name
    if not key:
        return None
    return f"{key}={name}" if member == f".{key}" else ""


_OF_TWO = f"['{TIED}']"
_OF_A_LIST = f"['{TWICE}']"
_TURNED = {"missing": "added", "added": "missing"}


def list_of(exact: str) -> str:
    """The list in which an element stands: `$.items` for `$.items[3]`."""
    return exact[: exact.rfind("[")]


def _is_element(one: str, other: str) -> bool:
    """Whether a place is an element of a list; what is within elements moves none of them."""
    return one.startswith(f"{other}[") and one.endswith("]") and list_of(one) == other


def _above(one: str, other: str) -> bool:
    return other.startswith(one) and other[len(one) : len(one) + 1] in (".", "[")


def touched(changes: Changes, seen: Seen) -> bool:
    """Whether a place has changed, or moved."""
    return changes.at(seen) is not None or changes.near(seen)


def equal(one: Value, other: Value) -> bool:
    """Deep equality of two values that were compared before, so that their depth is bounded."""
    return same(one, other)
