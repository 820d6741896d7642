"""Whole tables: export, validate, apply; and explaining."""

from __future__ import annotations

import yaml

from control_plane.cli.tables import starter
from tests.support.control import Control
from tests.support.databases import OpenControl

_YAML = {"content-type": "application/yaml"}


async def test_export_and_apply_are_a_round_trip(control: Control) -> None:
    await control.seed()
    text = (await control.client.get("/table/export")).text
    again = await control.client.post("/table/apply", content=text, headers=_YAML)
    assert again.json()["changed"] is False
    edited = text.replace("new: fn", "new: fn\n  stage: shadow")
    dry = await control.client.post(
        "/table/apply", content=edited, headers=_YAML, params={"dry_run": True}
    )
    assert [change["text"] for change in dry.json()["changes"]]
    assert (await control.client.get("/table/export")).text == text
    done = await control.client.post("/table/apply", content=edited, headers=_YAML)
    assert done.json()["changes"] == dry.json()["changes"]
    assert (await control.get("/routes/orders"))["stage"] == "shadow"
    stale = await control.client.post(
        "/table/apply", content=text, headers={**_YAML, "if-match": '"0"'}
    )
    assert stale.status_code == 412


async def test_apply_leaves_the_kill_switch_alone(control: Control) -> None:
    """trap 56: yesterday's file does not send traffic back to what was just switched off."""
    await control.seed()
    text = (await control.client.get("/table/export")).text
    await control.post("/kill", {"on": True, "reason": "fire"})
    assert "kill" not in (await control.client.get("/table/export")).text
    again = await control.client.post("/table/apply", content=text, headers=_YAML)
    assert again.json()["changed"] is False
    assert (await control.get("/kill"))["on"] is True


async def test_validate_stores_nothing(control: Control) -> None:
    await control.seed()
    before = await control.get("/table")
    table = yaml.safe_load((await control.client.get("/table/export")).text)
    table["routes"][0]["new"] = "nobody"
    found = (await control.post("/table/validate", table)).json()
    assert found["valid"] is False
    assert found["findings"][0]["path"].startswith("routes.orders")
    assert found["changes"][0]["text"] == "route orders: new fn -> nobody"
    assert await control.get("/table") == before


async def test_a_part_of_a_table_is_checked_with_the_rest(control: Control) -> None:
    """What `figway init` writes names no default backend: alone it is no table, merged it is."""
    await control.seed()
    before = await control.get("/table")
    text = starter("figway.yaml", "parts", "/parts/{rest=**}", "http://127.0.0.1:9000")
    alone = (await control.client.post("/table/validate", content=text, headers=_YAML)).json()
    assert alone["valid"] is False
    merged = await control.client.post("/table/validate?merge=true", content=text, headers=_YAML)
    assert merged.json()["valid"] is True
    texts = [entry["text"] for entry in merged.json()["changes"]]
    assert texts == ["backend parts-new: added", "route parts: added"]
    assert await control.get("/table") == before


async def test_documents_that_cannot_be_read(open_control: OpenControl) -> None:
    async with open_control(max_body=1024) as control:
        bomb = "a: &a [x]\nb: &b [*a, *a]\nroutes: [*b]"
        for text in (bomb, "routes: [", "[]", "routes: 5", "- \x00", "a: b: c"):
            answer = await control.client.post("/table/apply", content=text, headers=_YAML)
            assert answer.status_code == 422, text
        answer = await control.client.post(
            "/table/apply", content=b"{", headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422
        big = await control.client.post("/table/apply", content=b" " * 2_000, headers=_YAML)
        assert big.status_code == 413


async def test_explain_live_draft_and_old(control: Control) -> None:
    await control.seed()
    first = (await control.get("/table"))["revision"]
    await control.flip(10_000)
    ask = {"url": "https://shop.example/orders/7?x=1", "headers": [["Cookie", "figway_id=u1"]]}
    found = (await control.post("/explain", ask)).json()["explanation"]
    assert (found["route_id"], found["side"], found["key"]) == ("orders", "new", "u1")
    old = (await control.post("/explain", {**ask, "at": first})).json()["explanation"]
    assert (old["revision"], old["side"], old["stage"]) == (first, "legacy", "legacy")
    route = await control.get("/routes/orders")
    draft = [{"kind": "route", "id": "orders", "value": {**route, "weight": 0}}]
    what_if = (await control.post("/explain", {**ask, "changes": draft})).json()
    assert what_if["draft"] is True
    assert what_if["explanation"]["side"] == "legacy"
    assert what_if["explanation"]["policies"] == []
    closed = {**route, "policies": {"maintenance": {"status": 410}}}
    draft = [{"kind": "route", "id": "orders", "value": closed}]
    shut = (await control.post("/explain", {**ask, "changes": draft})).json()["explanation"]
    assert [(s["policy"], s["outcome"], s["status"]) for s in shut["policies"]] == [
        ("maintenance", "refuses", 410)
    ]
    none = (await control.post("/explain", {"url": "/elsewhere"})).json()["explanation"]
    assert none["matched"] == "no_route"
    for bad in ({"url": "orders"}, {"url": "/", "changes": [{}]}, {"url": "/", "at": -1}):
        assert (await control.post("/explain", bad)).status_code == 422
    assert (await control.post("/explain", {"url": "/", "at": 99})).status_code == 404


async def test_description_of_the_api(control: Control) -> None:
    document = await control.get("/openapi.json")
    schemas = document["components"]["schemas"]
    assert "Share of sticky keys" in schemas["Route"]["properties"]["weight"]["description"]
    assert "HTTPValidationError" not in schemas
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            if path.startswith("/api/v1"):
                assert "401" in operation["responses"], (method, path)
                assert operation["security"], (method, path)
    text = str(document)
    for name in {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas
