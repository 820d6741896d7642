"""Both sides beside each other: how often they failed, and how long they took.

Shares are the 95 % Wilson score interval (E. B. Wilson, 1927). Whether a route's answers agree is
judged elsewhere (`figway.evidence.judgement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from figway.evidence.sequential import Interval

Z_95 = 1.959963984540054
LEAST_TIMINGS = 100
"""Timings a side below which latencies are not compared."""


def wilson(matches: int, rated: int, z: float = Z_95) -> Interval:
    """The Wilson score interval of `matches` among `rated`; all of 0 to 1 when nothing was rated.

    Raises:
        ValueError: unless 0 <= matches <= rated.
    """
    if not 0 <= matches <= rated:
        raise ValueError(f"{matches} matches among {rated} rated pairs cannot be")
    if rated == 0:
        return Interval(0.0, 1.0)
    share, spread = matches / rated, z * z / rated
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / rated + spread / (4 * rated)) / (1 + spread)
    low = 0.0 if matches == 0 else max(0.0, middle - reach)
    high = 1.0 if matches == rated else min(1.0, middle + reach)
    return Interval(low, high)


class Latencies(Protocol):
    """A distribution of microseconds; `figway.evidence.histogram.Histogram` is one."""

    counts: dict[int, int]

    def quantile(self, q: float, /) -> float | None:
        """The latency that a share `q` of the answers stayed within."""


@dataclass(frozen=True, slots=True)
class QuantileComparison:
    """One quantile of both sides, in microseconds."""

    quantile: float
    legacy_us: float
    new_us: float
    enough: bool
    """Whether both samples hold at least ten answers beyond this quantile; else it is an
    anecdote.
    """

    @property
    def ratio(self) -> float | None:
        """How many times as long new takes; None when legacy's is 0."""
        return self.new_us / self.legacy_us if self.legacy_us else None


@dataclass(frozen=True, slots=True)
class LatencyComparison:
    """Latency of both sides with the sizes of the samples. No quantiles for an empty sample."""

    legacy_answers: int
    new_answers: int
    quantiles: tuple[QuantileComparison, ...]

    @property
    def enough(self) -> bool:
        """Whether both samples are large enough to speak of a difference at all."""
        return min(self.legacy_answers, self.new_answers) >= LEAST_TIMINGS


def compare_latencies(
    legacy: Latencies, new: Latencies, quantiles: Iterable[float] = (0.5, 0.9, 0.95, 0.99)
) -> LatencyComparison:
    """Both sides' quantiles next to each other."""
    sizes = sum(legacy.counts.values()), sum(new.counts.values())
    found = []
    for q in quantiles if min(sizes) else ():
        left, right = legacy.quantile(q), new.quantile(q)
        if left is not None and right is not None:
            enough = min(sizes) * (1 - q) >= 10
            found.append(QuantileComparison(q, float(left), float(right), enough))
    return LatencyComparison(*sizes, tuple(found))


def failure_rates(verdicts: Mapping[str, int]) -> dict[str, Interval]:
    """The 95 % interval of each side's share of failures among the pairs that were sent."""
    sent = sum(number for verdict, number in verdicts.items() if verdict != "skipped")
    both = verdicts.get("both_failed", 0)
    return {
        side: wilson(verdicts.get(f"{side}_failed", 0) + both, sent) for side in ("legacy", "new")
    }
