"""Seeded simulations: what is proven, and what is called real, however often somebody looks."""

from __future__ import annotations

import hashlib
import random

import pytest

from figway.evidence.judgement import Now, judge
from figway.evidence.noise.decide import Knowledge, Look
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import DEEP
from figway.evidence.noise.seen import Changes, Seen
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.sequential import at_most, gate_prior
from figway.evidence.window import BuildEvidence, entries_of

FIELD = "$.variant|changed"
WINDOWS = 200
PAIRS = 400


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@pytest.mark.parametrize("goal", [0.99, 0.995])
def test_a_rate_just_below_the_goal_is_seldom_proven(goal: float) -> None:
    """2 000 streams, each watched at every pair."""
    chance = random.Random(5)
    most = 1 - goal
    prior = gate_prior(most)
    proven = 0
    for _ in range(2_000):
        bad = 0
        for pairs in range(1, 1_501):
            bad += chance.random() < most * 1.0001
            # The bound can be reached only where few are bad: that spares most of the work.
            if (
                pairs >= 100
                and bad < 0.6 * most * pairs
                and at_most(bad, pairs, most, 0.05, *prior)
            ):
                proven += 1
                break
    assert proven <= 0.025 * 2_000


def difference(one: str, other: str) -> Changes:
    if one == other:
        return Changes(())
    return Changes([Seen("$.variant", "$.variant", "changed", FIELD, one, other)])


def window(chance: random.Random, legacy: float, new: float, pairs: int) -> str:
    """How a field stands after a window in which each side gives `B` with its own probability.

    Looks as the shadow worker does: again until a settled place is settled deeply.
    """
    knowledge, evidence = Knowledge(digest), BuildEvidence()

    def draw(share: float) -> str:
        return "B" if chance.random() < share else "A"

    for at in range(pairs):
        one, other = draw(legacy), draw(new)
        if one == other:
            evidence.count((), at)
            continue
        seen = Seen("$.variant", "$.variant", "changed", FIELD, one, other)
        mark = knowledge.first(seen, 20.0)
        for _ in range(DEEP):
            if mark is not None and (mark is not Mark.SETTLED or knowledge.deep(seen.place)):
                break
            changes = difference(one, draw(legacy))
            knowledge.learn(changes, 20.0)
            look = Look(changes, difference(other, draw(new)))
            mark = knowledge.second(seen, look, 20.0, 0.0)
        assert mark is not None
        sketch = evidence.sketches.setdefault(seen.place, PlaceSketch())
        sketch.count(*seen.readings, 20.0, digest)
        evidence.count(entries_of({FIELD: [mark]}), at)
    evidence.learned(knowledge.take())
    judged = judge(evidence, Now(goals=()))
    return judged.fields[0].standing if judged.fields else "none"


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_noise_of_both_sides_is_seldom_called_real(share: float) -> None:
    chance = random.Random(11)
    found = [window(chance, share, share, PAIRS) for _ in range(WINDOWS)]
    real = sum(item in ("real", "varies_differently", "likely_real") for item in found)
    assert real <= 0.025 * WINDOWS, found


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_noise_that_differs_ten_points_more_is_found(share: float) -> None:
    chance = random.Random(13)
    found = [window(chance, share, share + 0.1, 1_500) for _ in range(40)]
    assert sum(item in ("real", "unsteady", "varies_differently") for item in found) >= 39, found


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_data_that_moves_on_is_not_called_odd(steps: int) -> None:
    """New is asked a little later than legacy, so each value is legacy's alone for a while, and the
    first one for ever. Bursts of requests at one such moment tell nothing more."""
    knowledge, evidence = Knowledge(digest), BuildEvidence()
    sketch = evidence.sketches.setdefault("$.variant|value", PlaceSketch())
    for step in range(steps):
        for at in range(30):
            moved = difference(f"state {step}", f"state {step + 1}")
            knowledge.learn(moved, 20.0)
            seen = moved.by_exact["$.variant"]
            sketch.count(*seen.readings, 20.0, digest)
            evidence.count(entries_of({FIELD: [Mark.FORM]}), at)
    evidence.learned(knowledge.take())
    judged = judge(evidence, Now(goals=()))
    assert [item.standing for item in judged.fields] == ["noise"]


def test_a_sketch_survives_json_with_its_ways() -> None:
    """Parts of a window are told apart and added up: that both draw from the same values is known
    when one part went there and another back."""
    there, back = PlaceSketch(), PlaceSketch()
    one, other = difference("A", "B").by_exact["$.variant"].readings
    there.count(one, other, 1.0, digest)
    back.count(other, one, 1.0, digest)
    assert not there.turned
    both = PlaceSketch.from_data(there.to_data())
    both.add(PlaceSketch.from_data(back.to_data()))
    assert both.turned
    assert PlaceSketch.from_data(both.to_data()).turned
