"""What shadowing has shown: counted once, judged, and read back by route, field and example."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from control_plane.clock import now_ms
from control_plane.comparisons.api import _of_route
from tests.support.comparing import (
    answer,
    batch,
    evidenced,
    example,
    field,
    request,
    route,
    send,
)
from tests.support.control import Control, control_plane
from tests.support.databases import OpenControl


async def test_a_batch_counts_once_and_whole(control: Control) -> None:
    await control.seed()
    pair = example({"price": 10}, {"price": 11})
    sent = batch(1, route(90, 10, examples=[pair], fields=[field("$.price", 10)]))
    answers = [await control.post("/comparisons/batches", sent) for _ in range(3)]
    assert [a.json() for a in answers] == [
        {"accepted": True}, {"accepted": False}, {"accepted": False}
    ]  # fmt: skip
    [found] = (await control.get("/comparisons/routes"))["items"]
    assert found["evidence"]["verdicts"] == {"match": 90, "mismatch": 10}
    assert found["evidence"]["captured"] == 100
    [path] = (await control.get("/comparisons/routes/orders/fields"))["items"]
    assert path["pairs"] == 10
    assert len((await control.get("/comparisons/examples"))["items"]) == 1
    # The same pair in another batch: the verdicts count, the example is there already.
    await send(control, 2, route(0, 1, examples=[pair]))
    assert len((await control.get("/comparisons/examples"))["items"]) == 1


async def test_batches_at_two_control_planes_add_up(database_url: str) -> None:
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):
        await one.seed()
        await asyncio.gather(
            *(
                send(
                    [one, two][n % 2], n,
                    route(9, 1, fields=[field("$.a", 1)], examples=[example({"a": n}, {})]),
                )
                for n in range(20)
            )
        )  # fmt: skip
        detail = await one.get("/comparisons/routes/orders")
        assert detail["evidence"]["verdicts"] == {"match": 180, "mismatch": 20}
        assert sum(p["pairs"]["match"] for p in detail["points"]) == 180
        assert detail["examples"] == 20
        [path] = (await one.get("/comparisons/routes/orders/fields"))["items"]
        assert path["pairs"] == 20


async def test_evidence_says_when_it_is_not_enough(control: Control) -> None:
    """trap 37: the lower bound and what is missing, not "100 % match" on three samples."""
    await control.seed()
    await send(control, 1, evidenced(3))
    found = (await control.get("/comparisons/routes/orders"))["evidence"]["agreement"]
    assert found["rate"] == 1.0
    assert found["low"] < 0.5
    assert {goal["standing"] for goal in found["goals"]} == {"not_enough_data"}
    assert [goal["rate"] for goal in found["goals"]] == [0.99, 0.995, 0.999]
    needs = found["goals"][0]["needs"]
    await send(control, 2, evidenced(needs))
    found = (await control.get("/comparisons/routes/orders"))["evidence"]["agreement"]
    goal = found["goals"][0]
    assert (goal["standing"], goal["needs"]) == ("proven", 0), found["reasons"]


async def test_failures_of_new_are_rated_and_those_of_legacy_are_not(control: Control) -> None:
    """Principle 1, and trap 33: a failure of new is a difference; skips stand beside the rate."""
    await control.seed()
    failed = {"both": {"503/500": 5}, "new": {"5xx": 2, "timeout": 1}}
    sent = evidenced(87, {"$.a|changed": 10}, failed=failed, captured=121)
    sent["verdicts"] |= {"skipped": 4, "compare_error": 2}
    sent |= {
        "skipped": {"body_over_cap": 4}, "dropped": {"queue_full": 6},
        "errors": {"legacy": {"5xx": 5}, "new": {"5xx": 7, "timeout": 1}},
    }  # fmt: skip
    await send(control, 1, sent)
    found = (await control.get("/comparisons/routes/orders"))["evidence"]
    assert (found["agreement"]["rated"], found["agreement"]["rate"]) == (100, 0.87)
    assert found["agreement"]["new_failed"] == 3
    assert (found["skipped"], found["dropped"]) == ({"body_over_cap": 4}, {"queue_full": 6})
    verdicts = {
        "match": 87, "mismatch": 10, "new_failed": 3, "both_failed": 5, "skipped": 4,
        "compare_error": 2,
    }  # fmt: skip
    assert found["verdicts"] == verdicts
    assert found["pending"] == 121 - sum(verdicts.values()) - 6
    assert (found["new"]["failed"], found["legacy"]["failed"]) == (8, 5)
    assert found["new"]["errors"] == {"5xx": 7, "timeout": 1}
    p50 = found["latency"]["quantiles"][0]
    assert abs(p50["legacy_ms"] - 20) < 2
    assert abs(p50["new_ms"] - 5) < 0.5


async def test_windows_of_older_proxies_stay_readable_and_prove_nothing(control: Control) -> None:
    await control.seed()
    fields = [field("$.price", 40), field("$.note", 30, ignored=30, rule="r1")]
    await send(control, 1, route(9_960, 40, fields=fields, verdicts={"stale": 3}))
    found = (await control.get("/comparisons/routes/orders"))["evidence"]
    assert found["told"]
    assert found["verdicts"] == {"match": 9_960, "mismatch": 40, "stale": 3}
    assert found["agreement"]["rate"] == 0.996
    assert [reason["code"] for reason in found["agreement"]["reasons"]] == ["counted_as_told"]
    assert "proven" not in {goal["standing"] for goal in found["agreement"]["goals"]}
    listed = await control.get("/comparisons/routes/orders/fields")
    assert {p["path"]: p["standing"] for p in listed["items"]} == {
        "$.price": "real", "$.note": "ignored"
    }  # fmt: skip


async def test_a_route_of_writes_says_that_nothing_was_compared(control: Control) -> None:
    """Its requests are captured and skipped: that is no older proxy, and no obstacle to others."""
    await control.seed()
    await send(control, 1, route(0, 0, verdicts={"skipped": 40}))
    found = (await control.get("/comparisons/routes/orders"))["evidence"]
    assert not found["told"]
    assert "counted_as_told" not in [r["code"] for r in found["agreement"]["reasons"]]
    source = control.services.rollouts._observer._evidence
    parity = (await source.parity(["orders"]))["orders"]
    assert (parity.rated, parity.obstacles) == (0, ())


async def test_a_new_window_starts_from_nothing(control: Control) -> None:
    await control.seed()
    await send(control, 1, route(100, 50, fields=[field("$.a", 50)]))
    await send(control, 2, route(7, window="w2", revision=4))
    # A proxy that lags behind reports on the window before: it stays the one before.
    await send(control, 3, route(0, 1, fields=[field("$.a", 1)]), instance="p2", boot="b2")
    detail = await control.get("/comparisons/routes/orders")
    assert detail["evidence"]["window"] == "w2"
    assert detail["evidence"]["verdicts"] == {"match": 7}
    assert {w["window"]: w["agreement"]["mismatches"] for w in detail["windows"]} == {
        "w1": 51, "w2": 0
    }  # fmt: skip
    assert {p["window"] for p in detail["points"]} == {"w1", "w2"}
    assert (await control.get("/comparisons/routes/orders/fields"))["items"] == []
    old = await control.get("/comparisons/routes/orders/fields", window="w1")
    assert old["items"][0]["pairs"] == 51
    none = await control.client.get("/comparisons/routes/orders/fields", params={"window": "w9"})
    assert none.status_code == 404


async def test_lists_come_by_the_page_sorted_and_filtered(control: Control) -> None:
    await control.seed()
    for n in range(12):
        made = await control.post(
            "/routes", {"id": f"r{n:02}", "match": {"path": f"/r{n}"}, "new": "fn",
                        "stage": "shadow"},
        )  # fmt: skip
        assert made.status_code == 201
    await send(control, 1, *(route(100, n, route=f"r{n:02}") for n in range(10)))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await control.get("/comparisons/routes", sort="attention", limit=5, cursor=cursor)
        seen += [row["route"] for row in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert seen == [f"r{n:02}" for n in range(9, -1, -1)] + ["r10", "r11"]
    some = await control.get("/comparisons/routes", verdict="mismatch", q="r0")
    assert len(some["items"]) == 9  # r00 has none
    none = await control.client.get("/comparisons/routes", params={"cursor": "WyJhIl0"})
    assert none.status_code == 422
    many = [field(f"$.f{n}", n + 1) for n in range(30)]
    await send(control, 2, route(1, 1, fields=many))
    first = await control.get("/comparisons/routes/orders/fields", limit=20)
    rest = await control.get("/comparisons/routes/orders/fields", limit=20, cursor=first["next"])
    assert [p["path"] for p in first["items"] + rest["items"]] == [
        f"$.f{n}" for n in range(29, -1, -1)
    ]


async def test_examples_are_found_by_what_they_differ_in(control: Control) -> None:
    """trap 34: pairs that differ in the same fields share a signature, whatever their ids."""
    await control.seed()
    prices = [
        example({"items": [{"price": n}]}, {"items": [{"price": n + 1}]},
                request=request(f"/orders/{n}"))
        for n in range(3)
    ]  # fmt: skip
    lost = example({"a": 1, "b": 2}, {"a": 1})
    same = example({"a": 1}, {"a": 1})
    failed = example({"a": 1}, answer("", status=503))
    await send(control, 1, route(1, 4, examples=[*prices, lost, same, failed]))
    assert len({pair["signature"] for pair in prices}) == 1

    async def found(**query: Any) -> list[str]:
        page = await control.get("/comparisons/examples", route="orders", **query)
        return [row["id"] for row in page["items"]]

    ids = [pair["id"] for pair in prices]
    assert await found(field="$.items[*].price") == ids[::-1]
    assert await found(field="$.items[*].price|changed") == ids[::-1]
    assert await found(signature=prices[0]["signature"]) == ids[::-1]
    assert await found(verdict="new_failed") == [failed["id"]]
    assert await found(verdict="mismatch", field="$.b|missing") == [lost["id"]]
    assert await found(field="$.nowhere") == []
    first = await control.get("/comparisons/examples", limit=4)
    rest = await control.get("/comparisons/examples", limit=4, cursor=first["next"])
    assert len(first["items"] + rest["items"]) == 6
    whole = await control.get(f"/comparisons/examples/{lost['id']}")
    assert whole["example"]["differences"][0]["path"] == "$.b"
    assert whole["example"]["legacy"]["body"] == '{"a": 1, "b": 2}'
    assert (await control.client.get("/comparisons/examples/none")).status_code == 404


async def test_retention_by_count_and_bytes_on_arrival(open_control: OpenControl) -> None:
    """trap 34: few samples for each route and signature; the space is bounded whatever comes."""
    async with open_control(
        keep_examples_per_signature=5, keep_examples_per_route=8, keep_example_megabytes=1
    ) as control:
        await control.seed()
        alike = [example({"a": n}, {"a": n + 1}) for n in range(12)]
        for n, pair in enumerate(alike):
            await send(control, n, route(0, 1, examples=[pair]))
        page = await control.get("/comparisons/examples")
        assert [row["id"] for row in page["items"]] == [pair["id"] for pair in alike[:1:-1]][:5]
        other = [example({"a": 1}, {f"b{n}": 1}) for n in range(9)]
        await send(control, 50, route(0, 9, examples=other))
        assert len((await control.get("/comparisons/examples"))["items"]) == 8
        big = [
            {**example({"a": 1}, {}), "route": "big", "signature": f"s{n}",
             "legacy": answer("x" * 300_000)}
            for n in range(6)
        ]  # fmt: skip
        for n, pair in enumerate(big):
            await send(control, 100 + n, route(0, 1, route="big", examples=[pair]))
        left = (await control.get("/comparisons/examples"))["items"]
        assert sum(row["size"] for row in left) <= 1_000_000
        assert [row["id"] for row in left] == [pair["id"] for pair in big[:-4:-1]]
        detail = await control.get("/comparisons/routes/orders")
        assert (detail["examples"], detail["example_bytes"]) == (0, 0)


async def test_retention_by_age_in_the_background(control: Control) -> None:
    from sqlalchemy import text

    await control.seed()
    noise = {"pairs": 2, "fields": [{"path": "$.n", "kind": "changed", "count": 1}]}
    pair = example({"a": 1}, {"a": 2})
    await send(control, 1, route(1, 1, fields=[field("$.a", 1)], noise=noise, examples=[pair]),
               worker={"paused": [], "queue": {"received": 2}})  # fmt: skip
    kept = await control.post("/comparisons/replays", {"route": "orders"})
    assert kept.status_code == 201, kept.text
    await control.services.comparisons.retention.trim()
    assert (await control.get("/comparisons/routes/orders"))["examples"] == 1
    database = control.services.database
    async with database.write() as connection:
        for table, column in (
            ("compared_examples", "received_ms"), ("compared_windows", "last_ms"),
            ("compared_minutes", "bucket_ms"), ("compared_batches", "at_ms"),
            ("shadow_workers", "seen_ms"), ("replays", "created_ms"),
        ):  # fmt: skip
            await connection.execute(text(f"UPDATE {table} SET {column} = 1"))
    await control.services.comparisons.retention.trim()
    async with database.read() as connection:
        for table in (
            "compared_examples", "compared_example_fields", "compared_windows",
            "compared_routes", "compared_minutes", "compared_fields", "compared_batches",
            "shadow_workers", "replays", "replay_items",
        ):  # fmt: skip
            left = await connection.execute(text(f"SELECT count(*) FROM {table}"))
            assert left.scalar_one() == 0, table
    assert (await control.get("/comparisons/routes/orders"))["example_bytes"] == 0


async def test_what_a_batch_may_not_be(open_control: OpenControl) -> None:
    async with open_control(max_body=1_000_000) as control:
        await control.seed()
        for change, place in (
            ({"verdicts": {"perfect": 1}}, "verdicts"),
            ({"captured": -1}, "captured"),
            ({"fields": [field("$.a", 1)] * 1_001}, "fields"),
            ({"examples": [example({}, {})] * 501}, "examples"),
            ({"latency": {"legacy": {"-4": 1}}}, "latency"),
        ):
            sent = await control.post("/comparisons/batches", batch(1, {**route(1), **change}))
            assert sent.status_code == 422, change
            problem = sent.json()
            assert problem["type"] == "urn:figway:problem:invalid_request"
            assert place in problem["findings"][0]["path"]
        large = example({}, answer("x" * 400_000))
        sent = await control.post("/comparisons/batches", batch(1, route(1, examples=[large] * 3)))
        assert sent.status_code == 413
        # Nothing of them was counted, and the sequence is still free.
        assert await send(control, 1, route(1))
        viewer = await control.client_of(Role.VIEWER)
        proxy = await control.client_of(Role.PROXY)
        assert (await viewer.post("/comparisons/batches", json=batch(2))).status_code == 403
        assert (await proxy.post("/comparisons/batches", json=batch(2))).status_code == 200
        assert (await proxy.get("/comparisons/routes")).status_code == 403


async def test_hostile_texts_are_kept_as_texts(control: Control) -> None:
    await control.seed()
    evil = "\u202e<script>\x00\x1b[31m" + "'; DROP TABLE x --"
    pair = example({"a": evil}, {"a": 2**70}, request=request(f"/{evil}"))
    pair["differences"][0]["new"] = 2**70
    hard = route(0, 1, examples=[pair], fields=[field(f"$['{evil}']", 1, "type")])
    assert await send(control, 1, hard)
    whole = await control.get(f"/comparisons/examples/{pair['id']}")
    assert whole["example"]["request"]["target"] == f"/{evil}"
    assert whole["example"]["differences"][0]["new"] == 2**70
    found = await control.get("/comparisons/routes/orders/fields")
    assert "DROP TABLE" in found["items"][0]["path"]


async def test_a_window_counts_so_many_fields_and_no_more(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.comparisons.store.MOST_FIELDS", 20)
    await control.seed()
    await send(control, 1, route(0, 1, fields=[field(f"$.a{n}", 1) for n in range(15)]))
    await send(control, 2, route(0, 1, fields=[field(f"$.a{n}", 1) for n in range(40)]))
    found = await control.get("/comparisons/routes/orders/fields", limit=1_000)
    assert len(found["items"]) == 20
    assert sum(path["pairs"] for path in found["items"]) == 35


async def test_paused_shadows_are_seen_on_the_route(control: Control) -> None:
    """trap 28: a proxy that spares a suffering side says so."""
    await control.seed()
    paused = {"side": "new", "backend": "fn", "why": "error rate 60 %", "since_ms": 5}
    other = {**paused, "backend": "elsewhere"}
    await send(control, 1, route(5), worker={"paused": [paused, other], "queue": {}})
    [found] = (await control.get("/comparisons/routes"))["items"]
    assert [(p["instance"], p["why"]) for p in found["paused"]] == [("p1", "error rate 60 %")]


async def test_the_live_feed(control: Control) -> None:
    await control.seed()
    live = control.services.comparisons.live
    feed = _of_route(live.stream(live.subscribe(), b"event: current\ndata: {}\n\n"), "orders")
    assert b"current" in await anext(feed)
    await send(control, 1, route(3, route="other"), route(3, 1, examples=[example({}, {"a": 1})]))
    heard = await anext(feed)
    assert heard.startswith(b"event: comparisons\n")
    assert b'"route":"orders"' in heard
    assert b'"paths":["$.a"]' in heard
    live.close()
    assert [message async for message in feed] == []


async def test_a_clock_that_is_wrong_does_not_move_the_minutes(control: Control) -> None:
    await control.seed()
    await send(control, 1, route(4), from_ms=1_000, to_ms=2_000)
    found = await control.get("/comparisons/routes/orders")
    assert sum(point["pairs"]["match"] for point in found["points"]) == 4
    assert found["evidence"]["last_ms"] > now_ms() - 60_000
