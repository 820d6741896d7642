"""The fallback budget: a share of legacy's own rate, a minimum, and not more."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from figway.model.backend import FallbackBudgetPolicy
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.load import ROW, Load


def granted(budget: FallbackBudget, now: int, wanted: int = 1_000) -> int:
    """How many of `wanted` fallbacks are granted at one moment."""
    return sum(budget.spend(now) for _ in range(wanted))


def test_the_minimum_holds_without_any_traffic() -> None:
    """trap 46: ten a second, then no more until the next second."""
    budget = FallbackBudget(FallbackBudgetPolicy(percent=20, min_per_s=10))
    assert granted(budget, 5_000) == 10
    assert granted(budget, 5_999) == 0
    assert granted(budget, 6_000) == 10


def test_a_busy_legacy_takes_its_share() -> None:
    budget = FallbackBudget(FallbackBudgetPolicy(percent=20, min_per_s=10))
    for second in range(100, 110):
        for _ in range(200):
            budget.own_request(second * 1_000)
    assert granted(budget, 110_000) == 40
    # Fallbacks are no traffic of legacy's own: the share does not feed itself.
    assert granted(budget, 111_000) == 36


def test_the_rate_is_forgotten_after_ten_seconds() -> None:
    budget = FallbackBudget(FallbackBudgetPolicy(percent=100, min_per_s=0))
    for _ in range(100):
        budget.own_request(50_000)
    assert granted(budget, 50_000) == 0
    assert granted(budget, 51_000) == 100, "all that is known is one second"
    assert granted(budget, 52_000) == 50
    assert granted(budget, 60_000) == 10
    assert granted(budget, 61_000) == 0
    assert granted(budget, 90_000_000) == 0


def test_a_worker_that_has_just_started_knows_the_rate() -> None:
    """trap 46: one that takes a dead worker's place amid an outage must not shed its reads."""
    budget = FallbackBudget(FallbackBudgetPolicy(percent=20, min_per_s=0))
    for second in (100, 101):
        for _ in range(50):
            budget.own_request(second * 1_000)
    assert granted(budget, 102_000) == 10


def test_workers_divide_the_minimum() -> None:
    policy = FallbackBudgetPolicy(percent=0, min_per_s=10)
    assert granted(FallbackBudget(policy, workers=5), 0) == 2
    assert granted(FallbackBudget(policy, workers=20), 0) == 1
    assert granted(FallbackBudget(FallbackBudgetPolicy(percent=0, min_per_s=0)), 0) == 0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3_000)), max_size=200),
    st.integers(0, 200),
    st.integers(0, 5),
)
def test_never_more_than_share_or_minimum(
    steps: list[tuple[bool, int]], percent: int, minimum: int
) -> None:
    """trap 46: whatever the traffic, each second's grants stay within the allowance."""
    budget = FallbackBudget(FallbackBudgetPolicy(percent=percent, min_per_s=minimum))
    now, own, fallbacks = 0, dict[int, int](), dict[int, int]()
    for is_own, gap in steps:
        now += gap
        second = now // 1_000
        if is_own:
            budget.own_request(now)
            own[second] = own.get(second, 0) + 1
        elif budget.spend(now):
            fallbacks[second] = fallbacks.get(second, 0) + 1
    for second, number in fallbacks.items():
        recent = sum(own.get(second - back, 0) for back in range(1, 11))
        known = min(10, max(1, second - min(own, default=0)))
        assert number <= math.ceil(max(minimum, percent * recent / (100 * known)))


def test_legacy_may_carry_what_it_is_known_to_have_carried() -> None:
    """B6: after a full migration its own rate is nought, and says nothing of what it can bear."""
    budget = FallbackBudget(FallbackBudgetPolicy())
    assert granted(budget, 5_000) == 10
    budget.peak = 50.0
    assert granted(budget, 6_000) == 50 + 22  # seconds of such a rate reach N + 3 √N
    for _ in range(40):
        budget.own_request(7_000)
    assert granted(budget, 7_000) == 50 + 22 - 40, "less what it carries now"
    budget.policy = FallbackBudgetPolicy(carried_percent=0)
    assert granted(budget, 8_000) == 10, "an operator may want less"
    budget.policy = FallbackBudgetPolicy()
    assert granted(budget, 9_000) == 50 + 22, "what moved away a moment ago is not carried now"


def test_workers_share_one_budget() -> None:
    """B6: all requests of one connection meet one worker, which may take the whole."""
    cells = [0] * (3 * ROW)
    workers = [
        FallbackBudget(FallbackBudgetPolicy(), 3, Load(cells, 0, 3, number)) for number in range(3)
    ]
    assert granted(workers[1], 5_000) == 10
    assert granted(workers[2], 5_500) == 0
    assert [granted(worker, 6_000, 4) for worker in workers] == [4, 4, 2]
    assert sum(worker.per_second(7_000) for worker in workers) == 10


def test_what_workers_count_adds_up() -> None:
    cells = [0] * (2 * ROW)
    one, other = (Load(cells, 0, 2, number) for number in range(2))
    for second in range(100, 140):
        one.count_own(second)
        other.count_own(second)
        other.count_fallback(second)
    assert (one.own(139), one.fallbacks(139), one.mean(140, 10)) == (2, 1, 2.0)
    assert one.own(139 - 16) == 0, "forgotten"
