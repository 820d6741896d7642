"""Intervals, failures and latencies of both sides."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.evidence.failures_and_latency import compare_latencies, failure_rates, wilson
from figway.evidence.histogram import Histogram


@pytest.mark.parametrize(
    ("matches", "rated", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I; n / (n + z^2) for n of n.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_the_interval_is_wilson_s(matches: int, rated: int, low: float, high: float) -> None:
    interval = wilson(matches, rated)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_interval_holds_the_rate_and_mirrors(matches: int, mismatches: int) -> None:
    rated = matches + mismatches
    interval, mirrored = wilson(matches, rated), wilson(mismatches, rated)
    assert 0 <= interval.low <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)
    if rated:
        assert interval.low <= matches / rated <= interval.high


def test_the_interval_covers_the_truth_nearly_always() -> None:
    rng = random.Random(11)
    truth, covered = 0.97, 0
    for _ in range(400):
        interval = wilson(sum(rng.random() < truth for _ in range(300)), 300)
        covered += interval.low <= truth <= interval.high
    assert covered >= 370


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        wilson(5, 4)


def test_failures_are_a_share_of_what_was_sent() -> None:
    rates = failure_rates({"match": 9, "new_failed": 1, "both_failed": 1, "skipped": 5})
    assert rates["new"] == wilson(2, 11)
    assert rates["legacy"] == wilson(1, 11)


def test_latencies_are_compared_with_the_sizes_said() -> None:
    legacy, new = Histogram(), Histogram()
    for n in range(1, 201):
        legacy.record(n * 100)
        new.record(n * 200)
    compared = compare_latencies(legacy, new)
    assert (compared.legacy_answers, compared.new_answers, compared.enough) == (200, 200, True)
    by_quantile = {q.quantile: q for q in compared.quantiles}
    ratio = by_quantile[0.5].ratio
    assert ratio is not None
    assert 1.7 < ratio < 2.3
    assert by_quantile[0.95].enough
    assert not by_quantile[0.99].enough
    empty = compare_latencies(legacy, Histogram())
    assert (empty.quantiles, empty.new_answers, empty.enough) == ((), 0, False)
