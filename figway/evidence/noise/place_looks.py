"""Outcomes of looks at one place: settled, wavering, varied, and what later looks said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SETTLED_ENOUGH = 20
"""Looks in which a place was settled, after which a difference there counts at once."""
DEEP = 5
"""Looks in which a place must be settled to be so at all. Of two sides that draw one of two values
alike, three are settled before legacy is seen to vary in one of 27 cases, five in one of 243."""
LATE_MS = (2_000, 8_000, 30_000)
"""When legacy is looked at once more where a settled value may be slow noise."""
LATE_ENOUGH = 2
"""Late looks at legacy that all said the same, for a settled value to be no slow noise."""


@dataclass(slots=True)
class PlaceLooks:
    """Outcomes of second looks at one place."""

    settled: int = 0
    unsteady: int = 0
    varied: int = 0
    beyond: int = 0
    stale: int = 0
    slow: int = 0
    """Of the settled ones, those of a form that legacy may draw anew from time to time."""
    ups: int = 0
    """Where numbers are: looks at legacy's that were at a larger one than the look before,
    (`downs`) at a smaller, (`equals`) at the same one though another request was looked at."""
    downs: int = 0
    equals: int = 0
    late_same: int = 0
    """Legacy, looked at some time later, still said the same."""
    late_long: int = 0
    """Of these, the ones that were as late as looks are."""
    late_varied: int = 0
    new_same: int = 0
    """Where legacy could not be asked: new said the same again."""
    new_varied: int = 0
    new_agreed: int = 0
    """... and its second answer agreed with legacy's."""
    faster: int = 0
    """Where numbers go one way: looks in which new's went on further than legacy's in the same
    time, though only legacy has users (`slower`: less far)."""
    slower: int = 0
    turned: int = 0
    """Of elements that one list lacks: each side turned to what the other said. Of lists that are
    drawn anew each time, as many are turned as are settled."""
    paced: int = 0
    """Requests that were made again when legacy had moved on here: both sides agreed then, and
    agree now (`loosed`: once they did; `clung`: never, and both sides said the same again when they
    were looked at)."""
    loosed: int = 0
    clung: int = 0
    still: int = 0
    """Requests on which both sides agreed, and when they were made again legacy had moved on and
    new had not (`ahead`: new had, and legacy had not)."""
    ahead: int = 0
    rested: int = 0
    """Requests on which the sides differed, and when they were made again legacy said another value
    and new the same (`went`: another one too; `roamed`: legacy the same, and new another one)."""
    went: int = 0
    roamed: int = 0

    @property
    def of_the_time(self) -> bool:
        """Whether legacy's numbers may be of the time of asking, as of a process that has run for
        so long, and not of what was asked for: those go up and down from one to the next, or are
        the same for all."""
        moves = self.ups + self.downs
        if not moves:  # none where one request was looked at, or there are no numbers
            return self.equals < SETTLED_ENOUGH
        return not (self.ups and self.downs) or self.equals >= moves

    def add(self, other: PlaceLooks) -> None:
        """Sum."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)

    def to_data(self) -> dict[str, int]:
        """The JSON form: what is not 0."""
        return {name: number for name, number in asdict(self).items() if number}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PlaceLooks:
        """Read the JSON form; unknown members are left out."""
        return cls(**{name: int(data[name]) for name in cls.__slots__ if name in data})
