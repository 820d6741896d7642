"""What the console says of a fleet in trouble is what is so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control_plane.db.engine import DatabaseAway
from tests.support import comparing
from tests.support.console import browser
from tests.support.control import Control

CLOSED = {
    "kind": "backend", "id": "fn", "side": "new", "code": "region",
    "text": "Backend fn: no AWS region", "since_ms": 1, "routes": ["orders"],
}  # fmt: skip


async def proxies(control: Control, **more: Any) -> None:
    """One live proxy that serves the newest table."""
    now = await control.get("/table")
    await control.ack("p1", now["revision"], now["etag"], **more)


async def test_a_quarantine_is_shown_where_people_look(control: Control) -> None:
    """B1: on the route's own page, in the list and on the map, not in the fleet alone."""
    await control.seed()
    await control.flip(2_500)
    await proxies(control, quarantine=[CLOSED])
    visitor = await browser(control)
    for path in ("/routes/orders", "/routes", "/"):
        text = (await visitor.page(path)).text
        assert "1 of 1 proxies cannot open backend fn: no AWS region" in text, path
    assert "Nothing. No breaker is open" not in (await visitor.page("/")).text


async def test_the_kill_switch_of_the_fleet_is_no_file_of_a_host(control: Control) -> None:
    """B3: three proxies obey the fleet's switch: no host has one of its own."""
    await control.seed()
    await control.flip(2_500)
    await control.post("/kill", {"on": True, "reason": "r"})
    told = {"on": True, "workers": 1, "workers_on": 1, "control": True, "number": 1}
    await proxies(control, kill=told, workers=[{"id": 0, "revision": 1, "kill": True}])
    visitor = await browser(control)
    assert "a kill file or signal on its host" not in (await visitor.page("/")).text
    page = (await visitor.page("/routes/orders")).text
    assert "● new 0 %" in " ".join(page.split()), "new serves nothing while the switch is on"


