"""What the console says of a fleet in trouble is what is so."""

from __future__ import annotations

import json
from typing import Any

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
