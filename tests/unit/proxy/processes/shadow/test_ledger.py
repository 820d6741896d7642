"""The books: captured = compared + skipped + dropped, whoever dies and whoever tells first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from figway.evidence.noise.seen import BEYOND
from proxy.processes.shadow.ledger import LOST, Ledger
from proxy.shadow.rows import MAX_EXAMPLES, MAX_FIELDS, RouteRow, RowSet


def sent(number: int, generation: int = 1, **more: dict[str, int]) -> list[dict[str, Any]]:
    row = {"route": "r", "window": "w", "revision": 3, "sent": {str(generation): number}}
    return [{"skipped": {}, "dropped": {}, **row, **more}]


def settled(matches: int) -> list[dict[str, Any]]:
    row = RouteRow("r", "w", 3)
    if matches:
        row.verdicts["match"] = matches
    return [row.to_data()]


def received(number: int, worker: str = "0:1") -> list[list[Any]]:
    return [[worker, "r", "w", 3, number]]


def row_of(ledger: Ledger) -> RouteRow:
    return ledger.rows.row("r", "w", 3)


def test_either_may_tell_first() -> None:
    for order in ("sent", "received"):
        ledger = Ledger(RowSet())
        if order == "sent":
            ledger.served("0:1", sent(5))
            ledger.shadowed(1, settled(5), received(5))
        else:
            ledger.shadowed(1, settled(5), received(5))
            ledger.served("0:1", sent(5))
        assert (row_of(ledger).captured, row_of(ledger).settled, ledger.open) == (5, 5, 0)


def test_skips_and_drops_of_the_serving_worker_are_captured_too() -> None:
    ledger = Ledger(RowSet())
    ledger.served("0:1", sent(0, skipped={"upgrade": 2}, dropped={"queue_full": 3}))
    row = row_of(ledger)
    assert (row.captured, row.settled) == (5, 5)
    assert row.verdicts == {"skipped": 2}
    assert row.skipped == {"upgrade": 2}
    assert row.dropped == {"queue_full": 3}


def test_what_a_dead_shadow_worker_had_in_hand_is_lost_and_counted() -> None:
    ledger = Ledger(RowSet())
    ledger.served("0:1", sent(10))
    ledger.shadowed(1, settled(4), received(7))
    ledger.ended(1)
    row = row_of(ledger)
    assert (row.captured, row.verdicts, row.dropped) == (10, {"match": 4}, {LOST: 6})
    ledger.served("0:1", sent(2))  # told late, of before the death
    assert (row.captured, row.settled, row.dropped) == (12, 12, {LOST: 8})


def test_what_a_dead_serving_worker_did_not_tell_is_known_from_the_other_end() -> None:
    ledger = Ledger(RowSet())
    ledger.served("0:1", sent(3))
    ledger.gone("0:1")
    ledger.shadowed(1, settled(8), received(8))
    row = row_of(ledger)
    assert (row.captured, row.settled) == (8, 8)


@pytest.mark.parametrize("seed", range(30))
def test_any_order_of_news_balances_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger(RowSet())
    truth = 0
    for generation in (1, 2, 3):
        news: list[tuple[str, int]] = []
        for worker in ("0:1", "1:2"):
            handed = chance.randrange(40)
            truth += handed
            got = handed if chance.random() < 0.5 else chance.randrange(handed + 1)
            late = chance.randrange(handed + 1)
            news += [(f"sent {worker}", late), (f"sent {worker}", handed - late)]
            news += [(f"received {worker}", got)]
        chance.shuffle(news)
        died_at = chance.randrange(len(news) + 1)
        open_now = 0
        for index, (what, number) in enumerate(news):
            kind, worker = what.split()
            if kind == "sent":
                ledger.served(worker, sent(number, generation))
            elif index < died_at:
                ended = chance.randrange(number + 1)
                open_now += number - ended
                ledger.shadowed(generation, settled(ended), received(number, worker))
        ledger.ended(generation)
    row = row_of(ledger)
    assert row.captured == truth
    assert row.settled == truth
    assert ledger.open == 0


def field(path: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "kind": "changed",
        "field": f"{path}|changed",
        "count": 1,
        "ignored": 0,
        "noise": 0,
        "rule": "",
        "detector": "",
        "proposed": {"id": "x"},
        "first_ms": 5,
        "last_ms": 5,
        **more,
    }


def test_rows_add_up_and_are_bounded() -> None:
    """trap 34: ids in paths do not explode the fields"""
    one, other = RouteRow("r", "w", 1), RouteRow("r", "w", 2)
    for number in range(MAX_FIELDS + 20):
        one.add_field(field(f"$.{number}"))
    other.add_field(field("$.0", first_ms=2, last_ms=9, ignored=1))
    one.latency["new"][3] = 4
    other.latency["new"][3] = 5
    other.errors["legacy"]["5xx"] = 2
    other.examples = [{}] * (MAX_EXAMPLES + 5)
    assert one.merge(other.to_data()) == 5
    assert len(one.fields) == MAX_FIELDS + 1
    assert one.fields[f"{BEYOND}|changed", ""]["count"] == 20
    first = one.fields["$.0|changed", ""]
    assert (first["count"], first["ignored"], first["first_ms"], first["last_ms"]) == (2, 1, 2, 9)
    assert (one.revision, one.latency["new"], one.errors["legacy"]) == (2, {3: 9}, {"5xx": 2})
    assert sum(item["count"] for item in one.fields.values()) == MAX_FIELDS + 21
