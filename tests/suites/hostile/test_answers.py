"""Hostile answers through both doors (trap 17)."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tests.suites.hostile import mutate
from tests.suites.hostile.answers import Answers
from tests.suites.hostile.corpus import ANSWERS
from tests.suites.hostile.ring import Findings

MUTATIONS = {"native": 1_500, "asgi": 400}


@pytest.mark.parametrize("door", MUTATIONS)
def test_no_answer_of_the_corpus_reaches_the_next_client(door: str) -> None:
    """trap 17: the hostile answer ends with its own connection."""
    found = asyncio.run(Answers(door, 1).fight(iter(ANSWERS.items())))
    assert not found.wrong, "\n".join(found.wrong[:5])
    assert found.cases == len(ANSWERS)


@pytest.mark.parametrize("door", MUTATIONS)
def test_no_mutated_answer_reaches_the_next_client(door: str) -> None:
    """trap 17: a slice of what `make fuzz` runs."""
    found = fight(door, MUTATIONS[door], seed=1)
    assert not found.wrong, "\n".join(found.wrong[:5])
    assert found.cases == MUTATIONS[door]
    assert found.refused > found.cases / 4


def fight(door: str, count: int, seed: int) -> Findings:
    """That many mutated answers through one door."""
    bent = itertools.islice(mutate.answers(seed), count)
    return asyncio.run(Answers(door, seed).fight((f"seed {seed}", data) for data in bent))
