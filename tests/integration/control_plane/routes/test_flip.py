"""The flip, its way to the proxies, and the way back."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import update

from control_plane.db.models import InstanceRow
from figway.model.change import Change, Kind, changes_to_data
from figway.model.table import Route, RouteMatch
from tests.support.control import ROUTE, Control, control_plane


async def test_wait_until_every_live_proxy_serves_it(control: Control) -> None:
    """trap 51: the answer to a flip says which proxy serves it, and when."""
    await control.seed()
    now = await control.get("/table")
    for name in ("a", "b"):
        await control.ack(name, now["revision"], now["etag"])
    await control.ack("gone", now["revision"], now["etag"], stopping=True)

    flip = asyncio.ensure_future(control.flip(2_500, wait="applied", timeout=20))
    while (table := await control.get("/table"))["revision"] == now["revision"]:
        await asyncio.sleep(0.01)
    await control.ack("a", table["revision"], table["etag"], applied_ms=7)
    await asyncio.sleep(0.05)
    assert not flip.done()
    await control.ack("b", table["revision"], table["etag"])

    spread = (await flip).json()["propagation"]
    assert spread["applied"] is True
    assert spread["summary"].startswith(f"2 of 2 proxies on revision {table['revision']} in ")
    assert [(p["instance"], p["state"]) for p in spread["proxies"]] == [
        ("a", "applied"), ("b", "applied"),
    ]  # fmt: skip
    assert spread["proxies"][0]["applied_ms"] == 7
    assert all(isinstance(proxy["ms"], int) for proxy in spread["proxies"])


async def test_a_refusal_ends_the_wait_and_is_shown(control: Control) -> None:
    """trap 53: a proxy that keeps its last good table says so."""
    await control.seed()
    now = await control.get("/table")
    await control.ack("a", now["revision"], now["etag"])
    flip = asyncio.ensure_future(control.flip(2_500, wait="applied", timeout=20))
    while (table := await control.get("/table"))["revision"] == now["revision"]:
        await asyncio.sleep(0.01)
    finding = {"code": "x", "severity": "error", "path": "p", "message": "m", "resolution": "r"}
    refused = {"revision": table["revision"], "etag": table["etag"], "findings": [finding]}
    await control.ack("a", now["revision"], now["etag"], refused=refused)
    spread = (await flip).json()["propagation"]
    assert spread["applied"] is False
    assert spread["proxies"][0]["state"] == "refused"
    assert spread["proxies"][0]["findings"] == [finding]
    fleet = await control.get("/fleet")
    assert fleet["summary"] == f"0 of 1 proxy on revision {table['revision']}"
    assert fleet["items"][0]["behind"] == 1
    assert fleet["items"][0]["refused"]["findings"] == [finding]


async def test_going_back_to_legacy_waits_for_nobody(control: Control) -> None:
    """trap 56: proxies that lag or refuse do not keep a route from going back to legacy."""
    await control.seed()
    now = await control.get("/table")
    await control.ack("stuck", now["revision"], now["etag"])
    assert (await control.flip(10_000)).status_code == 200
    answer = await control.client.post(
        "/routes/orders/flip",
        json={"stage": "legacy", "reason": "back"},
        headers={"if-match": "*"},
        params={"wait": "applied", "timeout": 0},
    )
    assert answer.status_code == 200
    assert answer.json()["propagation"]["applied"] is False
    assert (await control.get("/routes/orders"))["stage"] == "legacy"


async def test_an_old_fault_elsewhere_does_not_block_the_way_back(control: Control) -> None:
    """trap 56: a table that an older release let through can still be changed for the better."""
    await control.seed()
    await control.flip(10_000)
    state = control.services.state
    broken = Route(id="broken", match=RouteMatch(path="no slash"), new="nobody")
    routes = dict(state.current.table.routes) | {"broken": broken}
    from dataclasses import replace

    state.current = replace(state.current, table=replace(state.current.table, routes=routes))
    answer = await control.client.post(
        "/routes/orders/flip",
        json={"stage": "legacy", "reason": "back"},
        headers={"if-match": "*"},
    )
    assert answer.status_code == 200, answer.text


async def test_expected_reason_and_no_difference(control: Control) -> None:
    await control.seed()
    body: dict[str, Any] = {"weight": 100, "reason": "r", "expected": {"stage": "shadow"}}
    answer = await control.post("/routes/orders/flip", body, if_match="*")
    assert answer.status_code == 409
    answer = await control.post("/routes/orders/flip", {"weight": 1}, if_match="*")
    assert answer.status_code == 422
    answer = await control.post("/routes/orders/flip", {"reason": "r"}, if_match="*")
    assert answer.status_code == 422
    first = (await control.flip(100)).json()
    again = (await control.flip(100)).json()
    assert first["changed"] is True
    assert (again["changed"], again["revision"]) == (False, first["revision"])


async def test_a_capability_flips_whole_or_not_at_all(control: Control) -> None:
    await control.seed()
    await control.post("/capabilities", {"id": "shop"})
    for name, new in (("cart", "fn"), ("pay", "fn")):
        route = {"id": name, "match": {"path": f"/{name}"}, "new": new, "capability": "shop"}
        assert (await control.post("/routes", route)).status_code == 201
    revision = (await control.get("/table"))["revision"]
    flip = {"weight": 500, "reason": "together"}
    answer = await control.post("/capabilities/shop/flip", flip, if_match="*")
    assert answer.json()["revision"] == revision + 1
    weights = {
        entry["item"]["id"]: entry["item"]["weight"]
        for entry in (await control.get("/routes"))["items"]
    }
    assert weights == {"orders": 0, "cart": 500, "pay": 500}
    half = {"id": "lone", "match": {"path": "/lone"}, "capability": "shop"}
    assert (await control.post("/routes", half)).status_code == 201
    flip = {"stage": "new", "reason": "all"}
    answer = await control.post("/capabilities/shop/flip", flip, if_match="*")
    assert answer.status_code == 422
    assert (await control.get("/routes/cart"))["stage"] == "canary"


async def test_undo_and_restore(control: Control) -> None:
    await control.seed()
    start = await control.get("/table")
    first = (await control.flip(100)).json()["revision"]
    await control.flip(200)
    answer = await control.post(f"/revisions/{first}/undo", {})
    assert answer.status_code == 409
    assert "route orders" in answer.json()["detail"]
    undone = (await control.post("/revisions/undo", {"reason": "oops"})).json()
    assert undone["undo"]["path"] == f"/api/v1/revisions/{undone['revision']}/undo"
    assert (await control.get("/routes/orders"))["weight"] == 100
    path = f"/revisions/{start['revision']}/restore"
    back = (await control.post(path, {})).json()
    assert back["etag"] == start["etag"]
    assert (await control.get("/table"))["table"] == start["table"]
    assert (await control.post(path, {})).json()["changed"] is False
    diff = await control.get("/revisions/diff", **{"from": start["revision"], "to": first})
    assert [entry["path"] for entry in diff["changes"]] == ["stage", "weight"]
    old = await control.client.get("/table/export", params={"revision": first})
    assert "weight: 1%" in old.text
    shown = await control.get("/revisions", touches="route orders")
    assert len(shown["items"]) == 5
    assert shown["items"][0]["reason"] == f"back to {start['revision']}"


async def test_kill_switch_and_forced_breaker(control: Control) -> None:
    await control.seed()
    answer = await control.post("/kill", {"on": True, "reason": "fire"})
    assert answer.status_code == 200
    assert (await control.get("/kill"))["on"] is True
    table = await control.client.get("/table")
    assert "kill_switch" not in table.json()["table"]
    assert table.headers["figway-kill"] == "on"
    answer = await control.post("/routes/orders/breaker", {"force": "open", "reason": "f"})
    assert answer.status_code == 200
    assert (await control.get("/routes/orders"))["breaker"]["force"] == "open"
    entries = (await control.get("/audit"))["items"]
    assert [entry["action"] for entry in entries[:2]] == ["route.breaker", "kill.on"]
    assert entries[1]["reason"] == "fire"


async def test_two_control_planes_hear_of_each_other(postgres_url: str) -> None:
    """trap 51: on PostgreSQL another control plane knows of a flip without polling."""
    async with control_plane(postgres_url, poll_seconds=3_600) as one:
        await one.seed()
        async with control_plane(postgres_url, key=one.key, poll_seconds=3_600) as two:
            await asyncio.sleep(0.3)  # until it listens
            revision = (await one.flip(100)).json()["revision"]
            for _ in range(200):
                if two.services.state.current.revision == revision:
                    break
                await asyncio.sleep(0.02)
            assert two.services.state.current == one.services.state.current


async def test_polling_finds_what_another_process_wrote(database_url: str) -> None:
    """trap 51: without notifications, polling finds a revision, and one taken back by a restore."""
    async with control_plane(database_url, poll_seconds=3_600) as one:
        await one.seed()
        async with control_plane(database_url, key=one.key, poll_seconds=0.05) as two:
            revision = (await one.flip(100)).json()["revision"]
            for _ in range(200):
                if two.services.state.current.revision == revision:
                    break
                await asyncio.sleep(0.02)
            assert two.services.state.current.etag == one.services.state.current.etag


async def test_a_flip_among_many_routes_is_told_as_one_change(control: Control) -> None:
    await control.seed()
    routes = [{**ROUTE, "id": f"r{n}", "match": {"path": f"/r{n}"}} for n in range(2_000)]
    exported = (await control.client.get("/table/export", params={"format": "json"})).json()
    exported["routes"] += routes
    queue = control.services.tables.subscribe()
    answer = await control.client.post(
        "/table/apply", json=exported, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    whole = queue.get_nowait()
    assert whole is not None
    assert b'"base":"","changes":[]' in whole  # too large to be told: proxies pull it
    await control.client.post(
        "/routes/r7/flip", json={"weight": 9, "reason": "r"}, headers={"if-match": "*"}
    )
    one = queue.get_nowait()
    assert one is not None
    assert b'"id":"r7"' in one
    assert len(one) < 1_000
    assert changes_to_data([Change(Kind.ROUTE, "x", None)])[0]["value"] is None


async def test_after_a_restart_the_proxies_of_before_are_waited_for(database_url: str) -> None:
    """trap 51: a control plane that was away for long has heard of nobody, and claims nothing."""
    async with control_plane(database_url) as control:
        await control.seed()
        now = await control.get("/table")
        for name in ("a", "b", "left"):
            await control.ack(name, now["revision"], now["etag"])
        await control.ack("left", now["revision"], now["etag"], stopping=True)
        await control.ack("long-gone", now["revision"], now["etag"])
        await _age(control, 3_600_000, "long-gone")
        await _age(control, 3_600_000)
    key = control.key
    async with control_plane(database_url, key=key) as control:
        await control.ack("b", now["revision"], now["etag"])
        spread = (await control.flip(2_500, wait="applied", timeout=0.3)).json()["propagation"]
        states = [(proxy["instance"], proxy["state"]) for proxy in spread["proxies"]]
        assert states == [("a", "waiting"), ("b", "waiting"), ("long-gone", "silent")]
        await control.client.delete("/fleet/long-gone")
        assert spread["applied"] is False
        flip = asyncio.ensure_future(control.flip(2_600, wait="applied", timeout=20))
        revision = spread["revision"]
        while (table := await control.get("/table"))["revision"] == revision:
            await asyncio.sleep(0.01)
        await control.ack("b", table["revision"], table["etag"])
        await asyncio.sleep(0.05)
        assert not flip.done()
        await control.ack("a", table["revision"], table["etag"])
        assert (await flip).json()["propagation"]["applied"] is True


async def _age(control: Control, ms: int, *names: str) -> None:
    """Let time pass since proxies were heard of."""
    older = update(InstanceRow).values(seen_ms=InstanceRow.seen_ms - ms)
    async with control.services.database.write() as connection:
        await connection.execute(older.where(InstanceRow.instance.in_(names)) if names else older)
