"""Thresholds of latency that a histogram counts exactly: the edges of its buckets."""

from __future__ import annotations

from collections.abc import Mapping

from figway.evidence.histogram import Histogram, bounds, bucket_of
from figway.rollout.plan import LatencyLimits

LEAST_ANSWERS = 1_000
"""Answers of legacy below which no threshold is taken from them."""


def threshold_us(latency: Mapping[int, int], limits: LatencyLimits) -> int | None:
    """The latency from which on an answer is slow: at the edge of a bucket, at or above legacy's
    quantile x ratio + floor. None while legacy gave fewer than 1 000 answers."""
    found = Histogram(latency)
    if found.total < LEAST_ANSWERS:
        return None
    quantile = found.quantile(limits.quantile)
    assert quantile is not None
    wanted = int(quantile * limits.ratio) + limits.floor_ms * 1_000
    low, following = bounds(bucket_of(wanted))
    return low if low == wanted else following


def slower_than(latency: Mapping[int, int], threshold: int) -> int:
    """How many answers took at least `threshold` microseconds, exactly where it is an edge."""
    first = bucket_of(threshold)
    return sum(count for number, count in latency.items() if number >= first)
