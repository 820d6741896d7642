"""Batches of comparisons as a shadow worker sends them: made by really comparing pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from control_plane.clock import now_ms
from figway.compare.answer import Answer, Context
from figway.compare.rules import RuleSet
from figway.compare.verdict import compare
from figway.evidence.histogram import bucket_of
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import place_of_field
from figway.evidence.window import BuildEvidence
from tests.support.control import Control

JSON_TYPE = [["Content-Type", "application/json"]]
WINDOW = "w1"


def answer(body: Any, *, status: int = 200, headers: Any = None, ms: float = 5.0) -> dict[str, Any]:
    """A stored answer."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "status": status, "headers": headers or JSON_TYPE, "body": text, "body_kind": "text",
        "elapsed_ms": ms, "failure": None,
    }  # fmt: skip


def request(target: str = "/orders/7", method: str = "GET", **more: Any) -> dict[str, Any]:
    """A stored request."""
    headers = [["Host", "shop.example"], ["Accept", "application/json"]]
    return {"method": method, "target": target, "headers": headers, "body": None,
            "body_kind": "none", **more}  # fmt: skip


def example(legacy: Any, new: Any, **more: Any) -> dict[str, Any]:
    """A stored pair, judged by the comparer."""
    sides = [side if isinstance(side, dict) and "elapsed_ms" in side else answer(side)
             for side in (legacy, new)]  # fmt: skip
    asked = more.pop("request", None) or request()
    noise = frozenset(more.pop("noise", ()))
    left, right = (
        Answer(s["status"], tuple(map(tuple, s["headers"])), (s["body"] or "").encode())
        for s in sides
    )
    found = compare(
        left,
        right,
        RuleSet(more.pop("rules", ())),
        Context(method=asked["method"], noise=noise),
    )
    return {
        "id": uuid4().hex, "at_ms": now_ms(), "verdict": found.verdict,
        "signature": found.signature, "served": "legacy", "revision": 3, "request": asked,
        "legacy": sides[0], "new": sides[1],
        "differences": [d.to_dict() for d in found.differences], **more,
    }  # fmt: skip


def route(matches: int = 0, mismatches: int = 0, **more: Any) -> dict[str, Any]:
    """What was compared of one route."""
    verdicts = {"match": matches, "mismatch": mismatches, **more.pop("verdicts", {})}
    count = matches + mismatches
    return {
        "route": "orders", "window": WINDOW, "revision": 3,
        "captured": sum(verdicts.values()), "verdicts": verdicts,
        "latency": {"legacy": {bucket_of(20_000): count}, "new": {bucket_of(5_000): count}},
        **more,
    }  # fmt: skip


def evidence(
    matches: int = 0,
    differing: Mapping[str, int] | None = None,
    *,
    mark: str = "r",
    distinct: int = 200,
    **more: Any,
) -> dict[str, Any]:
    """Counts by what differed: so many pairs without a difference, and by field so many that
    differ there alone. The places of these fields were settled in 20 looks, unless `looks` says
    otherwise."""
    now = now_ms()
    found = BuildEvidence(str(more.pop("build", "")))
    found.seen_at(more.pop("first_ms", now - 60_000), more.pop("last_ms", now))
    if matches:
        found.count((), now, matches)
    for name, count in (differing or {}).items():
        found.count(((name, mark),), now, count)
        found.looks[place_of_field(name)] = PlaceLooks(settled=20)
    for number in range(min(distinct, matches + sum((differing or {}).values()))):
        found.request(f"{number:016x}", now)
    return {**found.to_data(), **more}


def evidenced(
    matches: int = 0, differing: Mapping[str, int] | None = None, **more: Any
) -> dict[str, Any]:
    """What was compared of one route, with its counts by what differed."""
    names = ("route", "window", "revision", "examples", "fields", "captured", "dropped")
    outer = {name: more.pop(name) for name in names if name in more}
    mismatches = sum((differing or {}).values())
    failed = more.get("failed", {})
    verdicts = {f"{side}_failed": sum(by.values()) for side, by in failed.items()}
    counts = evidence(matches, differing, **more)
    return route(matches, mismatches, verdicts=verdicts, evidence=[counts], **outer)


def field(path: str, count: int, kind: str = "changed", **more: Any) -> dict[str, Any]:
    """A field that differed."""
    now = now_ms()
    return {"path": path, "kind": kind, "count": count, "first_ms": now - 1_000, "last_ms": now,
            **more}  # fmt: skip


def batch(sequence: int, *routes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A batch."""
    now = now_ms()
    return {
        "instance": "p1", "boot": "b1", "sequence": sequence, "from_ms": now - 2_000, "to_ms": now,
        "routes": list(routes), **more,
    }  # fmt: skip


async def send(control: Control, sequence: int, *routes: dict[str, Any], **more: Any) -> bool:
    """Send a batch; whether it was accepted."""
    sent = await control.post("/comparisons/batches", batch(sequence, *routes, **more))
    assert sent.status_code == 200, sent.text
    accepted: bool = sent.json()["accepted"]
    return accepted
