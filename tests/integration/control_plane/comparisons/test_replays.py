"""Replays: ordered by people, fetched and answered by proxies, whoever of them dies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from control_plane.comparisons import replays
from tests.support.comparing import answer, example, request, route, send
from tests.support.control import Control, control_plane


async def _stored(control: Control, number: int = 4) -> list[dict[str, Any]]:
    await control.seed()
    pairs = [
        example({"a": 1}, {"a": 2}, request=request(f"/orders/{n}")) for n in range(number - 1)
    ]
    pairs.append(example({"a": 1}, {"a": 2}, request=request(method="POST")))
    await send(control, 1, route(0, number, examples=pairs))
    return pairs


async def _poll(control: Control, instance: str = "p1") -> list[dict[str, Any]]:
    found = await control.get("/comparisons/replays", instance=instance)
    jobs: list[dict[str, Any]] = found["jobs"]
    return jobs


async def _answer(control: Control, replay: str, *results: dict[str, Any]) -> int:
    sent = await control.post(
        f"/comparisons/replays/{replay}/results", {"instance": "p1", "results": list(results)}
    )
    assert sent.status_code == 200, sent.text
    accepted: int = sent.json()["accepted"]
    return accepted


async def test_a_replay_from_order_to_result(control: Control) -> None:
    pairs = await _stored(control)
    made = await control.post("/comparisons/replays", {"route": "orders", "reason": "fixed"})
    assert made.status_code == 201, made.text
    replay = made.json()
    # The POST may not be repeated: answered at once (trap 24).
    assert (replay["status"], replay["total"], replay["not_replayable"]) == ("waiting", 4, 1)
    [job] = await _poll(control)
    assert (job["id"], job["route"]) == (replay["id"], "orders")
    assert {e["id"] for e in job["examples"]} == {p["id"] for p in pairs[:3]}
    first = next(e for e in job["examples"] if e["id"] == pairs[0]["id"])
    assert first["request"]["target"] == "/orders/0"
    assert first["legacy"]["body"] == '{"a": 1}'
    assert await _poll(control, "p2") == []  # leased
    difference = pairs[1]["differences"]
    results = [
        {"example": pairs[0]["id"], "verdict": "match", "new": answer({"a": 1})},
        {"example": pairs[1]["id"], "verdict": "mismatch", "differences": difference},
    ]
    assert await _answer(control, job["id"], *results) == 2
    assert await _answer(control, job["id"], *results) == 0  # twice counts once
    now = await control.get(f"/comparisons/replays/{job['id']}")
    assert (now["status"], now["done"], now["gone"], now["still"]) == ("running", 3, 1, 1)
    last = {"example": pairs[2]["id"], "verdict": "not_replayable", "reason": "target_redacted"}
    await _answer(control, job["id"], last)
    now = await control.get(f"/comparisons/replays/{job['id']}")
    assert (now["status"], now["done"], now["not_replayable"]) == ("done", 4, 2)
    assert now["finished_ms"] is not None
    page = await control.get(f"/comparisons/replays/{job['id']}/results", limit=3)
    rest = await control.get(
        f"/comparisons/replays/{job['id']}/results", limit=3, cursor=page["next"]
    )
    found = {item["example"]: item for item in page["items"] + rest["items"]}
    assert found[pairs[3]["id"]]["reason"] == "unsafe_method"
    assert found[pairs[1]["id"]]["differences"][0]["path"] == "$.a"
    shown = await control.get(f"/comparisons/examples/{pairs[0]['id']}")
    assert [(r["was"], r["verdict"]) for r in shown["replays"]] == [("mismatch", "match")]
    history = await control.get("/comparisons/replays/history", route="orders")
    assert [entry["id"] for entry in history["items"]] == [job["id"]]
    audit = (await control.get("/audit", action="replay.create"))["items"]
    assert audit[0]["details"] == {"replay": job["id"], "examples": 4}


async def test_a_proxy_that_dies_loses_the_job(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = await _stored(control)
    await control.post("/comparisons/replays", {"route": "orders"})
    [job] = await _poll(control)
    await _answer(control, job["id"], {"example": pairs[0]["id"], "verdict": "match"})
    assert await _poll(control, "p2") == []
    monkeypatch.setattr(replays, "LEASE_MS", -120_000)
    await _answer(control, job["id"])  # the lease is over
    [again] = await _poll(control, "p2")
    assert {e["id"] for e in again["examples"]} == {pairs[1]["id"], pairs[2]["id"]}
    monkeypatch.setattr(replays, "EXPIRE_MS", -60_000)
    assert await _poll(control, "p3") == []
    now = await control.get(f"/comparisons/replays/{job['id']}")
    assert now["status"] == "expired"


async def test_a_large_job_is_handed_out_in_parts(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "_MOST_BYTES", 1)
    await _stored(control)
    await control.post("/comparisons/replays", {"route": "orders"})
    seen = set()
    for _ in range(3):
        [job] = await _poll(control)
        [only] = job["examples"]
        seen.add(only["id"])
        await _answer(control, job["id"], {"example": only["id"], "verdict": "match"})
    assert len(seen) == 3
    assert await _poll(control) == []
    assert (await control.get(f"/comparisons/replays/{job['id']}"))["status"] == "done"


async def test_an_example_that_is_gone_is_said_to_be(control: Control) -> None:
    from control_plane.comparisons import examples

    pairs = await _stored(control)
    made = await control.post(
        "/comparisons/replays", {"route": "orders", "examples": [pairs[0]["id"]]}
    )
    assert made.json()["total"] == 1
    async with control.services.database.write() as connection:
        await examples.keep_bytes(connection, 0)
    assert await _poll(control) == []
    now = await control.get(f"/comparisons/replays/{made.json()['id']}")
    assert (now["status"], now["not_replayable"]) == ("done", 1)


async def test_one_job_goes_to_one_proxy(database_url: str) -> None:
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):
        await _stored(one)
        await one.post("/comparisons/replays", {"route": "orders"})
        polled = await asyncio.gather(*(_poll([one, two][n % 2], f"p{n}") for n in range(10)))
        assert sum(map(len, polled)) == 1


async def test_refused_replays(control: Control) -> None:
    await control.seed()
    none = await control.post("/comparisons/replays", {"route": "orders"})
    assert none.status_code == 409
    assert none.json()["type"].endswith("no_examples")
    assert (await control.post("/comparisons/replays", {"route": "x"})).status_code == 404
    assert (await control.client.get("/comparisons/replays/x")).status_code == 404
    sent = await control.post("/comparisons/replays/x/results", {"results": []})
    assert sent.status_code == 404
    viewer = await control.client_of(Role.VIEWER)
    poll = await viewer.get("/comparisons/replays", params={"instance": "p"})
    assert poll.status_code == 403
    order = await viewer.post("/comparisons/replays", json={"route": "orders"})
    assert order.status_code == 403


async def test_a_replay_of_a_kind_that_no_pair_is_of_sends_nothing(control: Control) -> None:
    """Other pairs are stored; none of them is taken in its place."""
    await _stored(control)
    for preview in (True, False):
        body = {"route": "orders", "verdict": "stale", "preview": preview}
        none = await control.post("/comparisons/replays", body)
        assert none.status_code == 409, none.text
        assert none.json()["type"].endswith("no_examples")
    assert (await control.get("/comparisons/replays/history"))["items"] == []


async def test_a_replay_says_first_how_many_requests_it_sends_to_legacy(control: Control) -> None:
    """A preview counts, and orders nothing."""
    await control.seed()
    pairs = [example({"a": n}, {"a": 9}) for n in range(3)]
    pairs.append(example({"a": 5}, {"a": 9}, request=request(method="POST")))
    await send(control, 1, route(0, 4, examples=pairs))
    planned = await control.post("/comparisons/replays", {"route": "orders", "preview": True})
    assert planned.status_code == 201, planned.text
    found = planned.json()
    assert (found["id"], found["total"], found["legacy_requests"]) == ("", 4, 6)
    assert (await control.get("/comparisons/replays/history"))["items"] == []


async def test_given_headers_reach_the_proxy_and_are_never_written(control: Control) -> None:
    """`replay --cookie`: in memory until the job is done; the database and the audit hold none."""
    await control.seed()
    pair = example({"a": 1}, {"a": 9})
    await send(control, 1, route(0, 1, examples=[pair]))
    order = {"route": "orders", "headers": [["Cookie", "sid=s3cr3t-value"]]}
    made = (await control.post("/comparisons/replays", order)).json()
    assert made["status"] == "waiting"
    jobs = (await control.get("/comparisons/replays", instance="p1"))["jobs"]
    assert [job["headers"] for job in jobs] == [[["Cookie", "sid=s3cr3t-value"]]]
    async with control.services.database.read() as connection:
        for table in ("replays", "replay_items", "audit"):
            rows = (await connection.execute(text(f"SELECT * FROM {table}"))).all()
            assert "s3cr3t" not in repr(rows)
    result = {"example": pair["id"], "verdict": "match"}
    sent = await control.post(f"/comparisons/replays/{made['id']}/results", {"results": [result]})
    assert sent.status_code == 200, sent.text
    assert (await control.get(f"/comparisons/replays/{made['id']}"))["status"] == "done"
    assert control.services.comparisons.replays._given == {}


SEARCHED = {
    "method": "POST",
    "body": "q=lamp",
    "body_kind": "text",
    "headers": [["Content-Type", "application/x-www-form-urlencoded"], ["Content-Length", "6"]],
}


async def test_a_declared_read_is_replayed_with_its_body(control: Control) -> None:
    """The POST of a route that lists it in `reads` is handed out like a GET."""
    await control.seed()
    changed = await control.client.patch(
        "/routes/orders", json={"reads": ["POST"]}, headers={"if-match": "*"}
    )
    assert changed.status_code == 200, changed.text
    pair = example({"a": 1}, {"a": 2}, request={**request(), **SEARCHED})
    write = example({"a": 1}, {"a": 2}, request=request(method="PUT"))
    await send(control, 1, route(0, 2, examples=[pair, write]))
    made = await control.post("/comparisons/replays", {"route": "orders", "reason": "fixed"})
    assert made.json()["not_replayable"] == 1
    [job] = await _poll(control)
    assert [found["request"]["body"] for found in job["examples"]] == ["q=lamp"]


async def test_traffic_that_contradicts_a_declared_read_is_told(control: Control) -> None:
    await control.seed()
    await control.client.patch(
        "/routes/orders", json={"reads": ["POST"]}, headers={"if-match": "*"}
    )
    created = answer({"id": 1}, status=201, headers=[["Set-Cookie", "cart=1"]])
    pair = example(created, answer({"id": 1}), request={**request(), **SEARCHED})
    await send(control, 1, route(0, 1, examples=[pair]))
    found = (await control.get("/comparisons/routes/orders"))["warnings"]
    assert {entry["code"] for entry in found} == {"reads_answers_201", "reads_sets_cookie"}
