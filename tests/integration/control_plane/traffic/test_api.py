"""Reports are counted once, and read back by route and side."""

from __future__ import annotations

import asyncio
from typing import Any

from control_plane.auth.keys import generate
from control_plane.clock import now_ms
from figway.evidence.histogram import bucket_of
from tests.support.control import Control, control_plane


def _report(sequence: int, *series: dict[str, Any], **more: Any) -> dict[str, Any]:
    now = now_ms()
    return {
        "instance": "p1", "boot": "b1", "sequence": sequence, "from_ms": now - 2_000, "to_ms": now,
        "series": list(series), **more,
    }  # fmt: skip


def _series(side: str, requests: int, us: int, **more: Any) -> dict[str, Any]:
    return {
        "route": "orders", "side": side, "backend": "fn" if side == "new" else "legacy",
        "requests": requests, "statuses": {"2xx": requests}, "latency": {bucket_of(us): requests},
        **more,
    }  # fmt: skip


async def test_a_report_counts_once(control: Control) -> None:
    report = _report(1, _series("new", 10, 5_000))
    answers = [(await control.post("/reports", report)).json() for _ in range(3)]
    assert [answer["accepted"] for answer in answers] == [True, False, False]
    total = (await control.get("/traffic", route="orders"))["total"]
    assert total["new"]["requests"] == 10
    assert total["legacy"] is None


async def test_both_sides_over_time(control: Control) -> None:
    slow = _series(
        "new", 10, 800_000, statuses={"2xx": 8, "5xx": 2}, failures={"timeout": 2},
        fallbacks={"timeout": 1}, no_fallbacks={"unsafe_method": 1}, problems={"deadline": 1},
        client_gone=1, request_bytes=100, response_bytes=200,
    )  # fmt: skip
    await control.post("/reports", _report(1, _series("legacy", 30, 20_000), slow))
    await control.post("/reports", _report(2, _series("new", 90, 5_000)))
    for query in ({}, {"step": 10}, {"route": "*"}):
        found = await control.get("/traffic", **{"route": "orders", **query})
        new = found["total"]["new"]
        assert new["requests"] == 100
        assert (new["errors"], new["error_rate"]) == (2, 0.02)
        assert new["statuses"] == {"2xx": 98, "5xx": 2}
        assert new["failures"] == {"timeout": 2}
        assert new["no_fallbacks"] == {"unsafe_method": 1}
        assert abs(new["p50_ms"] - 5) < 0.5
        assert abs(new["p99_ms"] - 800) < 80
        assert abs(found["total"]["legacy"]["p95_ms"] - 20) < 2
        assert sum(point["new"]["requests"] for point in found["points"] if point["new"]) == 100


async def test_summary_for_lists(control: Control) -> None:
    series = [_series("new", 5, 1_000) | {"route": f"r{n:03}"} for n in range(500)]
    assert (await control.post("/reports", _report(1, *series))).json()["accepted"]
    first = await control.get("/traffic/summary", limit=300)
    rest = await control.get("/traffic/summary", limit=300, cursor=first["next"])
    assert len(first["items"] + rest["items"]) == 501  # and everything together
    whole = first["items"][0]
    assert (whole["route"], whole["new"]["requests"]) == ("*", 2_500)
    assert rest["next"] is None


async def test_events(control: Control) -> None:
    event = {"at_ms": now_ms(), "kind": "breaker", "route": "orders", "backend": "fn",
             "worker": 1, "from": "closed", "to": "open"}  # fmt: skip
    url = f"http://{'b' * 1_900}:1"  # as long as the fleet takes
    member = {"at_ms": now_ms(), "kind": "member", "backend": "fn", "member": url,
              "worker": 0, "from": "in", "to": "ejected"}  # fmt: skip
    await control.post("/reports", _report(1, events=[event, {**event, "route": "x"}, member]))
    found = (await control.get("/events", route="orders"))["items"]
    assert [(e["was"], e["becomes"], e["instance"]) for e in found] == [
        ("closed", "open", "p1")
    ]  # fmt: skip
    newest = (await control.get("/events"))["items"][0]
    assert {key: newest[key] for key in ("kind", "backend", "member", "was", "becomes")} == {
        "kind": "member", "backend": "fn", "member": url, "was": "in",
        "becomes": "ejected",
    }  # fmt: skip


async def test_reports_at_two_control_planes_add_up(database_url: str) -> None:
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):
        await asyncio.gather(
            *(
                [one, two][n % 2].post("/reports", _report(n, _series("new", 1, 1_000)))
                for n in range(20)
            )
        )
        total = (await one.get("/traffic", route="orders"))["total"]
        assert total["new"]["requests"] == 20


async def test_wrong_reports_and_questions(control: Control) -> None:
    bad = _report(1, _series("new", -1, 1))
    assert (await control.post("/reports", bad)).status_code == 422
    for query in ({"step": 15}, {"step": 90}, {"from": 5, "to": 5}, {"from": 0, "step": 60}):
        answer = await control.client.get("/traffic", params=query)
        assert answer.status_code == 422, query
