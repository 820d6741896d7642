"""What the comparisons of a route prove: statistical verdicts, with "not enough data" among them.

A match rate of 100 % on three pairs proves nothing (trap 37). What is judged is the lower end of
the 95 % Wilson score interval (E. B. Wilson, 1927) of the share of matches among the rated pairs,
that is `match` and `mismatch`. It is the two-sided interval, so the lower bound holds with 97.5 %.

Evidence belongs to a window: one revision of what is compared, from a moment on. A flip or a
changed rule starts a new one, as old pairs say nothing about what runs now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from figway.evidence.sequential import Interval

Z_95 = 1.959963984540054
GOALS = (0.99, 0.995, 0.999)
LEAST_PAIRS = 100
"""Rated pairs below which there is no verdict, whatever they say."""
LEAST_TIMINGS = 100
"""Timings a side below which latencies are not compared."""

Standing = Literal["proven", "promising", "refuted", "not_enough_data"]


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


def needs_more(matches: int, rated: int, goal: float) -> int | None:
    """How many more pairs, all matching, would bring the lower bound to `goal`; 0 if it is there.

    None when the share of mismatches so far is itself above what the goal allows: waiting is not
    what is needed then, but a fix (which starts a new window).
    """
    if rated >= LEAST_PAIRS and wilson(matches, rated).low >= goal:
        return 0
    if rated >= LEAST_PAIRS and wilson(matches, rated).high < goal:
        return None
    low, high = max(0, LEAST_PAIRS - rated), 1
    while wilson(matches + high, rated + high).low < goal:
        high *= 2
    start = 0
    while start < high:
        middle = (start + high) // 2
        if wilson(matches + middle, rated + middle).low >= goal:
            high = middle
        else:
            start = middle + 1
    return max(low, high)


@dataclass(frozen=True, slots=True)
class Goal:
    """Where the evidence stands towards one match rate."""

    rate: float
    standing: Standing
    needs: int | None
    """More pairs needed, all matching; 0 when proven, None when refuted."""


@dataclass(frozen=True, slots=True)
class MatchEvidence:
    """The match rate and what it proves."""

    matches: int
    mismatches: int
    interval: Interval
    goals: tuple[Goal, ...]

    @property
    def rated(self) -> int:
        """Pairs in the rate."""
        return self.matches + self.mismatches

    @property
    def rate(self) -> float | None:
        """The share of matches; None when there are no rated pairs."""
        return self.matches / self.rated if self.rated else None

    @property
    def enough(self) -> bool:
        """Whether there is enough data for any verdict."""
        return self.rated >= LEAST_PAIRS


def judge(matches: int, mismatches: int, goals: Iterable[float] = GOALS) -> MatchEvidence:
    """Judge a window's counts against each goal.

    `proven`: the lower bound has reached it. `refuted`: the upper bound is below it. `promising`:
    enough pairs for a verdict, and neither. `not_enough_data`: fewer than 100 rated pairs.
    """
    rated = matches + mismatches
    interval = wilson(matches, rated)
    found = []
    for rate in goals:
        if rated < LEAST_PAIRS:
            standing: Standing = "not_enough_data"
        elif interval.low >= rate:
            standing = "proven"
        else:
            standing = "refuted" if interval.high < rate else "promising"
        found.append(Goal(rate, standing, needs_more(matches, rated, rate)))
    return MatchEvidence(matches, mismatches, interval, tuple(found))


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """What evidence belongs to: one revision of one route, from a moment (seconds since 1970)
    on.
    """

    route: str
    revision: int
    since: float


def window_at(starts: Iterable[Window], route: str, when: float) -> Window | None:
    """The window of `route` that was open at `when`; None if that was before the first."""
    open_then = [start for start in starts if start.route == route and start.since <= when]
    return max(open_then, key=lambda start: (start.since, start.revision), default=None)


@dataclass(slots=True)
class Tally:
    """Verdict counts of one window; they add up, whichever worker counted them."""

    verdicts: dict[str, int] = field(default_factory=dict)

    def count(self, verdict: str, number: int = 1) -> None:
        """Count `number` comparisons that ended in `verdict`."""
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + number

    def merge(self, other: Tally) -> None:
        """Take in another tally of the same window."""
        for verdict, number in other.verdicts.items():
            self.count(verdict, number)

    def judge(self, goals: Iterable[float] = GOALS) -> MatchEvidence:
        """The evidence: only `match` and `mismatch` are rated (trap 33)."""
        return judge(self.verdicts.get("match", 0), self.verdicts.get("mismatch", 0), goals)


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
