"""The breaker, as conversations: what it is told, what it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from figway.model.table import BreakerForce, BreakerPolicy
from figway.serving.attempts.breaker import HUNG_ROW, Admission, Breaker, BreakerState
from tests.support.thorough import examples

POLICY = BreakerPolicy(min_calls=20, failure_percent=50, open_ms=10_000, probes=3, ramp_ms=10_000)
CALL, PROBE, REFUSED = Admission.CALL, Admission.PROBE, Admission.REFUSED


def call(breaker: Breaker, now: int, ok: bool, times: int = 1) -> None:
    """Let requests through and report their outcome."""
    for _ in range(times):
        admission = breaker.admit(now)
        assert admission is CALL
        if ok:
            breaker.success(now, admission)
        else:
            breaker.failure(now, admission)


def opened(now: int = 1_000, policy: BreakerPolicy = POLICY, seed: bytes = b"") -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(policy, seed)
    call(breaker, now, ok=False, times=policy.min_calls)
    assert breaker.state is BreakerState.OPEN
    return breaker


def until_probing(breaker: Breaker, now: int) -> int:
    """Wait until the first probe is admitted; say when."""
    while breaker.admit(now) is REFUSED:
        now += 10
    return now


def test_it_opens_at_the_share_but_not_on_few_calls() -> None:
    """trap 48: one failure at low traffic opens nothing."""
    breaker = Breaker(POLICY)
    call(breaker, 1_000, ok=False, times=19)
    assert breaker.state is BreakerState.CLOSED
    call(breaker, 1_000, ok=False)
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit(1_001) is REFUSED


def test_below_the_share_it_stays_closed() -> None:
    breaker = Breaker(POLICY)
    for ok in [True, *[True, False] * 50]:
        call(breaker, 1_000, ok=ok)
    assert breaker.state is BreakerState.CLOSED
    call(breaker, 1_000, ok=False)
    assert breaker.state is BreakerState.OPEN


def test_a_backend_that_dies_is_left_alone_before_the_window_turns() -> None:
    """trap 50: after a healthy spell a row of failures is enough; one success breaks the row."""
    breaker = Breaker(POLICY)
    call(breaker, 1_000, ok=True, times=1_000)
    call(breaker, 2_000, ok=False, times=19)
    call(breaker, 2_000, ok=True)
    call(breaker, 2_000, ok=False, times=19)
    assert breaker.state is BreakerState.CLOSED
    call(breaker, 2_000, ok=False)
    assert breaker.state is BreakerState.OPEN


def test_a_row_that_is_older_than_the_window_does_not_count() -> None:
    """trap 48: few calls a window open nothing, however long they have been failing."""
    breaker = Breaker(POLICY)
    for minute in range(60):
        call(breaker, 60_000 * minute, ok=False)
    assert breaker.state is BreakerState.CLOSED


def test_failures_age_out_of_the_window() -> None:
    breaker = Breaker(POLICY)
    call(breaker, 1_000, ok=False, times=19)
    call(breaker, 32_000, ok=False, times=19)
    assert breaker.state is BreakerState.CLOSED


def test_slow_answers_count_as_failures_where_the_policy_says_so() -> None:
    breaker = Breaker(replace(POLICY, slow_ms=100))
    for _ in range(20):
        breaker.success(1_000, breaker.admit(1_000), elapsed=101)
    assert breaker.state is BreakerState.OPEN
    unhurried = Breaker(POLICY)
    for _ in range(20):
        unhurried.success(1_000, unhurried.admit(1_000), elapsed=60_000)
    assert unhurried.state is BreakerState.CLOSED


def test_recovery_probes_then_ramps_then_closes() -> None:
    """trap 47: three probes, then a rising share, then all."""
    told: list[tuple[BreakerState, BreakerState]] = []
    breaker = Breaker(POLICY, observer=lambda before, after, now: told.append((before, after)))
    call(breaker, 0, ok=False, times=20)
    now = until_probing(breaker, 0)
    assert 10_000 <= now <= 12_000
    assert [breaker.admit(now) for _ in range(5)] == [PROBE, PROBE, REFUSED, REFUSED, REFUSED]
    for _ in range(3):
        breaker.success(now, PROBE)
    assert breaker.state is BreakerState.RAMP
    admitted = [breaker.admit(now + 10 * step) is CALL for step in range(1_000)]
    quarters = [sum(admitted[start : start + 250]) for start in range(0, 1_000, 250)]
    assert all(
        abs(found - share) < 8 for found, share in zip(quarters, (31, 94, 156, 219), strict=True)
    )
    assert breaker.admit(now + 10_000) is CALL
    assert [after for _, after in told] == [
        BreakerState.OPEN,
        BreakerState.HALF_OPEN,
        BreakerState.RAMP,
        BreakerState.CLOSED,
    ]


def test_a_failing_probe_opens_it_again_for_longer() -> None:
    breaker, now, waits = opened(0), 0, []
    for _ in range(8):
        start, now = now, until_probing(breaker, now)
        waits.append(now - start)
        breaker.failure(now, PROBE)
    for wait, base in zip(waits, (10, 20, 40, 80, 160, 250, 250, 250), strict=True):
        assert base * 1_000 <= wait <= min(base * 1_210, 300_010)


def test_workers_do_not_probe_as_one() -> None:
    """trap 47: jitter parts them, also at the longest open time."""
    policy = replace(POLICY, open_ms=10_000, max_open_ms=20_000)
    first, later = set(), set()
    for worker in range(20):
        breaker = opened(0, policy, b"%d" % worker)
        now = until_probing(breaker, 0)
        first.add(now)
        for _ in range(5):
            breaker.failure(now, PROBE)
            start, now = now, until_probing(breaker, now)
        later.add(now - start)
    assert len(first) > 10
    assert len(later) > 10
    assert max(later) <= 20_010


def test_an_abandoned_probe_gives_its_place_back() -> None:
    breaker = opened(0)
    now = until_probing(breaker, 0)
    assert [breaker.admit(now), breaker.admit(now), breaker.admit(now)] == [PROBE, PROBE, REFUSED]
    breaker.abandon(PROBE)
    assert breaker.admit(now) is PROBE


def test_a_probe_that_outlives_its_time_keeps_its_place() -> None:
    """trap 47: hung probes of the last half-open time count in the next one."""
    breaker = opened(0)
    now = until_probing(breaker, 0)
    assert [breaker.admit(now), breaker.admit(now)] == [PROBE, PROBE]
    breaker.failure(now, PROBE)  # the other two hang
    now += 60_000
    assert [breaker.admit(now) for _ in range(3)] == [PROBE, REFUSED, REFUSED]
    breaker.success(now, PROBE)
    assert breaker.admit(now) is PROBE


def test_late_outcomes_of_ordinary_calls_do_not_disturb_probing() -> None:
    breaker = opened(0)
    breaker.failure(10, CALL)
    now = until_probing(breaker, 0)
    breaker.failure(now, CALL)
    assert breaker.state is BreakerState.HALF_OPEN


def test_force_and_switch() -> None:
    breaker = opened(0)
    breaker.policy = replace(POLICY, force=BreakerForce.CLOSED)
    assert breaker.admit(1) is CALL
    breaker.policy = replace(POLICY, enabled=False)
    assert breaker.admit(1) is CALL
    fresh = Breaker(replace(POLICY, force=BreakerForce.OPEN))
    assert fresh.admit(0) is REFUSED
    off = Breaker(replace(POLICY, enabled=False))
    call(off, 0, ok=False, times=100)
    assert off.state is BreakerState.CLOSED


@pytest.mark.parametrize(("later", "seconds"), [(0, range(10, 13)), (9_999, range(1, 4))])
def test_retry_after(later: int, seconds: range) -> None:
    assert opened(0).retry_after(later) in seconds
    assert Breaker(POLICY).retry_after(later) == 1


class Stampede(RuleBasedStateMachine):
    """trap 47: whatever the order of outcomes, at most three probes are out at once."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(replace(POLICY, min_calls=2, open_ms=100, ramp_ms=1_000))
        self.now = 0
        self.out: list[Admission] = []

    @rule(times=st.integers(1, 6))
    def ask(self, times: int) -> None:
        for _ in range(times):
            admission = self.breaker.admit(self.now)
            if admission is not REFUSED:
                self.out.append(admission)

    @rule(gap=st.sampled_from([1, 50, 120, 500, 1_000, 5_000]))
    def wait(self, gap: int) -> None:
        self.now += gap

    @precondition(lambda self: self.out)
    @rule(index=st.integers(0, 100), outcome=st.sampled_from(["ok", "ok", "failed", "gone"]))
    def hear(self, index: int, outcome: str) -> None:
        admission = self.out.pop(index % len(self.out))
        if outcome == "ok":
            self.breaker.success(self.now, admission)
        elif outcome == "failed":
            self.breaker.failure(self.now, admission)
        else:
            self.breaker.abandon(admission)

    @invariant()
    def few_probes(self) -> None:
        assert self.out.count(PROBE) <= 3


