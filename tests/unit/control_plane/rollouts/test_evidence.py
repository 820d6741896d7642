"""What rollouts read off the comparisons of a route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from control_plane.comparisons.judged import Judged
from control_plane.rollouts.evidence import ComparedEvidence, PairRate, parity_of
from figway.evidence.judgement import SHAPE_PAIRS, Now, judge
from figway.evidence.window import BuildEvidence

MINUTE_MS = 60_000


def _judged(requests: int, pairs: int, minutes: int = 60) -> Judged:
    """So many different requests, all of them seen in the first minute, compared so often."""
    evidence = BuildEvidence("7")
    evidence.seen_at(0, minutes * MINUTE_MS)
    evidence.count((), 0, pairs)
    for number in range(requests):
        evidence.request(f"{number:016x}", number)
    found = judge(evidence, Now())
    return cast(Judged, SimpleNamespace(judgement=found, first_ms=0, last_ms=minutes * MINUTE_MS,
                                        build="7"))  # fmt: skip


@pytest.mark.parametrize(
    ("requests", "pairs", "known"),
    [
        (22, 2_696, 22),  # no other came for an hour: there are no more
        (22, 100, None),  # more may come
        (1, 5_000, None),  # a health check
        (150, 5_000, None),  # enough for every preset; a plan may ask for more
    ],
)
def test_a_route_of_few_requests_is_compared_whole(
    requests: int, pairs: int, known: int | None
) -> None:
    """Fifty different requests were asked of a route that has 22: its rollout never went on."""
    assert parity_of(_judged(requests, pairs)).distinct_known == known


def test_shapes_that_were_compared_are_counted_beside_those_that_were_not() -> None:
    """A rollout's gate says how many of all are done."""
    evidence = BuildEvidence("7")
    for status, compared in ((200, SHAPE_PAIRS), (201, SHAPE_PAIRS), (404, SHAPE_PAIRS - 1)):
        shape = ("GET", status, "text/html", (), False)
        evidence.seen_shapes.add(shape, 100)
        evidence.shapes.add(shape, compared)
    judged = SimpleNamespace(judgement=judge(evidence, Now()), first_ms=0, last_ms=1, build="7")
    counted = parity_of(cast(Judged, judged))
    assert counted.shapes_done == 2
    assert counted.shapes_missing == ("404 text/html (19 of 100)",)


def test_the_rate_is_that_of_the_last_minutes() -> None:
    """Not of all the time: at night, after a pause, or in the first minute that says nothing."""
    rate = PairRate()
    assert rate.noted(0, 0.0) is None
    assert rate.noted(60, 20.0) is None, "too soon to tell"
    assert rate.noted(90, 30.0) == pytest.approx(3.0)
    for at in range(40, 1_000, 10):
        found = rate.noted(90, float(at))
    assert found == 0.0, "none arrive any more"
    assert rate.noted(5, 1_010.0) is None, "another window"
    assert rate.noted(65, 1_070.0) == pytest.approx(1.0)


def test_the_time_before_the_first_pair_makes_no_rate_low() -> None:
    """A route is known for four minutes when its rollout leads it to the shadow: what was "about 42
    minutes" took two."""
    rate = PairRate()
    for at in range(0, 240, 5):
        found = rate.noted(0, float(at))
    assert found == 0.0
    assert rate.noted(15, 240.0) is None, "too soon to tell"
    for at in range(245, 300, 5):
        found = rate.noted(15 + 3 * (at - 240), float(at))
    assert found == pytest.approx(3.0, rel=0.1)


async def test_a_route_that_was_never_compared_says_so_in_time() -> None:
    """At first nothing is known of it; later, that no pairs arrive."""

    class Nothing:
        async def judged(self, routes: Sequence[str]) -> Mapping[str, Any]:
            return {}

    evidence = ComparedEvidence(Nothing())
    assert await evidence.parity(["orders"]) == {}
    evidence._rates["orders"]._noted[0] = (evidence._rates["orders"]._noted[0][0] - 60, 0)
    assert (await evidence.parity(["orders"]))["orders"].pairs_now_per_s == 0.0
