"""Rate limits against a naive oracle, and their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from figway.serving.gcra import SECOND, Gcra

STEPS = st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 30), STEPS)
def test_it_is_a_leaky_bucket(requests: int, window: int, burst: int, steps: list[int]) -> None:
    """A bucket of `burst` that refills evenly allows the same requests, to a rounding."""
    gcra, interval = Gcra(requests, window, burst), max(1, round(window * SECOND / requests))
    now, full_at = SECOND, SECOND  # the bucket is full from `full_at` on
    for step in steps:
        now += step
        missing = max(0, full_at - now)
        allowed = missing + interval <= burst * interval
        verdict = gcra.take(b"k", now)
        assert verdict.allowed is allowed
        if allowed:
            full_at = now + missing + interval
            assert verdict.remaining == (burst * interval - missing - interval) // interval
        assert (verdict.retry_after_s > 0) is not allowed
        assert verdict.reset_s >= 0


@given(st.integers(1, 50), st.integers(1, 50), STEPS)
def test_no_window_ever_gets_more_than_rate_and_burst(
    requests: int, burst: int, steps: list[int]
) -> None:
    gcra, now = Gcra(requests, 1, burst), 0
    taken: list[int] = []
    for step in steps:
        now += step
        if gcra.take(b"k", now).allowed:
            taken.append(now)
    for index, first in enumerate(taken):
        for count, last in enumerate(taken[index:], 1):
            assert count <= burst + (last - first) * requests / SECOND + 1


def test_waiting_as_told_is_enough() -> None:
    gcra, now = Gcra(3, 10, 2), 5 * SECOND
    while (verdict := gcra.take(b"k", now)).allowed:
        pass
    assert gcra.take(b"k", now + verdict.retry_after_s * SECOND).allowed


def test_what_is_refused_is_not_counted() -> None:
    gcra = Gcra(1, 1, 1)
    assert gcra.take(b"k", 0).allowed
    for microsecond in range(100):
        assert not gcra.take(b"k", microsecond).allowed
    assert gcra.take(b"k", SECOND).allowed


def test_keys_are_apart_and_their_number_is_bounded() -> None:
    gcra = Gcra(1, 60, 1, max_keys=100)
    assert gcra.take(b"steady", 0).allowed
    for number in range(1_000):
        assert gcra.take(b"%d" % number, 0).allowed
    assert len(gcra) == 100
    assert not gcra.take(b"999", 0).allowed
    assert gcra.take(b"steady", 0).allowed  # forgotten, and so new
