"""What a comparison costs: pairs a second on one core, and how the cost grows with the body.

    python bench/compare.py [--seconds 1.0]

Prints one JSON object. `pairs_per_second` is for JSON bodies of about 1 KB: equal bytes, equal
values in other bytes (another member order and spacing), and one real difference. `growth` is the
cost of one comparison by size, in microseconds and in nanoseconds a byte: linear growth keeps the
latter flat.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from figway.compare.answer import Answer, Context
from figway.compare.rules import ComparisonRule, RuleKind, RuleSet
from figway.compare.verdict import compare
from figway.redact.redactor import Redactor

HEADERS = (
    (b"Content-Type", b"application/json"),
    (b"Server", b"bench"),
    (b"Cache-Control", b"no-store"),
    (b"Date", b"Thu, 01 Jan 2026 00:00:00 GMT"),
)
RULES = RuleSet([ComparisonRule("r", RuleKind.IGNORE, "$..updated_at")])
FLOOR = 2000


def body(size: int) -> dict[str, Any]:
    """A list of bookings whose JSON has about `size` bytes."""
    row = {"id": 1, "city": "Rome", "price": 129.5, "paid": True, "tags": ["a", "b"], "note": None}
    count = max(1, size // (len(json.dumps(row)) + 6))
    return {"items": [{**row, "id": n, "city": f"City {n}"} for n in range(count)], "total": count}


def answer(value: object, *, respell: bool = False) -> Answer:
    """An answer with `value` as JSON; respelt, it has other bytes and the same meaning."""
    text = (
        json.dumps(value, sort_keys=True, separators=(",", ":")) if respell else json.dumps(value)
    )
    return Answer(200, HEADERS, text.encode())


def changed(value: dict[str, Any]) -> dict[str, Any]:
    """The same with one price changed, in the middle."""
    items = [dict(row) for row in value["items"]]
    items[len(items) // 2]["price"] += 1
    return {**value, "items": items}


def seconds_each(work: Callable[[], object], least: float) -> float:
    """The best mean of five rounds, so that a neighbour on the machine does not count."""
    number = 1
    while True:
        started = time.perf_counter()
        for _ in range(number):
            work()
        spent = time.perf_counter() - started
        if spent > least / 5:
            break
        number = max(number + 1, min(number * 10, int(number * least / 5 / max(spent, 1e-9)) + 1))
    best = spent / number
    for _ in range(4):
        started = time.perf_counter()
        for _ in range(number):
            work()
        best = min(best, (time.perf_counter() - started) / number)
    return best


def pairs(value: dict[str, Any]) -> dict[str, tuple[Answer, Answer]]:
    """The pairs that are timed, by what they show."""
    legacy = answer(value)
    return {
        "equal_bytes": (legacy, answer(value)),
        "equal_values": (legacy, answer(value, respell=True)),
        "one_difference": (legacy, answer(changed(value))),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure")
    least = parser.parse_args().seconds
    plain = Context()
    redacting = Context(redact=Redactor(b"a key of 16 byte").value)
    rates: dict[str, int] = {}
    small = pairs(body(1024))
    for name, (legacy, new) in small.items():
        each = seconds_each(partial(compare, legacy, new, RULES, plain), least)
        rates[name] = round(1 / each)
    legacy, new = small["one_difference"]
    each = seconds_each(partial(compare, legacy, new, RULES, redacting), least)
    rates["one_difference_redacted"] = round(1 / each)
    growth = []
    for size in (1 << 10, 1 << 13, 1 << 16, 1 << 18, 1 << 20):
        row: dict[str, float] = {}
        for name, (one, other) in pairs(body(size)).items():
            each = seconds_each(partial(compare, one, other, RULES, plain), least)
            row["bytes"] = len(one.body)
            row[f"{name}_us"] = round(each * 1e6, 1)
            row[f"{name}_ns_per_byte"] = round(each * 1e9 / len(one.body), 1)
        growth.append(row)
    slowest = min(rates.values())
    result = {
        "bench": "compare",
        "python": platform.python_version(),
        "body_bytes": len(legacy.body),
        "pairs_per_second": rates,
        "floor": FLOOR,
        "ok": slowest >= FLOOR,
        "growth": growth,
        "growth_1kb_to_1mb": {
            name: round(growth[-1][f"{name}_ns_per_byte"] / growth[0][f"{name}_ns_per_byte"], 2)
            for name in ("equal_values", "one_difference")
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
