"""The limiter: little at first, more while it goes well, nothing for a while when it does not."""

from __future__ import annotations

from proxy.shadow.limiter import FIRST_PAUSE_MS, FLOOR, LONGEST_PAUSE_MS, ConcurrencyLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 0


def feed(
    limiter: ConcurrencyLimiter,
    clock: Clock,
    windows: int,
    *,
    errors: float = 0.0,
    ms: float = 10.0,
) -> list[bool]:
    """Whole windows of a hundred results each."""
    changes = []
    for _ in range(windows):
        for number in range(100):
            clock.now += 11
            changes.append(limiter.record(number < errors * 100, ms, clock.now))
    return changes


def test_it_begins_low_and_rises_to_its_cap() -> None:
    limiter, clock = ConcurrencyLimiter(32), Clock()
    assert limiter.room(0) == FLOOR
    feed(limiter, clock, 3)
    assert FLOOR < limiter.room(clock.now) < 32
    feed(limiter, clock, 40)
    assert limiter.room(clock.now) == 32
    assert ConcurrencyLimiter(1).room(0) == 1


def test_errors_that_come_with_the_load_halve_it() -> None:
    """trap 28"""
    limiter, clock = ConcurrencyLimiter(32), Clock()
    feed(limiter, clock, 40)
    before = limiter.limit
    feed(limiter, clock, 1, errors=0.3)
    assert limiter.limit <= before // 2 + 1
    feed(limiter, clock, 10, errors=0.3)
    assert limiter.limit <= 4
    feed(limiter, clock, 40)
    assert limiter.limit == 32


def test_latency_that_comes_with_the_load_halves_it() -> None:
    """trap 28"""
    limiter, clock = ConcurrencyLimiter(32), Clock()
    feed(limiter, clock, 40)
    feed(limiter, clock, 2, ms=120)
    assert limiter.limit < 20
    assert not limiter.why


def test_a_steady_share_of_errors_is_for_the_comparison_to_tell() -> None:
    limiter, clock = ConcurrencyLimiter(32), Clock()
    feed(limiter, clock, 60, errors=0.3)
    assert limiter.limit == 32
    assert not limiter.why


def test_a_failing_backend_is_left_alone_longer_and_longer() -> None:
    """trap 28"""
    limiter, clock = ConcurrencyLimiter(8), Clock()
    changes = feed(limiter, clock, 1, errors=1.0)
    assert changes.count(True) == 1
    assert limiter.why == "100% of requests failed"
    assert limiter.room(clock.now) == 0
    pauses = []
    for _ in range(6):
        began = clock.now
        while not limiter.room(clock.now):
            clock.now += 100
        pauses.append(clock.now - began)
        assert limiter.probing
        changes = feed(limiter, clock, 1, errors=1.0)
        assert not any(changes)
    assert pauses[0] <= FIRST_PAUSE_MS < pauses[2] < pauses[4] <= LONGEST_PAUSE_MS + 100
    while not limiter.room(clock.now):
        clock.now += 100
    changes = feed(limiter, clock, 1)
    assert changes.count(True) == 1
    assert not limiter.why
    feed(limiter, clock, 30)
    assert limiter.limit == 8


def test_stragglers_of_before_a_pause_do_not_count() -> None:
    limiter, clock = ConcurrencyLimiter(8), Clock()
    feed(limiter, clock, 1, errors=1.0)
    assert not limiter.record(False, 1.0, clock.now)
    assert limiter.why


def test_few_results_say_nothing() -> None:
    limiter = ConcurrencyLimiter(8)
    for now in range(9):
        assert not limiter.record(True, 1.0, now * 10_000)
    assert limiter.limit == FLOOR
    assert not limiter.why
