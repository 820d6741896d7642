"""What a rollout's error guard and gate count as a failure: the third measure beside statuses and
fallbacks is what answers say of themselves."""

from __future__ import annotations

import pytest

from control_plane.rollouts.observing import LoadBucket, counted
from control_plane.traffic.sums import Sums

CASES: dict[str, tuple[int, dict[str, int], int]] = {
    "by status alone": (7, {}, 7),
    "failures within answers of status 200": (0, {"failed": 12}, 12),
    "faults of status 500 that blame the request": (30, {"answered": 30}, 0),
    "both": (30, {"failed": 5, "answered": 28}, 7),
    "never below zero": (1, {"answered": 3}, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_told_from_a_fault_on_either_side(name: str) -> None:
    errors, faulted, failures = CASES[name]
    sums = Sums(requests=100, errors=errors, counts={"faulted": faulted} if faulted else {})
    for bucket in (LoadBucket(new=sums), LoadBucket(legacy=sums)):
        legacy, new = counted([bucket], 0)
        side, other = (new, legacy) if bucket.new is sums else (legacy, new)
        assert (side.failures, side.requests) == (failures, 100)
        assert (other.failures, other.requests) == (0, 0)


def test_codes_that_a_backend_invents_are_bounded_and_none_is_lost() -> None:
    total = Sums()
    for number in range(300):
        total.add(Sums(requests=1, counts={"faults": {f"graphql E{number}": 1}}))
    faults = total.counts["faults"]
    assert len(faults) == 51
    assert sum(faults.values()) == 300
    assert faults["(more)"] == 250
