"""The sequential bounds: vectors, the promised error rates in seeded simulations, clustering."""

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.evidence.sequential import (
    Interval,
    above,
    at_most,
    clustering,
    gate_prior,
    goal_interval,
    guard_prior,
    interval,
    log_evidence,
    needs_more,
    share_prior,
)


@pytest.mark.parametrize(
    ("x", "n", "b", "low", "high", "digits"),
    [
        (0, 100, 200, 0, 0.033440, 6),
        (0, 946, 200, 0, 0.005000, 6),
        (1, 1500, 200, 0.000003, 0.004817, 6),
        (3, 2000, 200, 0.000151, 0.005544, 6),
        (5, 1000, 200, 0.001024, 0.014101, 6),
        (20, 2000, 50, 0.00459, 0.01851, 5),
        (8, 200, 50, 0.01134, 0.09523, 5),
    ],
)
def test_the_vectors_of_the_interval(
    x: int, n: int, b: float, low: float, high: float, digits: int
) -> None:
    """The published values of the design, to their last digit."""
    found = interval(x, n, 0.05, 1, b)
    assert (round(found.low, digits), round(found.high, digits)) == (low, high)


@pytest.mark.parametrize(("x", "n", "value"), [(9, 24, 6.7113), (40, 282, 5.4997)])
def test_the_vectors_of_the_evidence(x: int, n: int, value: float) -> None:
    """9 of 24 failures on 5 % of the traffic abort at alpha 5 % / 15; 40 of 282 do not yet."""
    share = 0.05 * 1.5 / (0.05 * 1.5 + 0.95)
    assert round(share, 7) == 0.0731707
    assert share_prior(share) == pytest.approx((0.5, 3.7073), abs=5e-5)
    assert round(log_evidence(0.0731707, x, n, 0.5, 3.7073), 4) == value
    assert (value >= math.log(15 / 0.05)) == (x == 9)


@pytest.mark.parametrize(("goal", "pairs"), [(0.99, 472), (0.995, 946), (0.999, 4741)])
def test_what_a_clean_route_needs(goal: float, pairs: int) -> None:
    """Pairs without a mismatch that prove a goal, as the design's table has them."""
    most = 1 - goal
    assert needs_more(0, 0, most) == pairs
    assert needs_more(0, pairs - 1, most) == 1
    assert needs_more(0, pairs, most) == 0


def test_no_number_of_pairs_helps_a_refuted_share() -> None:
    """8 mismatches of 200 refute 99.5 %."""
    assert above(8, 200, 0.005, 0.05, *guard_prior(0.005))
    assert needs_more(8, 200, 0.005) is None


def test_nothing_known_is_the_whole_interval() -> None:
    """No pair, no bound."""
    assert interval(0, 0, 0.05, 1, 200) == Interval(0.0, 1.0)


@pytest.mark.parametrize(
    ("p", "x", "n", "a", "b"),
    [(0.5, -1, 2, 1, 1), (0.5, 3, 2, 1, 1), (1.5, 1, 2, 1, 1), (0.5, 1, 2, 0, 1)],
)
def test_what_cannot_be_is_refused(p: float, x: float, n: float, a: float, b: float) -> None:
    """Impossible counts are an error of the caller, not evidence."""
    with pytest.raises(ValueError, match="no evidence"):
        log_evidence(p, x, n, a, b)


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.05, 0.001]))
def test_the_ends_are_where_the_evidence_reaches_the_bound(
    n: int, data: st.DataObject, alpha: float
) -> None:
    """The interval holds the observed share, and its ends have exactly the evidence of alpha."""
    x = data.draw(st.integers(0, n))
    found = interval(x, n, alpha, 1, 200)
    assert 0 <= found.low <= x / n <= found.high <= 1
    for end in (found.low, found.high):
        if 1e-12 < end < 1 - 1e-12 and abs(end - x / n) > 1e-12:
            reached = log_evidence(end, x, n, 1, 200)
            assert reached == pytest.approx(math.log(1 / alpha), rel=1e-3, abs=1e-3)


@given(st.integers(0, 60), st.integers(1, 8000), st.sampled_from([0.1, 0.01, 0.005, 0.001]))
def test_the_bound_that_is_shown_is_the_one_that_decides(x: int, n: int, most: float) -> None:
    """500 of 500 stood as proven at 99 % beside "at least 98.7 %": one sentence was too much."""
    x = min(x, n)
    found = goal_interval(x, n)
    assert 0 <= found.low <= x / n <= found.high <= 1
    if abs(found.high - most) > 1e-8:
        assert (found.high < most) == at_most(x, n, most, 0.05, *gate_prior(most))
    if abs(found.low - most) > 1e-8:
        assert (found.low > most) == above(x, n, most, 0.05, *guard_prior(most))


