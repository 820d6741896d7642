"""Both sides of a place that differs, in little: noise that varies differently is a difference.

Only pairs that differ need to be looked at. Of two sides that give a value equally often, each is
the odd one equally often (Q. McNemar, 1947): of the pairs in which just one side gave the value,
half are legacy's. That is tested by a bound that holds at every moment (`sequential`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from figway.evidence.noise.clocks import apart_s
from figway.evidence.noise.forms import Digest
from figway.evidence.noise.text_forms import read_part, slots
from figway.evidence.noise.values import NUMBERS, Nature, Reading, share_apart
from figway.evidence.sequential import log_evidence

MOST_VALUES = 64
MOST_WAYS = 16
_TEXTS: frozenset[Nature] = frozenset({"text", "word"})
_NEW_EACH_TIME: frozenset[Nature] = frozenset({"token", "instant", "decimal", "tree"})
ALPHA = 0.025
LEAST_ODD = 8
LONGEST_LABEL = 40


@dataclass(slots=True)
class SideSketch:
    """One side of a place."""

    natures: dict[str, int] = field(default_factory=dict)
    low: int = 0
    """Length of the shortest text."""
    high: int = 0

    def count(self, reading: Reading) -> None:
        """Take in one value."""
        self.natures[reading.nature] = self.natures.get(reading.nature, 0) + 1
        size = len(reading.text)
        self.low = min(self.low, size) if self.high else size
        self.high = max(self.high, size)

    def add(self, other: SideSketch) -> None:
        """Take in another part."""
        for name, number in other.natures.items():
            self.natures[name] = self.natures.get(name, 0) + number
        if other.high:
            self.low = min(self.low, other.low) if self.high else other.low
            self.high = max(self.high, other.high)

    def only(self, natures: frozenset[Nature]) -> bool:
        """Whether every value was of these natures, and there was one."""
        return bool(self.natures) and set(self.natures) <= natures


@dataclass(slots=True)
class PlaceSketch:
    """Both sides of a place, over the pairs that differ there."""

    pairs: int = 0
    legacy: SideSketch = field(default_factory=SideSketch)
    new: SideSketch = field(default_factory=SideSketch)
    values: dict[str, list[int]] = field(default_factory=dict)
    """By digest: [times on legacy, times on new, and of each the ones that were kept]: a pair that
    says what the pair before said a moment ago, as sides that keep a value for a while do."""
    others: list[int] = field(default_factory=lambda: [0, 0])
    """Values that found no room: seldom ones."""
    offset_ms: float = 0.0
    """Sum of what new's moments are later than legacy's, less the time between the askings."""
    moments: int = 0
    farthest: float = 0.0
    """Most that two numbers were apart, also in texts; `relative`: as a share of the larger."""
    relative: float = 0.0
    lowest: float = 0.0
    """New's smallest number; 0 where none is below it."""
    turned: bool = False
    """Legacy gave one value and new another and, another time, the other way round: both draw from
    the same values, and do not just move on."""
    ways: set[str] = field(default_factory=set, compare=False)
    """Which values legacy and new gave, until they turned."""
    unlike: int = 0
    """Pairs of texts that differ in more than slots."""
    again: list[int] = field(default_factory=lambda: [0, 0])
    """Times that a side gave a value again after others: [legacy, new]."""
    behind: int = 0
    """Pairs in which new says what legacy said before, and legacy something that is new;
    (`ahead`) the other way round."""
    ahead: int = 0
    backward: int = 0
    """Pairs in which new was asked first."""
    _last: list[str] = field(default_factory=lambda: ["", ""], compare=False)

    def count(
        self,
        legacy: Reading,
        new: Reading,
        apart_ms: float,
        digest: Digest,
        *,
        kept: bool = False,
    ) -> None:
        """Take in one differing pair of values. `kept`: the pair before had the same ones a moment
        ago, which both sides may keep for a while: it is no other draw."""
        self.pairs += 1
        self.backward += apart_ms < 0
        self.legacy.count(legacy)
        self.new.count(new)
        keys = digest(legacy.text), digest(new.text)
        self._order({keys[0]}, {keys[1]}, forward=apart_ms >= 0)
        for side, key in enumerate(keys):
            entry = self.values.get(key)
            if entry is None:
                entry = self._room(key)
            elif entry[side] and self._last[side] != key:
                self.again[side] += 1
            self._last[side] = key
            entry[side] += 1
            if kept and entry is not self.others:
                entry[2 + side] += 1
        if not self.turned and not {legacy.nature, new.nature} & _NEW_EACH_TIME:
            self._went({f"{keys[0]}>{keys[1]}"})
        if {legacy.nature, new.nature} <= _TEXTS:
            self._texts(legacy.text, new.text)
        if legacy.nature == new.nature == "instant":
            self.moments += 1
            way = apart_s(new.notation, legacy.number, new.number)
            self.offset_ms += way * 1_000 - apart_ms
        elif legacy.nature in NUMBERS and new.nature in NUMBERS:
            self._numbers(legacy.number, new.number)

    def _texts(self, legacy: str, new: str) -> None:
        found = slots(legacy, new)
        self.unlike += found is None
        for _, here, there in found or ():
            one, other = read_part(here), read_part(there)
            if {one.nature, other.nature} <= NUMBERS:
                self._numbers(one.number, other.number)

    def _numbers(self, legacy: float, new: float) -> None:
        self.farthest = max(self.farthest, abs(new - legacy))
        self.relative = max(self.relative, share_apart(new, legacy))
        self.lowest = min(self.lowest, new)

    def _order(self, legacy: set[str], new: set[str], *, forward: bool) -> None:
        """Which side says now what the other said before."""
        if len(self.values) + len(legacy | new) > MOST_VALUES:
            return
        none = (0, 0)
        fresh = [
            all(not sum(self.values.get(key, none)[:2]) for key in keys) for keys in (legacy, new)
        ]
        old_new = any(self.values.get(key, none)[0] for key in new)
        old_legacy = any(self.values.get(key, none)[1] for key in legacy)
        behind, ahead = old_new and fresh[0], old_legacy and fresh[1]
        self.behind += behind if forward else ahead
        self.ahead += ahead if forward else behind

    def _went(self, ways: set[str]) -> None:
        self.ways |= set(sorted(ways)[: MOST_WAYS - len(self.ways)])
        known = self.ways | ways
        self.turned = any(f"{there}>{here}" in known for here, there in map(_split, known))
        if self.turned:
            self.ways.clear()

    def add(self, other: PlaceSketch) -> None:
        """Take in another part of the same place."""
        if not self.turned:
            self._went(other.ways)
        if other.turned:
            self.turned, self.ways = True, set()
        if self.pairs:
            sides = [{key for key, entry in other.values.items() if entry[side]} for side in (0, 1)]
            self._order(sides[0], sides[1], forward=2 * other.backward <= other.pairs)
            for side, keys in enumerate(sides):
                self.again[side] += sum(self.values.get(key, (0, 0))[side] > 0 for key in keys)
        for side in (0, 1):
            self.again[side] += other.again[side]
        self.behind += other.behind
        self.ahead += other.ahead
        self.backward += other.backward
        self.pairs += other.pairs
        self.legacy.add(other.legacy)
        self.new.add(other.new)
        for key, numbers in sorted(other.values.items(), key=lambda item: -sum(item[1])):
            entry = self.values.get(key)
            into = self._room(key) if entry is None else entry
            for at in range(len(into)):
                into[at] += numbers[at]
        self.others[0] += other.others[0]
        self.others[1] += other.others[1]
        self.offset_ms += other.offset_ms
        self.moments += other.moments
        self.farthest = max(self.farthest, other.farthest)
        self.relative = max(self.relative, other.relative)
        self.lowest = min(self.lowest, other.lowest)
        self.unlike += other.unlike

    def _room(self, key: str) -> list[int]:
        """Where a value is counted that is new: the oldest of those that came once goes for it."""
        if len(self.values) >= MOST_VALUES:
            once = next((name for name, entry in self.values.items() if sum(entry[:2]) == 1), None)
            if once is None:
                return self.others
            gone = self.values.pop(once)
            self.others = [self.others[0] + gone[0], self.others[1] + gone[1]]
        return self.values.setdefault(key, [0, 0, 0, 0])

    def distinct(self, side: int) -> int:
        """How many different values a side gave, at least; `side` is 0 for legacy, 1 for new."""
        return sum(1 for entry in self.values.values() if entry[side]) + bool(self.others[side])

    def often(self, side: int) -> bool:
        """Whether a side gave one value to many of the pairs."""
        return any(entry[side] > max(3, self.pairs // 10) for entry in self.values.values())

    @property
    def follows(self) -> bool:
        """Whether new says what legacy said before: it lags, and draws nothing of its own."""
        both = sum(1 for entry in self.values.values() if entry[0] and entry[1])
        return 4 * both > len(self.values)

    def text(self, side: int) -> str:
        """`412 values in 412 answers`."""
        more = "more than " if self.others[side] else ""
        number = self.distinct(side) - bool(self.others[side])
        return f"{more}{number} value{'s' * (number != 1)} in {self.pairs} answers"

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "pairs": self.pairs,
            "legacy": [self.legacy.natures, self.legacy.low, self.legacy.high],
            "new": [self.new.natures, self.new.low, self.new.high],
            "values": {
                key: entry if any(entry[2:]) else entry[:2] for key, entry in self.values.items()
            },
            "others": self.others,
            "offset_ms": round(self.offset_ms, 3),
            "moments": self.moments,
            "farthest": self.farthest,
            "relative": self.relative,
            **({"lowest": self.lowest} if self.lowest else {}),
            **({"unlike": self.unlike} if self.unlike else {}),
            **({"again": self.again} if any(self.again) else {}),
            **({"behind": self.behind} if self.behind else {}),
            **({"ahead": self.ahead} if self.ahead else {}),
            **({"backward": self.backward} if self.backward else {}),
            **({"turned": True} if self.turned else {}),
            **({"ways": sorted(self.ways)} if self.ways else {}),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PlaceSketch:
        """Read the JSON form. Raises KeyError, TypeError or ValueError for what is none."""
        legacy, new = (
            SideSketch({str(k): int(v) for k, v in natures.items()}, int(low), int(high))
            for natures, low, high in (data["legacy"], data["new"])
        )
        return cls(
            pairs=int(data["pairs"]),
            legacy=legacy,
            new=new,
            values={str(key): _counts(entry) for key, entry in data["values"].items()},
            others=[int(number) for number in data["others"]],
            offset_ms=float(data["offset_ms"]),
            moments=int(data["moments"]),
            farthest=float(data["farthest"]),
            relative=float(data["relative"]),
            lowest=float(data.get("lowest", 0.0)),
            unlike=int(data.get("unlike", 0)),
            again=[int(number) for number in data.get("again", (0, 0))],
            behind=int(data.get("behind", 0)),
            ahead=int(data.get("ahead", 0)),
            backward=int(data.get("backward", 0)),
            turned=bool(data.get("turned", False)),
            ways=set(map(str, data.get("ways", ())[:MOST_WAYS])),
        )


def _counts(entry: Sequence[Any]) -> list[int]:
    legacy, new, *kept = map(int, entry)
    return [legacy, new, *(kept or (0, 0))]


def _split(way: str) -> tuple[str, str]:
    here, _, there = way.partition(">")
    return here, there


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that one side gives more often than the other."""

    digest: str
    legacy: int
    new: int


def varies_differently(sketch: PlaceSketch, alpha: float = ALPHA) -> Odd | None:
    """The value whose share differs most surely between the sides; None where none does.

    Holds at every moment: two sides that vary alike are told apart with a chance of at most
    `alpha`, shared among the values that come often enough to be tested.
    """
    drawn = [
        Odd(key, entry[0] - entry[2], entry[1] - entry[3]) for key, entry in sketch.values.items()
    ]
    tested = [item for item in drawn if item.legacy + item.new >= LEAST_ODD]
    if not tested:
        return None
    evidence, odd = max(
        ((uneven(item.legacy, item.new), item) for item in tested), key=lambda item: item[0]
    )
    return odd if evidence >= math.log(len(tested) / alpha) else None


def comes_again(sketch: PlaceSketch) -> bool:
    """Whether new gives values again surely more often than legacy does: of values that are drawn,
    or counted, anew each time."""
    legacy, new = sketch.again
    return new > legacy and uneven(legacy, new) >= math.log(1 / ALPHA)


def is_behind(sketch: PlaceSketch) -> bool:
    """Whether new says what legacy said before, surely more often than the other way round: new was
    asked later, so of data that moves on it is to be ahead."""
    return sketch.behind > sketch.ahead and uneven(sketch.behind, sketch.ahead) >= math.log(
        1 / ALPHA
    )


STILL_PAIRS = 20
STILL_VALUES = 10


OFTEN_PAIRS = 20
OFTEN_SHARE = 0.2


def repeats_alone(sketch: PlaceSketch) -> Odd | None:
    """A value that one side gives again and again where the other gives another each time.

    For values that are drawn anew each time (tokens, counters, texts with slots). Data that moves
    on shows no such value: each is given by both sides, one a little later, and never again.
    """
    if min(max(sketch.distinct(0), sketch.distinct(1)), sketch.pairs // 2) < STILL_VALUES:
        return None
    often = max(OFTEN_PAIRS, OFTEN_SHARE * sketch.pairs)
    for key, (legacy, new, *_) in sketch.values.items():
        other = sketch.distinct(0 if new > legacy else 1)
        if max(legacy, new) >= often and other >= STILL_VALUES and min(legacy, new) * 4 < often:
            return Odd(key, legacy, new)
    return None


def stands_still(sketch: PlaceSketch) -> bool:
    """Whether new gives one value for all, of a kind that legacy gives many of.

    For values that are the server's own (a session's cookie, an ETag), which nobody compares.
    """
    many = sketch.distinct(0) >= STILL_VALUES
    return sketch.pairs >= STILL_PAIRS and sketch.distinct(1) == 1 and many


def uneven(one: int, other: int) -> float:
    """The logarithm of the evidence against "each is the odd one equally often"."""
    return log_evidence(0.5, one, one + other, 2.0, 2.0)
