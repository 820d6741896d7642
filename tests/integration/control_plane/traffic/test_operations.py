"""The inventory of operations: counted once, bounded, and a route from each line."""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

import pytest

from control_plane.clock import now_ms
from control_plane.traffic import operations
from figway.operation.label import OTHER
from tests.support.command_line import Cli, command_line
from tests.support.console import browser
from tests.support.control import Control


def _report(sequence: int, *rows: dict[str, Any]) -> dict[str, Any]:
    now = now_ms()
    return {
        "instance": "p1", "boot": "b1", "sequence": sequence, "from_ms": now - 2_000, "to_ms": now,
        "operations": list(rows),
    }  # fmt: skip


def _row(name: str, requests: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "place": "/ws", "kind": "soap", "name": name, "route": "-", "side": "legacy",
        "requests": requests, "head_us": 2_000 * requests, **more,
    }  # fmt: skip


async def _whole(control: Control) -> None:
    """A route that has operations read, and names none."""
    await control.seed()
    match = {"path": "/ws", "methods": ["POST"], "operation": {"kind": "soap"}}
    answer = await control.post("/routes", {"id": "whole", "match": match, "stage": "legacy"})
    assert answer.status_code == 201, answer.text


async def test_names_shares_and_takers(control: Control) -> None:
    await _whole(control)
    get = "{urn:shop}Get"
    rows = (_row(get, 6), _row(get, 2, route="moved", side="new", errors=1, faults=2),
            _row("{urn:shop}Put", 2), _row("malformed", 3, kind="unread"))  # fmt: skip
    for _ in range(2):  # the second one is a repeat
        await control.post("/reports", _report(1, *rows))
    found = await control.get("/operations", place="/ws")
    first, second = found["items"]
    assert (first["name"], first["requests"], first["share"]) == (get, 8, 0.8)
    assert (first["errors"], first["faults"], first["mean_ms"]) == (1, 2, 2.0)
    assert {(t["route"], t["side"], t["requests"]) for t in first["takers"]} == {
        ("-", "legacy", 6), ("moved", "new", 2)}  # fmt: skip
    operation = {"kind": "soap", "names": [get]}
    assert first["match"] == {"path": "/ws", "methods": ["POST"], "operation": operation}
    assert (first["suggested_id"], first["named_by"], second["requests"]) == ("get", "", 2)
    unread = {"malformed": 3}
    place = {"place": "/ws", "kinds": ["soap"], "requests": 10, "unread": unread}
    assert found["places"] == [place]


async def test_the_route_of_a_line_can_be_saved_as_it_is(control: Control) -> None:
    await _whole(control)
    await control.post("/reports", _report(1, _row("{urn:shop}GetBooking")))
    [line] = (await control.get("/operations"))["items"]
    route = {"id": line["suggested_id"], "match": line["match"], "stage": "legacy"}
    answer = await control.post("/routes", route)
    assert answer.status_code == 201, answer.text
    [line] = (await control.get("/operations"))["items"]
    assert (line["named_by"], line["suggested_id"]) == ("get-booking", "get-booking-2")


