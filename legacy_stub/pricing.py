"""What a stay costs, in cents; rounded half up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_SEASON = {7: 125, 8: 125, 11: 90, 1: 90, 2: 90}
_WEEKEND = (4, 5)
_TAX_PER_MILLE = 75


@dataclass(frozen=True, slots=True)
class Cost:
    """A stay in a room: each night, their sum, the tax on it."""

    nightly: tuple[tuple[date, int], ...]
    subtotal: int
    tax: int

    @property
    def total(self) -> int:
        """What the guest pays."""
        return self.subtotal + self.tax


def night(price: int, day: date) -> int:
    """One night: dearer on Fridays, Saturdays and in summer, cheaper in winter."""
    weekend = 115 if day.weekday() in _WEEKEND else 100
    return (price * weekend * _SEASON.get(day.month, 100) + 5_000) // 10_000


def stay(price: int, first: date, last: date) -> Cost:
    """The nights from `first` up to, without, `last`."""
    days = [first + timedelta(days=n) for n in range((last - first).days)]
    nightly = tuple((day, night(price, day)) for day in days)
    subtotal = sum(cost for _, cost in nightly)
    return Cost(nightly, subtotal, (subtotal * _TAX_PER_MILLE + 500) // 1_000)