async def test_the_route_page_says_what_proxies_do(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1, B3: "everything to legacy, new 0 %" stood there while no proxy did it; and nothing stood
    there while all did it by their hosts' files, or by a press that is not known here."""
    await control.seed()
    monkeypatch.setattr("control_plane.console.live_state._LEAST_S", 0.0)
    await control.flip(10_000)
    await control.post("/kill", {"on": True, "reason": "r"})
    told = {"on": False, "workers": 1, "workers_on": 0, "number": 1}
    await proxies(control, kill=told, workers=[{"id": 0, "revision": 1}])
    visitor = await browser(control)

    async def said(path: str) -> str:
        return " ".join((await visitor.page(path)).text.split())

    page = await said("/routes/orders")
    assert "on: 0 of 1 proxy sends everything to legacy" in page
    assert "● new 100 %" in page
    await control.post("/kill", {"on": False, "reason": "r"})
    for by in ({"file": True}, {"control": True, "number": 9}):
        told = {"on": True, "workers": 1, "workers_on": 1, **by}
        await proxies(control, kill=told, workers=[{"id": 0, "revision": 1, "kill": True}])
        visitor = await browser(control)
        page = await said("/routes/orders")
        assert "Kill switch on" in page
        assert "everything to legacy" in page
        assert "● new 0 %" in page
        home = await said("/")
        assert "routes on new by their stage, and on legacy by the kill switch" in home
        by_host = "a kill file or signal on its host" in home
        assert by_host is ("file" in by)
        assert ("by a press that this control plane does not know" in home) is not by_host


async def test_a_map_of_five_hundred_routes_can_be_read(control: Control) -> None:
    """use 13: not 500 equal tiles: what needs a look, and counts of the rest that lead on."""
    await control.seed()
    routes = [
        {
            "id": f"r{n}", "match": {"path": f"/r{n}"}, "new": "fn",
            "stage": "canary" if n % 50 == 0 else "legacy", "capability": f"c{n % 8}",
            **({"weight": "25%"} if n % 50 == 0 else {}),
        }
        for n in range(500)
    ]  # fmt: skip
    document = {"capabilities": [{"id": f"c{n}"} for n in range(8)], "routes": routes}
    answer = await control.client.post(
        "/table/apply", content=json.dumps(document), params={"merge": "true", "reason": "r"},
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    page = await (await browser(control)).page("/")
    tiles = [tag for tag in page.all("a") if "tile" in str(tag.get("class", "")).split()]
    assert 8 <= len(tiles) <= 60
    more = [tag["href"] for tag in page.all("a") if str(tag.get("id", "")).startswith("m-")]
    assert "/console/routes?capability=c0" in more
    assert "legacy" in page.text


async def _pair(control: Control, pair: dict[str, Any]) -> str:
    """The text of the page of a stored pair."""
    await control.seed()
    await comparing.send(control, 1, comparing.route(1, 0, examples=[pair]))
    page = await (await browser(control)).page(f"/shadow/orders/examples/{pair['id']}")
    return " ".join(page.text.split())


async def test_a_pair_without_differences_shows_none_below(control: Control) -> None:
    """use 8: "None" stood above headers tagged "differs": ones that mean the same, or are not
    compared, and say so."""
    legacy = comparing.answer(
        {"a": 1}, headers=[["Content-Type", "application/json"], ["Server", "old"], ["ETag", '"a"']]
    )
    new = comparing.answer(
        {"a": 1},
        headers=[["Content-Type", "application/json"], ["Server", "new"], ["ETag", '"b"']],
    )
    pair = comparing.example(legacy, new)
    assert pair["differences"] == []
    text = await _pair(control, pair)
    assert "None: the answers agree. Headers that read otherwise below" in text
    assert "differs" not in text.split("Headers", 2)[2]
    assert "the server's own value" in text
    assert "not compared" in text


async def test_a_pair_that_could_not_be_compared_does_not_agree(control: Control) -> None:
    """use 8: where new failed there is nothing that could agree."""
    failed = comparing.answer("", status=0) | {"failure": "timeout", "body": None}
    pair = comparing.example({"a": 1}, {"a": 1}) | {"new": failed, "verdict": "new_failed"}
    text = await _pair(control, pair)
    assert "the answers agree" not in text
    assert "None were looked for: new failed" in text


async def test_the_audit_log_shows_values_as_a_table_has_them(control: Control) -> None:
    """use 13: `{'issuer': ...}` and `True` are Python's; people write JSON and YAML."""
    await control.seed()
    guard = {"jwt": {"issuer": "https://id.example", "audiences": ["shop"]}}
    changed = await control.client.patch(
        "/routes/orders",
        json={"policies": guard, "fallback": {"idempotent_methods": True}},
        headers={"content-type": "application/merge-patch+json", "if-match": "*"},
    )
    assert changed.status_code == 200, changed.text
    visitor = await browser(control)
    for path in ("/audit", "/revisions/4"):
        text = (await visitor.page(path)).text
        assert "true" in text, path
        for python in ("True", "False", "None", "{'"):
            assert python not in text, (path, python)
    exported = (await visitor.client.get("/console/audit/export.csv")).text
    assert "True" not in exported
    assert "{'" not in exported


async def test_without_the_database_the_switch_and_the_fleet_are_there(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: every page was a bare "The database does not answer", without the kill switch and without
    a word of what proxies do."""
    await control.seed()
    await proxies(control, kill={"on": True, "workers": 1, "workers_on": 1, "number": 1})
    visitor = await browser(control)
    await visitor.page("/")

    def refused(*_: Any, **__: Any) -> None:
        raise DatabaseAway("refused")

    monkeypatch.setattr(control.services.database, "read", refused)
    monkeypatch.setattr(control.services.database, "write", refused)
    for path in ("/audit", "/shadow"):
        page = await visitor.page(path, 503)
        assert "The database does not answer" in page.text
        assert "1 of 1 proxy" in page.text, path
        assert any(a.get("href") == "/console/kill" for a in page.all("a")), path
    fleet = await visitor.page("/fleet")
    assert "p1" in fleet.text
    done = await visitor.send("/kill", on="1", reason="it burns")
    assert done.status_code == 200, done.text
    assert "from the memory of this control plane" in done.text
