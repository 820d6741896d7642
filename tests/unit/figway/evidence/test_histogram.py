"""Histograms lose little, merge exactly, and stay small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from figway.evidence.histogram import Histogram, bounds, bucket_of

microseconds = st.integers(0, 10**9)


@given(microseconds)
def test_a_value_lies_within_the_bounds_of_its_bucket(value: int) -> None:
    low, high = bounds(bucket_of(value))
    assert low <= value < high
    assert high - low <= max(1, low / 8 + 1)


@given(st.lists(microseconds, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_near_the_true_one(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    true = sorted(values)[max(0, -(-round(share * 1000) * len(values) // 1000) - 1)]
    found = histogram.quantile(share)
    assert found is not None
    assert abs(found - true) <= true / 8 + 1


@given(st.lists(microseconds, max_size=50), st.lists(microseconds, max_size=50))
def test_merging_is_counting_together(one: list[int], two: list[int]) -> None:
    first, second, both = Histogram(), Histogram(), Histogram()
    for value in one:
        first.record(value)
        both.record(value)
    for value in two:
        second.record(value)
        both.record(value)
    first.merge(second)
    assert first.counts == both.counts
    assert first.total == len(one) + len(two)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


def test_ten_decades_fit_into_few_buckets() -> None:
    assert bucket_of(10**10) < 256
