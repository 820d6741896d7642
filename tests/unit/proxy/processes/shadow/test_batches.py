"""Batches keep number and content until they are taken; nothing grows without end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.control.client import ControlError
from proxy.processes.shadow.batches import MAX_BATCH, MAX_BATCHES, Batches


class Control:
    def __init__(self) -> None:
        self.status = 0
        self.taken: list[dict[str, Any]] = []

    async def comparisons(self, batch: dict[str, Any]) -> bool:
        self.taken.append(batch)
        if self.status:
            raise ControlError("no", self.status)
        return True


def make() -> tuple[Control, Batches]:
    control = Control()
    return control, Batches(control.comparisons, "i", "b")


def count(batches: Batches, number: int = 1, example: str = "") -> None:
    row = batches.open.row("r", "w", 1)
    row.captured += number
    row.verdicts["match"] = row.verdicts.get("match", 0) + number
    if example:
        row.examples.append({"body": example})


def test_a_batch_is_repeated_as_it_was() -> None:
    control, batches = make()
    count(batches)
    control.status = 503
    with pytest.raises(ControlError):
        asyncio.run(batches.send())
    count(batches, 2)
    control.status = 0
    asyncio.run(batches.send())
    first, again, second = control.taken
    assert (first["sequence"], first["routes"]) == (again["sequence"], again["routes"])
    assert first["routes"][0]["captured"] == 1
    assert (second["sequence"], second["routes"][0]["captured"]) == (2, 2)
    assert len(batches.outbox) == 0


def test_what_is_refused_for_its_content_is_not_repeated() -> None:
    control, batches = make()
    count(batches)
    control.status = 422
    with pytest.raises(ControlError):
        asyncio.run(batches.send())
    assert (batches.outbox.dropped, len(batches.outbox)) == (1, 0)


def test_a_long_outage_makes_time_coarse_and_keeps_the_counts() -> None:
    control, batches = make()
    control.status = 503
    for _ in range(MAX_BATCHES * 3):
        count(batches, 1, "x" * 100)
        with pytest.raises(ControlError):
            asyncio.run(batches.send())
    assert len(batches.outbox) == MAX_BATCHES
    assert batches.examples_lost > 0
    control.status = 0
    control.taken.clear()
    asyncio.run(batches.send())
    assert sum(item["routes"][0]["captured"] for item in control.taken) == MAX_BATCHES * 3
    assert [item["sequence"] for item in control.taken] == list(range(1, MAX_BATCHES + 1))


def test_a_batch_has_a_bound_in_bytes() -> None:
    control, batches = make()
    for _ in range(30):
        count(batches, 1, "x" * 300_000)
    asyncio.run(batches.send())
    (taken,) = control.taken
    assert taken["routes"][0]["captured"] == 30
    assert sum(len(item["body"]) for item in taken["routes"][0]["examples"]) <= MAX_BATCH
    assert batches.examples_lost == 30 - len(taken["routes"][0]["examples"])


def test_a_pause_and_its_end_are_told_without_pairs() -> None:
    control, batches = make()
    asyncio.run(batches.send())
    assert control.taken == []
    batches.worker = {"paused": [{"backend": "n"}], "queue": {}}
    asyncio.run(batches.send())
    batches.worker = {"paused": [], "queue": {}}
    asyncio.run(batches.send())
    asyncio.run(batches.send())
    assert [bool(item["worker"]["paused"]) for item in control.taken] == [True, False]