TestStampede = Stampede.TestCase
TestStampede.settings = settings(max_examples=examples(300), stateful_step_count=60, deadline=None)


def test_a_row_of_time_outs_opens_it_however_few_the_calls() -> None:
    """B8: a backend that hangs answers too few calls to fill any window."""
    breaker = Breaker(BreakerPolicy())
    for number in range(HUNG_ROW):
        assert breaker.state is BreakerState.CLOSED
        now = number * 40_000
        breaker.failure(now, breaker.admit(now), hung=True)
    assert breaker.state is BreakerState.OPEN


def test_an_answer_in_between_ends_the_row_of_time_outs() -> None:
    breaker = Breaker(BreakerPolicy())
    for number in range(4 * HUNG_ROW):
        now = number * 40_000
        breaker.failure(now, breaker.admit(now), hung=number % HUNG_ROW != 0)
    assert breaker.state is BreakerState.CLOSED


def test_a_quarantined_backend_is_asked_nothing() -> None:
    """B1: as with an open breaker, until it can be opened."""
    breaker = Breaker(BreakerPolicy(force=BreakerForce.CLOSED))
    breaker.quarantined = True
    assert breaker.admit(0) is Admission.REFUSED
    breaker.quarantined = False
    assert breaker.admit(0) is Admission.CALL
