"""How a list moves on legacy: where elements come and go, how many at once, whether they return.

That elements come and go excuses no element that new lacks. What a list does has bounds:

| seen on legacy                        | excuses                | does not excuse               |
|---------------------------------------|------------------------|-------------------------------|
| it gains at one end, loses at another | the same, in that time | one that is gone from within  |
| as many come as go                    | as many                | one element more or less      |
| one goes and comes again              | others each time       | more at once than legacy ever |

What is beyond is looked at element by element: legacy has lost that very one too, or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from figway.evidence.noise.forms import Digest
from figway.evidence.noise.seen import Seen

Allowed = Literal["yes", "no", "young"]

GROWN = 8
"""Changes of legacy's list after which what it never does is taken for what it does not do."""
MANY_MORE = 1.5
"""Times as many as legacy ever showed at once."""
MOST_GONE = 256
_AGE_MS, _AGE_TIMES = 100.0, 4.0
_OLDEST = 6


def age_of(apart_ms: float) -> int:
    """Which class of times between two answers: each is four times as long as the one before."""
    age, most = 0, _AGE_MS
    while apart_ms >= most and age < _OLDEST:
        age, most = age + 1, most * _AGE_TIMES
    return age


@dataclass(slots=True)
class ListChanges:
    """Of a list, or of all lists of one path."""

    looks: int = 0
    """Times that legacy's list differed from itself by its elements."""
    ways: frozenset[str] = frozenset()
    """`+first`: one came at the beginning; `-last`: one went from the end; `within`."""
    most: dict[int, int] = field(default_factory=dict)
    """By the class of the time between, the most that came, or went, at once."""
    uneven: bool = False
    """Once, not as many came as went."""
    returned: bool = False
    """One went, and came again: the list does not just move on."""
    _gone: dict[str, None] = field(default_factory=dict, compare=False)

    def learn(self, changed: Sequence[Seen], apart_ms: float, digest: Digest) -> None:
        """One of legacy's lists gained and lost these elements in so many milliseconds."""
        self.looks += 1
        self.ways |= {f"{'-' if one.kind == 'missing' else '+'}{one.spot}" for one in changed}
        self.uneven |= changed[0].uneven
        age = age_of(apart_ms)
        self.most[age] = max(self.most.get(age, 0), changed[0].together)
        names = [(one.kind, digest(one.name)) for one in changed]
        self.returned |= any(kind == "added" and name in self._gone for kind, name in names)
        for kind, name in names:
            if kind == "missing":
                self._gone[name] = None
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    @property
    def grown(self) -> bool:
        """Whether enough is known of it."""
        return self.looks >= GROWN

    def allows(self, seen: Seen, apart_ms: float, slack_ms: float) -> Allowed:
        """Whether legacy's list does in such a time what new's does here.

        `apart_ms` is below zero where new was asked first: what it lacks then came since.
        """
        forward = apart_ms >= 0
        way = "-" if (seen.kind == "missing") is forward else "+"
        unknown: Allowed = "no" if self.grown else "young"
        if f"{way}{seen.spot}" not in self.ways or (seen.uneven and not self.uneven):
            return unknown
        age = age_of(abs(apart_ms) + slack_ms) + 1
        known = [number for at, number in self.most.items() if at <= age]
        if not known:
            return "young"
        return "yes" if seen.together <= MANY_MORE * max(known) else unknown

    def is_plain(self, seen: Seen) -> bool:
        """Whether no list of legacy's does what new's does here at any time: nothing to wait for.

        Each side may keep a list for a while, and be ahead of the other, or behind; that shows
        where the list moves.
        """
        if not self.grown or self.returned:
            return False
        spots = {way[1:] for way in self.ways}
        return seen.spot not in spots or (seen.uneven and not self.uneven)

    def loses_count(self, seen: Seen) -> bool:
        """Whether new's list has more or fewer elements, as legacy's lists never do."""
        return seen.uneven and not self.uneven and self.grown

    def merge(self, other: ListChanges) -> None:
        """Union."""
        self.looks = max(self.looks, other.looks)
        self.ways |= other.ways
        for age, number in other.most.items():
            self.most[age] = max(self.most.get(age, 0), number)
        self.uneven |= other.uneven
        self.returned |= other.returned

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "looks": self.looks,
            "ways": sorted(self.ways),
            "most": {str(age): number for age, number in self.most.items()},
            "uneven": self.uneven,
            "returned": self.returned,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ListChanges:
        """Read the JSON form. Raises KeyError, TypeError, ValueError or AttributeError."""
        most = {int(age): int(number) for age, number in data["most"].items()}
        ways = frozenset(map(str, data["ways"]))
        looks, uneven = int(data["looks"]), bool(data["uneven"])
        return cls(looks, ways, most, uneven, bool(data["returned"]))
