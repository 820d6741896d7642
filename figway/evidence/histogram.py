"""Latency histograms with logarithmic buckets: small, mergeable, exact to about 9 %.

Values are microseconds. Each power of two is cut into eight, so a quantile read from the buckets
is within half a bucket of the true one whatever the range (the idea of HDR Histogram, G. Tene).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SUB: Final = 3  # bits below the leading one that pick the bucket: eight to a power of two


def bucket_of(microseconds: int) -> int:
    """The number of the bucket that a value falls into."""
    if microseconds < 1 << _SUB:
        return max(0, microseconds)
    shift = microseconds.bit_length() - 1 - _SUB
    return ((shift + 1) << _SUB) + ((microseconds >> shift) & ((1 << _SUB) - 1))


def bounds(number: int) -> tuple[int, int]:
    """The lowest value of a bucket, and the lowest of the next, in microseconds."""
    if number < 1 << _SUB:
        return number, number + 1
    shift = (number >> _SUB) - 1
    low = ((1 << _SUB) | (number & ((1 << _SUB) - 1))) << shift
    return low, low + (1 << shift)


class Histogram:
    """Counts by bucket."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def record(self, microseconds: int) -> None:
        """Count one value."""
        number = bucket_of(microseconds)
        self.counts[number] = self.counts.get(number, 0) + 1

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for number, count in other.counts.items():
            self.counts[number] = self.counts.get(number, 0) + count

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The value below which `share` of the values lie, in microseconds; None when empty."""
        total = self.total
        if not total:
            return None
        rank = share * total
        for number in sorted(self.counts):
            rank -= self.counts[number]
            if rank <= 0:
                low, high = bounds(number)
                return (low + high - 1) / 2
        raise AssertionError("a rank lies within the total")
