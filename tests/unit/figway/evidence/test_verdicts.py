"""Evidence: intervals, goals, windows, latencies."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.evidence.histogram import Histogram
from figway.evidence.verdicts import (
    LEAST_PAIRS,
    Tally,
    Window,
    compare_latencies,
    failure_rates,
    judge,
    needs_more,
    wilson,
    window_at,
)


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


def test_three_of_three_prove_nothing() -> None:
    """Trap 37."""
    evidence = judge(3, 0)
    assert (evidence.rate, evidence.enough) == (1.0, False)
    assert {goal.standing for goal in evidence.goals} == {"not_enough_data"}
    assert evidence.interval.low < 0.44
    assert judge(0, 0).rate is None


@given(st.integers(0, 3000), st.integers(0, 20), st.sampled_from([0.99, 0.995, 0.999]))
def test_needs_more_is_the_least_number_that_does(matches: int, misses: int, goal: float) -> None:
    """Trap 37: "needs 2 412 more" is exact."""
    rated = matches + misses
    more = needs_more(matches, rated, goal)
    if more is None:
        assert wilson(matches, rated).high < goal
        return
    assert rated + more >= LEAST_PAIRS
    assert wilson(matches + more, rated + more).low >= goal
    if more and rated + more > LEAST_PAIRS:
        assert wilson(matches + more - 1, rated + more - 1).low < goal


def test_goals_by_hand() -> None:
    assert needs_more(0, 0, 0.99) == 381
    assert needs_more(0, 0, 0.999) == 3838
    evidence = judge(400, 0)
    assert [(goal.rate, goal.standing) for goal in evidence.goals] == [
        (0.99, "proven"),
        (0.995, "promising"),
        (0.999, "promising"),
    ]
    assert [goal.standing for goal in judge(900, 100).goals] == ["refuted"] * 3
    assert judge(900, 100).goals[0].needs is None


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        wilson(5, 4)


def test_only_match_and_mismatch_are_rated() -> None:
    """Trap 33."""
    tally, other = Tally(), Tally()
    for verdict in ("match", "match", "mismatch", "stale", "new_failed", "both_failed", "skipped"):
        tally.count(verdict)
    other.count("match", 7)
    tally.merge(other)
    evidence = tally.judge()
    assert (evidence.matches, evidence.mismatches, evidence.rated) == (9, 1, 10)
    rates = failure_rates(tally.verdicts)
    assert rates["new"] == wilson(2, 13)
    assert rates["legacy"] == wilson(1, 13)


def test_a_new_revision_starts_a_new_window() -> None:
    starts = [Window("r", 1, 100.0), Window("r", 2, 200.0), Window("other", 3, 150.0)]
    assert window_at(starts, "r", 99.9) is None
    assert window_at(starts, "r", 100.0) == starts[0]
    assert window_at(starts, "r", 199.9) == starts[0]
    assert window_at(starts, "r", 1e9) == starts[1]


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
