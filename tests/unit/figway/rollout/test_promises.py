"""Seeded simulations of the error rates that guards and gates promise."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from figway.rollout.gates import judge_gates
from figway.rollout.guards import judge_guards
from figway.rollout.observation import CallCounts, Observation, ParityCounts, RouteObservation
from figway.rollout.state import RolloutState
from tests.unit.figway.rollout.looks import PROVEN, at, plan_of

RUNS, ALPHA = 1_000, 0.05
MOST_FALSE = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
ONE_STEP = plan_of(
    steps=[{"weight": "25%"}], guards={"parity": False, "latency": False, "breaker": False}
)


def _stream(
    rng: random.Random, weight: float, legacy: float, new: float, looks: int, every: int
) -> Iterator[RouteObservation]:
    """What is seen every `every` requests."""
    counts = {"legacy": [0, 0], "new": [0, 0]}
    for _ in range(looks):
        for _ in range(every):
            side, rate = ("new", new) if rng.random() < weight else ("legacy", legacy)
            counts[side][0] += 1
            counts[side][1] += rng.random() < rate
        sides: dict[str, Any] = {
            side: CallCounts(requests=requests, failures=failures, answers=requests)
            for side, (requests, failures) in counts.items()
        }
        yield RouteObservation(route="orders", placement=at("25%"), parity=PROVEN, **sides)


def _breaches(seen: RouteObservation) -> bool:
    look = Observation(now_ms=0, routes=(seen,))
    return any(not found.ok for found in judge_guards(ONE_STEP, RolloutState(step=0), look))


@pytest.mark.long
@pytest.mark.no_cover  # the tracer would make minutes of its seconds
def test_the_error_guard_keeps_its_promise() -> None:
    """At the boundary, new failing exactly 1.5 times as often: false alarms at most alpha."""
    rng = random.Random(41)
    false = sum(
        any(_breaches(seen) for seen in _stream(rng, 0.25, 0.04, 0.06, 30, 40)) for _ in range(RUNS)
    )
    assert false / RUNS <= ALPHA


@pytest.mark.long
@pytest.mark.no_cover  # the tracer would make minutes of its seconds
def test_equal_sides_never_alarm() -> None:
    """Both at 5 %: none of 600."""
    rng = random.Random(42)
    assert not any(
        _breaches(seen) for _ in range(600) for seen in _stream(rng, 0.25, 0.05, 0.05, 30, 20)
    )


def test_the_error_guard_has_power() -> None:
    """New at 50 %, legacy at 0.5 %: within 60 requests in the median, looked at every five."""
    rng, needed = random.Random(43), []
    for _ in range(101):
        looks = enumerate(_stream(rng, 0.25, 0.005, 0.5, 100, 5), 1)
        needed.append(next(number * 5 for number, seen in looks if _breaches(seen)))
    assert sorted(needed)[50] <= 60


SHARED = plan_of(
    steps=[{"stage": "shadow"}, {"weight": "1%"}, {"weight": "5%"}, {"weight": "25%"},
           {"stage": "new"}],
    guards={"breaker": False, "budget": False},
)  # fmt: skip


def _errors_until_breach(rng: random.Random, weight: float, new: float) -> int:
    """How many errors of both sides it takes, looked at after each; legacy fails in 0.5 %."""
    on_new, on_legacy = weight * new, (1 - weight) * 0.005
    requests, failures = 0, {"new": 0, "legacy": 0}
    while True:
        chance = on_new + on_legacy
        requests += 1 + int(math.log(1 - rng.random()) / math.log(1 - chance))
        failures["new" if rng.random() < on_new / chance else "legacy"] += 1
        sides: dict[str, Any] = {
            side: CallCounts(requests=max(failures[side], round(requests * share)),
                             failures=failures[side])
            for side, share in (("new", weight), ("legacy", 1 - weight))
        }  # fmt: skip
        seen = RouteObservation(route="orders", placement=at("25%"), parity=PROVEN, **sides)
        look = Observation(now_ms=0, routes=(seen,))
        found = judge_guards(SHARED, RolloutState(step=3), look)
        if any(not judged.ok for judged in found if judged.name == "errors"):
            return sum(failures.values())


@pytest.mark.long
@pytest.mark.no_cover  # the tracer would make minutes of its seconds
@pytest.mark.parametrize(
    ("weight", "new", "designed"),
    [(0.01, 0.5, 6), (0.05, 0.5, 6), (0.05, 0.05, 24), (0.25, 0.015, 114)],
)
def test_the_error_guard_is_as_fast_as_its_bound_allows(
    weight: float, new: float, designed: int
) -> None:
    """Alpha shared by three guards and five steps. `designed` is the median where all of alpha is
    spent on the step; half is spent on its blocks of ten minutes here, which costs ln 2 of
    evidence: two errors where there are few, and a fifth where there are many."""
    rng = random.Random(47)
    needed = sorted(_errors_until_breach(rng, weight, new) for _ in range(101))
    assert needed[50] <= max(designed + 2, 1.25 * designed)


@pytest.mark.long
@pytest.mark.no_cover  # the tracer would make minutes of its seconds
def test_the_error_gate_keeps_its_promise() -> None:
    """New fails at twice the floor, legacy never: let through at most in alpha of all runs."""
    plan = plan_of(steps=[{"weight": "25%"}, {"stage": "new"}],
                   gates={"errors": {"ratio": 1.5, "floor": "1%"}, "latency": False})  # fmt: skip
    rng, false = random.Random(44), 0
    for _ in range(RUNS):
        for seen in _stream(rng, 0.5, 0.0, 0.0101, 20, 60):
            gates = judge_gates(plan, RolloutState(step=0), Observation(now_ms=0, routes=(seen,)))
            if next(gate.ok for gate in gates if gate.name == "errors"):
                false += 1
                break
    assert false / RUNS <= MOST_FALSE


def test_five_thousand_copies_of_one_request_prove_nothing() -> None:
    """A health check compared all day: the gate names it; a shape never compared is named."""
    parity = ParityCounts(rated=5_000, distinct=1, top_share=1.0, shapes_done=1,
                          shapes_missing=("GET 404 text/html",))  # fmt: skip
    seen = RouteObservation(route="orders", placement=at("shadow"), parity=parity)
    gates = judge_gates(plan_of(), RolloutState(step=0), Observation(now_ms=0, routes=(seen,)))
    told = {gate.name: gate.text for gate in gates if not gate.ok}
    assert set(told) == {"distinct", "shapes"}
    assert told["distinct"].startswith("only one request was compared; 50 different")
    assert "404 text/html" in told["shapes"]