def test_five_hundred_of_five_hundred_are_at_least_99_per_cent() -> None:
    """The first count of pairs without a difference that proves 99 % is 472."""
    assert 1 - goal_interval(0, 471).high < 0.99 <= 1 - goal_interval(0, 472).high
    assert goal_interval(0, 500).high == pytest.approx(0.00943, abs=1e-5)
    assert goal_interval(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_bound_that_is_shown_holds_whenever_somebody_looks(share: float) -> None:
    """400 streams, looked at at every tenth pair: each end is wrong in at most 5 % of them."""
    rng, alpha, runs = random.Random(20260103), 0.05, 400
    wrong = [0, 0]
    for _ in range(runs):
        looks = list(_looks(rng, share, 2_000))
        wrong[0] += any(at_most(x, n, share, alpha, *gate_prior(share)) for x, n in looks)
        wrong[1] += any(above(x, n, share, alpha, *guard_prior(share)) for x, n in looks)
    assert max(wrong) / runs <= alpha, wrong


@given(st.integers(0, 40), st.integers(0, 8000), st.sampled_from([0.01, 0.005, 0.001]))
def test_needs_more_is_exact(x: int, n: int, most: float) -> None:
    """With that many more it is shown, with one less it is not."""
    x = min(x, n)
    more = needs_more(x, n, most)
    prior = gate_prior(most)
    if more is None:
        assert not at_most(x, n, most, 0.05, *prior)
    else:
        assert more == 0 or not at_most(x, n + more - 1, most, 0.05, *prior)
        assert at_most(x, n + more, most, 0.05, *prior)


def _looks(
    rng: random.Random, share: float, most_pairs: int, every: int = 10
) -> Iterator[tuple[int, int]]:
    """Counts (x, n) of a stream of that share, at every `every` pairs."""
    x = 0
    for n in range(1, most_pairs + 1):
        x += rng.random() < share
        if n % every == 0:
            yield x, n


@pytest.mark.no_cover  # the tracer would make minutes of its seconds
def test_a_gate_keeps_its_promise_when_looked_at_every_ten_pairs() -> None:
    """1 000 streams exactly at the goal: falsely proven at most alpha + 3 sigma."""
    rng, most, alpha, runs = random.Random(20260101), 0.005, 0.05, 1000
    prior = gate_prior(most)
    false = sum(
        any(at_most(x, n, most, alpha, *prior) for x, n in _looks(rng, most, 4000))
        for _ in range(runs)
    )
    assert false / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.no_cover  # the tracer would make minutes of its seconds
def test_a_guard_keeps_its_promise_when_looked_at_every_ten_pairs() -> None:
    """1 000 streams exactly at the goal: falsely refuted at most alpha."""
    rng, most, alpha, runs = random.Random(20260102), 0.005, 0.05, 1000
    prior = guard_prior(most)
    false = sum(
        any(above(x, n, most, alpha, *prior) for x, n in _looks(rng, most, 4000))
        for _ in range(runs)
    )
    assert false / runs <= alpha


def test_a_gate_has_the_power_of_the_design() -> None:
    """True 99.9 % against the goal 99.5 %: proven in at most 1 600 pairs in the median."""
    rng, most = random.Random(20260103), 0.005
    prior = gate_prior(most)
    needed = []
    for _ in range(201):
        stream = _looks(rng, 0.001, 20_000)
        needed.append(next(n for x, n in stream if at_most(x, n, most, 0.05, *prior)))
    assert sorted(needed)[100] <= 1600


def test_single_failures_are_not_clustered() -> None:
    """Independent failures have no factor worth speaking of."""
    rng = random.Random(1)
    buckets = [(sum(rng.random() < 0.05 for _ in range(200)), 200) for _ in range(60)]
    assert 1 <= clustering(buckets) < 1.6


def test_one_client_in_a_loop_is_one_event() -> None:
    """60 failures in one bucket of sixty count for no more than a few."""
    buckets = [(0, 100)] * 59 + [(60, 100)]
    assert clustering(buckets) == 20.0


@pytest.mark.parametrize(
    "buckets", [[], [(1, 10)] * 5, [(1, 4)] * 50, [(0, 100)] * 50, [(100, 100)] * 50]
)
def test_too_little_is_not_called_clustered(buckets: list[tuple[float, float]]) -> None:
    """Fewer than six filled buckets, no failure, or nothing but failures: the factor is 1."""
    assert clustering(buckets) == 1.0
