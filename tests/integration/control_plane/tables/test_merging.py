"""What a file may leave alone, and how shares are written in it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml

from tests.support.control import Control

YAML = {"content-type": "application/yaml"}


async def apply(control: Control, document: Any, **query: str) -> httpx.Response:
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    return await control.client.post("/table/apply", content=text, headers=YAML, params=query)


async def test_a_file_can_leave_what_it_does_not_name(control: Control) -> None:
    """use 15: `--merge`."""
    await control.seed()
    more = {"routes": [{"id": "more", "match": {"path": "/more"}, "new": "fn"}]}
    done = await apply(control, more, merge="true")
    assert done.status_code == 200, done.text
    table = (await control.get("/table"))["table"]
    assert {route["id"] for route in table["routes"]} == {"orders", "more"}
    assert {backend["id"] for backend in table["backends"]} == {"legacy", "fn"}


async def test_an_old_file_can_move_no_traffic(control: Control) -> None:
    """use 15: a week-old file does not roll a canary back, where that is asked for."""
    await control.seed()
    old = (await control.client.get("/table/export")).text
    await control.flip(2_500)
    kept = await apply(control, old, stages="keep")
    assert kept.json()["changed"] is False
    assert (await control.get("/routes/orders"))["weight"] == 2_500
    moved = await apply(control, old)
    assert moved.json()["changed"] is True
    assert (await control.get("/routes/orders"))["stage"] == "legacy"


async def test_shares_are_written_one_way(control: Control) -> None:
    """use 2: `25%` in files, calls and texts; a bare number, which may mean 0.25%, is refused."""
    await control.seed()
    flip = {"weight": "25%", "reason": "r"}
    done = await control.client.post("/routes/orders/flip", json=flip, headers={"if-match": "*"})
    assert done.status_code == 200, done.text
    assert "route orders: weight 0% -> 25%" in [entry["text"] for entry in done.json()["changes"]]
    text = (await control.client.get("/table/export")).text
    assert "weight: 25%" in text
    assert (await apply(control, text)).json()["changed"] is False
    refused = await apply(control, text.replace("weight: 25%", "weight: 25"))
    assert refused.status_code == 422
    assert "25 may mean 25% or 0.25%" in refused.text
    half = await apply(control, text.replace("weight: 25%", "weight: 0.5%"))
    assert half.status_code == 200
    assert (await control.get("/routes/orders"))["weight"] == 50


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/orders/:id", "write {id} to take any segment there"),
        (r"^/orders/\d+$", "a template is no regular expression: write /orders/{id}"),
    ],
)
async def test_paths_of_other_routers_are_pointed_out(
    control: Control, path: str, said: str
) -> None:
    """use 4: `:id` is a literal here, and an expression is none."""
    await control.seed()
    body = {"id": "other", "match": {"path": path}, "new": "fn"}
    assert said in (await control.post("/routes", body)).text


async def test_explain_says_why_a_slash_misses(control: Control) -> None:
    """use 4: the route that would match without it is named."""
    await control.seed()
    asked = await control.post("/explain", {"url": "/orders/7/"})
    [near] = asked.json()["explanation"]["losers"]
    assert near["route_id"] == "orders"
    assert "slash" in near["why"]


async def test_the_answer_of_an_edit_names_the_items_etag(control: Control) -> None:
    """use 12: what PATCH answers serves as the next If-Match."""
    await control.seed()
    headers = {"content-type": "application/merge-patch+json", "if-match": "*"}
    first = await control.client.patch("/routes/orders", json={"description": "a"}, headers=headers)
    assert first.headers["etag"] == f'"{first.json()["etag"]}"'
    headers["if-match"] = first.headers["etag"]
    again = await control.client.patch("/routes/orders", json={"description": "b"}, headers=headers)
    assert again.status_code == 200, again.text


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_called_json_is_said(control: Control, media: str) -> None:
    """use 12: not "Input should be a valid dictionary"; the header that is missing is named."""
    await control.seed()
    body = b'{"stage": "legacy", "reason": "r"}'
    headers = {"if-match": "*", **({"content-type": media} if media else {})}
    for path, content in (("/routes/orders/flip", body), ("/kill", b'{"on": true}')):
        answer = await control.client.post(path, content=content, headers=headers)
        assert answer.status_code == 422
        assert "Content-Type: application/json" in answer.text
        assert "valid dictionary" not in answer.text


async def test_braces_within_braces_are_pointed_out(control: Control) -> None:
    """use 4: a path template in a flow mapping is no YAML, and looks as if it were."""
    text = "routes:\n- id: pay\n  match: {path: /pay/{x}}\n"
    answer = await control.client.post(
        "/table/apply", content=text, headers={"content-type": "application/yaml"}
    )
    assert answer.status_code == 422
    assert "{path: '/orders/{id}'}" in answer.json()["findings"][0]["resolution"]


async def test_a_character_that_acts_is_said_in_words(control: Control) -> None:
    """S4: and not by the pattern that it does not match."""
    answer = await control.post("/keys", {"name": "a\x1b[2J", "role": "viewer"})
    assert answer.status_code == 422
    assert "acts instead of showing" in answer.text
    assert "pattern" not in answer.text
