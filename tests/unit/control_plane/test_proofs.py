"""What is said of a route's evidence where somebody is about to let new serve more."""

from __future__ import annotations

import pytest

from control_plane.proofs import proof_of
from figway.evidence.judgement import Now, judge
from figway.evidence.noise.marks import Mark
from figway.evidence.window import BuildEvidence


def _evidence(matches: int, failed: int = 0, distinct: int = 200) -> BuildEvidence:
    found = BuildEvidence("")
    found.seen_at(0, 60_000)
    if matches:
        found.count((), 0, matches)
    if failed:
        found.failed["new"] = {"503": failed}
    for number in range(distinct):
        found.request(f"{number:016x}", 0)
    return found


@pytest.mark.parametrize(("failed", "word"), [(20, "at least"), (800, "new is wrong")])
def test_failures_of_new_are_said_by_name(failed: int, word: str) -> None:
    """On 1 % and on 40 % of the requests, all others matching."""
    said = proof_of(judge(_evidence(2_000 - failed, failed), Now()))
    assert f"{2_000 - failed} of 2000 pairs match, new failed on {failed}, at " in said.text
    assert word in said.text
    assert said.standing != "proven"


def test_what_keeps_a_route_from_being_proven_is_said() -> None:
    """All match and the bound is reached, but by copies of one request."""
    said = proof_of(judge(_evidence(2_000, distinct=1), Now()))
    assert said.standing != "proven"
    assert said.text.endswith("; not proven: one request, compared 2000 times")


def test_of_a_proven_route_nothing_keeps() -> None:
    said = proof_of(judge(_evidence(2_000), Now()))
    assert said.standing == "proven"
    assert "failed" not in said.text
    assert "not proven" not in said.text


@pytest.mark.parametrize("side", ["legacy", "both"])
def test_pairs_that_are_not_rated_are_no_silence(side: str) -> None:
    """Nothing compared, and forty pairs that say nothing of agreement, are two things."""
    evidence = _evidence(0, distinct=0)
    assert proof_of(judge(evidence, Now())).text == "nothing was compared yet"
    evidence.failed[side] = {"503": 40}
    said = proof_of(judge(evidence, Now()))
    assert said.text.startswith("no pair is rated: 40 failed at ")
    assert said.standing == "not_enough_data"


def test_differences_without_a_second_look_are_told() -> None:
    evidence = _evidence(0)
    evidence.count((("$.state changed", Mark.NOT_LOOKED.value),), 0, 40)
    said = proof_of(judge(evidence, Now()))
    assert said.text == "no pair is rated: 40 differ and had no second look"
