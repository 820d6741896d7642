"""What a proxy needs, and what it does where there is less."""

from __future__ import annotations

import pytest

from proxy.processes.memory import (
    LEAST_CAPTURES,
    MB,
    SHADOW_WORKER,
    SUPERVISOR,
    WORKER,
    plan_memory,
)


def test_all_parts_are_counted() -> None:
    """L6: the shadow worker, and what waits in it, were not: two workers at 100 % need more than
    220 MB."""
    plan = plan_memory(220 * MB, 2, 64 * MB, shadow=True)
    assert plan.need == SUPERVISOR + 2 * WORKER + SHADOW_WORKER + 3 * 64 * MB
    assert not plan.enough
    assert plan.captures == LEAST_CAPTURES


@pytest.mark.parametrize("limit_mb", [0, 220, 256, 300, 400, 442, 1_000])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_captures_get_what_is_left(limit_mb: int, workers: int) -> None:
    """L6: never more than was set, never less than a few answers, and within the limit where the
    processes themselves are."""
    plan = plan_memory(limit_mb * MB, workers, 64 * MB, shadow=True)
    assert LEAST_CAPTURES <= plan.captures <= 64 * MB
    fixed = plan.need - (workers + 1) * 64 * MB
    if limit_mb and limit_mb * MB > fixed + (workers + 1) * LEAST_CAPTURES:
        assert fixed + (workers + 1) * plan.captures <= limit_mb * MB
    assert plan.enough is (not limit_mb or plan.need <= limit_mb * MB)


def test_without_a_shadow_nothing_is_held_back() -> None:
    plan = plan_memory(100 * MB, 1, 64 * MB, shadow=False)
    assert (plan.need, plan.enough, plan.captures) == (SUPERVISOR + WORKER, False, 64 * MB)
    assert plan_memory(200 * MB, 1, 64 * MB, shadow=False).enough
