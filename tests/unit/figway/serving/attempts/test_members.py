"""Which URL of a backend is asked, and which is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from figway.model.backend import Balance, HealthPolicy, OutlierPolicy
from figway.serving.attempts.members import AVOID_MS, Member, Members

POLICY = OutlierPolicy(failures=2, eject_ms=1_000, max_percent=50)


def members(count: int = 3, balance: Balance = Balance.ROUND_ROBIN) -> Members:
    return Members(count, balance, POLICY)


def test_by_turns() -> None:
    found = members()
    assert [found.pick(0) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_the_least_busy() -> None:
    found = members(balance=Balance.LEAST_OUTSTANDING)
    for index, outstanding in enumerate((3, 1, 2)):
        found.all[index].outstanding = outstanding
    assert [found.pick(0) for _ in range(3)] == [1, 1, 1]
    found.failed(1, 0)
    assert found.pick(0) == 2


def test_failures_in_a_row_put_a_member_out_for_longer_and_longer() -> None:
    found = members()
    found.failed(1, 0)
    found.answered(1)
    assert not found.failed(1, 0)
    assert found.failed(1, 0)
    assert 1 not in {found.pick(999) for _ in range(6)}
    assert 1 in {found.pick(1_000) for _ in range(6)}
    found.failed(1, 1_000)
    assert found.failed(1, 1_000)
    assert not found.all[1].usable(2_999)
    assert found.all[1].usable(3_000)


def test_a_second_try_goes_elsewhere() -> None:
    found = members(2)
    assert found.pick(0) == 0
    found.failed(0, 0)
    assert [found.pick(0) for _ in range(3)] == [1, 1, 1]


def test_one_failure_is_no_life_sentence() -> None:
    """It is asked again before long: to prove itself, or to be put out with a name to it."""
    found = members(2)
    found.failed(0, 0)
    assert {found.pick(AVOID_MS - 1) for _ in range(4)} == {1}
    assert {found.pick(AVOID_MS) for _ in range(4)} == {0, 1}
    assert found.failed(0, AVOID_MS)
    assert found.all[0].ejections == 1
    found.failed(1, AVOID_MS)
    found.answered(1)
    assert found.pick(AVOID_MS) == 1


def test_health_checks_need_several_answers() -> None:
    member, policy = Member(), HealthPolicy(path="/h", healthy=2, unhealthy=3)
    told = []
    for good in (False, False, True, False, False, False, True, False, True, True):
        member.checked(good, policy)
        told.append(member.well)
    assert told == [True] * 5 + [False] * 4 + [True]


EVENTS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 800)), max_size=80)


@given(st.integers(2, 5), st.integers(0, 100), EVENTS)
def test_some_member_always_serves(
    count: int, percent: int, events: list[tuple[int, bool, int]]
) -> None:
    """However all fail, no more than the allowed share is out, and one is always picked."""
    found = Members(count, Balance.ROUND_ROBIN, OutlierPolicy(failures=1, max_percent=percent))
    now = 0
    for index, good, step in events:
        now += step
        index %= count
        if good:
            found.answered(index)
        else:
            found.failed(index, now)
        out = sum(not member.usable(now) for member in found.all)
        assert out < count
        assert out * 100 <= percent * count
        assert found.all[found.pick(now)].usable(now)


def test_when_all_are_unwell_all_are_asked() -> None:
    found = members(2)
    for member in found.all:
        member.well = False
    assert {found.pick(0) for _ in range(4)} == {0, 1}