async def test_a_flood_of_invented_names_hides_none_that_is_used(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST", 20)
    monkeypatch.setattr(operations, "_SLACK", 5)
    await control.post("/reports", _report(1, _row("Real", 50)))
    for sequence in range(2, 12):
        junk = [_row(f"j{sequence}-{number}") for number in range(10)]
        await control.post("/reports", _report(sequence, *junk, _row("Later", 3)))
    found = (await control.get("/operations", limit=1_000))["items"]
    assert len(found) <= 27
    by_name = {one["name"]: one["requests"] for one in found}
    assert (by_name["Real"], by_name["Later"]) == (50, 30)
    assert sum(by_name.values()) == 180
    assert by_name[OTHER] > 0


async def test_pages_of_the_list(control: Control) -> None:
    await control.post("/reports", _report(1, *(_row(f"Op{n}", n + 1) for n in range(5))))
    first = await control.get("/operations", limit=3)
    rest = await control.get("/operations", limit=3, cursor=first["next"])
    names = [one["name"] for one in first["items"] + rest["items"]]
    assert names == ["Op4", "Op3", "Op2", "Op1", "Op0"]
    assert rest["next"] is None


async def test_days_that_are_no_longer_kept_go(control: Control) -> None:
    await control.post("/reports", _report(1, _row("Get")))
    async with control.services.database.write() as connection:
        await operations.trim(connection, now_ms() + operations.DAY_MS)
    assert (await control.get("/operations"))["items"] == []


async def test_faults_in_the_traffic_of_a_route(control: Control) -> None:
    series = {"route": "rpc", "side": "new", "backend": "fn", "requests": 9,
              "statuses": {"2xx": 8, "5xx": 1}, "faults": {"jsonrpc -32603": 3},
              "faulted": {"failed": 3}}  # fmt: skip
    await control.post("/reports", {**_report(1), "series": [series]})
    new = (await control.get("/traffic", route="rpc"))["total"]["new"]
    assert (new["faults"], new["faulted"]) == ({"jsonrpc -32603": 3}, {"failed": 3})


async def test_the_page_offers_the_form_of_the_route(control: Control) -> None:
    await _whole(control)
    await control.post("/reports", _report(1, _row("{urn:shop}GetBooking", 5)))
    visitor = await browser(control)
    page = await visitor.page("/operations?place=/ws")
    assert "{urn:shop}GetBooking" in page.text
    [form, *_] = [a["href"] for a in page.all("a") if "/new/routes?" in (a["href"] or "")]
    assert form is not None
    made = await visitor.page(form.removeprefix("/console"))
    ids = [attrs.get("value") for attrs in made.all("input") if attrs.get("name") == "id"]
    assert ids == ["get-booking"]
    assert "urn:shop" in made.text
    assert "soap" in made.text


async def test_the_page_before_any_route_says_how_to_begin(control: Control) -> None:
    visitor = await browser(control)
    page = await visitor.page("/operations")
    assert "figway routes set all-operations" in page.text


async def test_the_command_leads_from_one_path_to_a_route(control: Control) -> None:
    """What each command prints as the next one can be typed as it stands."""
    await control.seed()
    async with command_line(control) as cli:
        nothing = await asyncio.to_thread(cli.text, "operations", "/ws")
        await _typed(cli, nothing)
        await control.post("/reports", _report(1, _row("{urn:shop}GetBooking", 4)))
        found = await asyncio.to_thread(cli.text, "operations", "https://shop.example/ws?wsdl")
        assert "{urn:shop}GetBooking" in found
        await _typed(cli, found.replace("BACKEND", "fn"))
        route = await control.get("/routes/get-booking")
        assert route["match"]["operation"]["names"] == ["{urn:shop}GetBooking"]
        assert (route["new"], route["stage"]) == ("fn", "legacy")
        again = await asyncio.to_thread(cli.text, "operations", "/ws")
        assert "figway routes set" not in again


@pytest.mark.parametrize(
    "row",
    [
        _row("a,b", kind="form", field="action"),
        _row("{ cart user }", kind="graphql", type="query"),
        _row("sha256:" + "ab" * 32, kind="graphql"),
        _row("GetCart", kind="graphql", type="mutation"),
        _row("it's $HOME", kind="jsonrpc"),
    ],
    ids=lambda row: row["name"][:20],
)
async def test_the_command_of_a_line_makes_the_route_of_its_match(
    control: Control, row: dict[str, Any]
) -> None:
    await control.seed()
    await control.post("/reports", _report(1, row))
    [line] = (await control.get("/operations"))["items"]
    async with command_line(control) as cli:
        printed = await asyncio.to_thread(cli.text, "operations")
        await _typed(cli, printed.replace("BACKEND", "fn"))
    made = (await control.get(f"/routes/{line['suggested_id']}"))["match"]
    operation = {name: value for name, value in made["operation"].items() if value}
    assert operation == line["match"]["operation"]
    assert (made["path"], made["methods"]) == (line["match"]["path"], line["match"]["methods"])


async def _typed(cli: Cli, printed: str) -> None:
    """Type the command that was printed last."""
    [command] = [line.strip() for line in printed.splitlines() if "figway routes set" in line]
    await asyncio.to_thread(cli.text, *shlex.split(command)[1:])
