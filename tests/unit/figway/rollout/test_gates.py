"""Gates on what is seen of several routes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from figway.rollout.gates import judge_gates
from figway.rollout.guards import judge_guards
from figway.rollout.observation import CallCounts, Observation, ParityCounts, RouteObservation
from figway.rollout.state import RolloutState
from tests.unit.figway.rollout.looks import PROVEN, at, plan_of


def _told(*routes: RouteObservation) -> dict[str, str]:
    look = Observation(now_ms=0, routes=routes)
    gates = judge_gates(plan_of(), RolloutState(step=0), look)
    return {gate.name: gate.text for gate in gates if not gate.ok}


def _route(name: str, requests: int, **more: Any) -> RouteObservation:
    legacy = CallCounts(requests=requests, answers=requests)
    return RouteObservation(route=name, placement=at("shadow"), legacy=legacy, **more)


def test_what_one_route_proves_says_nothing_of_another() -> None:
    """A read that carries traffic and was never compared holds its capability, and is named."""
    read = _route("orders", 1_000, parity=PROVEN)
    assert _told(read) == {}
    told = _told(read, _route("prices", 400, parity=ParityCounts()))
    assert told == {"proof": "route prices was never compared"}


def test_a_write_that_is_never_compared_holds_nothing() -> None:
    """Writes are not copied: nothing will ever be known of them in the shadow."""
    read = _route("orders", 1_000, parity=PROVEN)
    assert _told(read, _route("order", 400, comparable=False)) == {}


def test_a_route_without_traffic_holds_nothing() -> None:
    """Below 0.5 % of the traffic it is not asked for, as a shape of a request is not."""
    read = _route("orders", 1_000, parity=PROVEN)
    assert _told(read, _route("rare", 4)) == {}
    assert "proof" in _told(read, _route("rare", 6))


def test_the_words_of_a_gate_count_what_was_compared() -> None:
    """Fifteen pairs of a shape are too few, and not none; nothing at all is not "only 0"."""
    few = replace(PROVEN, shapes_missing=("200 application/json (15 of 15)",))
    told = _told(_route("orders", 1_000, parity=few))["shapes"]
    assert told.endswith("compared less than 20 times: 200 application/json (15 of 15)")
    none = replace(PROVEN, distinct=0)
    told = _told(_route("orders", 1_000, parity=none))["distinct"]
    assert told == "no request was compared; 50 different ones are needed"


def test_failures_of_new_are_told_apart_from_differences() -> None:
    """They count as different, but nobody should look for a field, or write a rule for them."""
    failed = replace(PROVEN, differing=172, failed=172)
    told = _told(_route("orders", 1_000, parity=failed))["parity"]
    assert "172 of 2000 (8.6 %) differ; new failed in 172 of these; fix new" in told
    assert "write a rule" not in told
    both = replace(failed, differing=180, fields=("$.total|changed",))
    told = _told(_route("orders", 1_000, parity=both))["parity"]
    assert "differ at $.total|changed; new failed in 172 of these; fix new" in told
    assert "write a rule" in told
    serving = replace(_route("orders", 1_000, parity=failed), placement=at("25%"))
    look = Observation(now_ms=0, routes=(serving,))
    guards = judge_guards(plan_of(), RolloutState(step=0), look)
    assert [guard.text for guard in guards if guard.name == "parity"] == [
        "172 of 2000 (8.6 %) pairs of route orders differ; new failed in 172 of these"
    ]


def test_a_time_is_told_only_where_the_rate_is_known() -> None:
    """Of the first seconds nothing is known: neither "none arrive now", nor a time too long."""
    few = replace(PROVEN, rated=0)
    for rate, words in ((None, "needs 946 more pairs"), (0.0, "; none arrive now"),
                        (2.0, ", about 8 minutes")):  # fmt: skip
        told = _told(_route("orders", 1_000, parity=replace(few, pairs_now_per_s=rate)))["parity"]
        assert told.endswith(words)


def test_there_is_no_bound_before_new_has_served_anybody() -> None:
    """The share of failures that new may have follows from its share of the requests: of none
    it was drawn as a bound of 0 %."""
    serving = replace(_route("orders", 1_000, parity=PROVEN), placement=at("25%"))
    guards = judge_guards(plan_of(), RolloutState(step=0), Observation(now_ms=0, routes=(serving,)))
    assert [guard.bound for guard in guards if guard.name == "errors"] == [None]
