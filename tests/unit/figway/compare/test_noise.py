"""Learned noise: the formula at its thresholds, and a whole run with seeded differences."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from typing import Any

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.noise import FieldCounts, judge, noise_fields
from figway.compare.verdict import compare
from tests.support.answers import json_answer


@pytest.mark.parametrize(
    ("counts", "noise", "because"),
    [
        (FieldCounts(1000, 1000, 20, 0), False, "legacy_agrees_with_itself"),
        (FieldCounts(1000, 0, 20, 1), True, "no_more_than_noise"),
        (FieldCounts(1000, 1000, 20, 20), True, "no_more_than_noise"),
        (FieldCounts(1000, 1000, 4, 4), False, "too_few_self_pairs"),
        # relative = (raw - own) / (raw + own): 20 % is where own is two thirds of raw.
        (FieldCounts(1000, 300, 1000, 200), True, "no_more_than_noise"),
        (FieldCounts(1000, 301, 1000, 200), False, "more_than_noise"),
        # absolute = raw - own: 0.03 %.
        (FieldCounts(10_000, 3, 10_000, 1), True, "no_more_than_noise"),
        (FieldCounts(10_000, 5, 10_000, 1), False, "more_than_noise"),
        (FieldCounts(1000, 100, 1000, 400), True, "no_more_than_noise"),
    ],
)
def test_the_formula_at_its_thresholds(counts: FieldCounts, noise: bool, because: str) -> None:
    finding = judge("$.a|changed", counts)
    assert (finding.noise, finding.because) == (noise, because)


def test_a_shape_that_chance_does_not_produce_is_soon_known() -> None:
    """A clock shows the same second when asked twice at once, and another one to new."""
    counts = FieldCounts(1000, 950, 40, 2)
    assert not judge("$.at|changed", counts).noise
    finding = judge("$.at|changed~iso_timestamp", counts)
    assert (finding.noise, finding.because) == (True, "volatile_shape")
    assert not judge("$.at|changed~iso_timestamp", FieldCounts(1000, 950, 40, 1)).noise


def test_a_person_overrules_either_way() -> None:
    noisy, real = FieldCounts(100, 100, 50, 50), FieldCounts(100, 100, 50, 0)
    fields = {"$.a|changed": noisy, "$.b|changed": real}
    assert noise_fields(fields) == {"$.a|changed"}
    words = {"$.a|changed": False, "$.b|changed": True, "$.c|added": True}
    assert noise_fields(fields, words) == {"$.b|changed", "$.c|added"}


def test_counts_of_two_workers_add_up() -> None:
    assert FieldCounts(1, 2, 3, 4) + FieldCounts(10, 20, 30, 40) == FieldCounts(11, 22, 33, 44)


class Side:
    """A side with volatile values, and on new a fault in some answers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def answer(self, key: int, now: float, faults: frozenset[str] = frozenset()) -> Answer:
        rng = self.rng
        body: dict[str, Any] = {
            "request": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "made": int(now),
            "csrf": f"{rng.getrandbits(96):024x}",
            "server": rng.choice("abc"),
            "total": key * 1.25,
            "name": f"n{key}",
            "tags": ["x", "y", "z"],
        }
        if "number" in faults:
            body["total"] += 1
        if "missing" in faults:
            del body["name"]
        if "order" in faults:
            body["tags"].reverse()
        if "no_uuid" in faults:
            body["request"] = None
        status = 404 if "status" in faults else 200
        return json_answer(body, status=status)


def test_seeded_differences_are_found_and_noise_is_not() -> None:
    """Trap 29: no rule is written; noise is learned from legacy's own disagreement."""
    legacy, new, rng = Side(1), Side(2), random.Random(3)
    self_counts: Counter[str] = Counter()
    self_pairs = 60
    for n in range(self_pairs):
        now = 1_767_225_600 + n * 0.9
        twice = compare(legacy.answer(n, now), legacy.answer(n, now + 0.2))
        self_counts.update(d.field for d in twice.differences)
    learning: Counter[str] = Counter()
    pairs = 400
    for n in range(pairs):
        now = 1_767_225_600 + n * 0.9
        pair = compare(legacy.answer(n, now), new.answer(n, now + 3))
        learning.update(d.field for d in pair.differences)
    fields = {
        field: FieldCounts(pairs, learning[field], self_pairs, self_counts[field])
        for field in learning | self_counts
    }
    context = Context(noise=noise_fields(fields))

    faults = ("number", "missing", "order", "no_uuid", "status")
    paths = {"number": "$.total", "missing": "$.name", "order": "$.tags", "no_uuid": "$.request"}
    false = 0
    for n in range(2000):
        fault = rng.choice(faults) if n % 10 == 0 else ""
        now = 1_767_300_000 + n * 0.9
        seeded = frozenset({fault} if fault else ())
        result = compare(legacy.answer(n, now), new.answer(n, now + 3, seeded), (), context)
        if fault:
            assert result.verdict == "mismatch", fault
            assert {d.path for d in result.differences if d.counts} >= {paths.get(fault, "status")}
        else:
            false += result.verdict == "mismatch"
    assert false < 18  # under 1 % of the 1 800 pairs without a fault
