"""B1: a change that sends more to what a live proxy cannot open is refused unless forced; by every
way, and no other change is."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from typer.testing import Result

from control_plane.db.models import InstanceRow
from tests.integration.control_plane.publishing.test_exposure import FORCED, LESS, PATCH, at
from tests.support.command_line import Cli, command_line
from tests.support.console import browser
from tests.support.control import Control
from tests.support.rollouts import Heard

CLOSED = {
    "kind": "backend", "id": "fn", "side": "new", "code": "secret",
    "text": "Backend fn: env:FIGWAY_SECRET_X is not set.",
}  # fmt: skip
OTHER = {"id": "other", "side": "new", "url": "http://127.0.0.1:9"}
WHY = "proxy p-1 cannot open backend fn: env:FIGWAY_SECRET_X is not set"


async def closed(control: Control, proxy: str = "p-1", **more: Any) -> None:
    """A proxy that serves the newest table says that it cannot open `fn`."""
    now = control.services.state.current
    await control.ack(proxy, now.revision, now.etag, quarantine=[{**CLOSED, **more}])


async def flipped(control: Control, **query: str) -> httpx.Response:
    """A flip to new by somebody who has seen the evidence."""
    return await control.flip(100, **query)


WAYS = [
    ("legacy", "POST", "/routes/orders/flip", {"stage": "new", "reason": "r"}),
    ("shadow", "POST", "/routes/orders/flip", {"stage": "canary", "weight": 1, "reason": "r"}),
    ("legacy", "POST", "/capabilities/shop/flip", {"stage": "new", "reason": "r"}),
    ("new", "POST", "/routes/orders/flip", {"stage": "retired", "reason": "r"}),
    ("legacy", "PATCH", "/routes/orders", {"stage": "new"}),
    ("new", "PATCH", "/routes/orders", {"match": {"path": "/{all=**}"}}),
    ("new", "PATCH", "/routes/orders", {"fallback": {"enabled": False}}),
    ("new", "POST", "/routes/orders/breaker", {"force": "closed", "reason": "r"}),
    ("legacy", "POST", "/routes",
     {"id": "more", "match": {"path": "/more"}, "new": "fn", "stage": "new"}),
    ("other", "PATCH", "/routes/orders", {"new": "fn"}),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "method", "path", "body"), WAYS)
async def test_more_to_what_a_proxy_cannot_open_takes_force(
    control: Control, stage: str, method: str, path: str, body: Any
) -> None:
    """B1: it names the route, the proxy, the backend, the reason and the next step."""
    await control.seed()
    await control.post("/backends", OTHER)
    await control.post("/capabilities", {"id": "shop"})
    await control.client.patch("/routes/orders", json={"capability": "shop"}, headers=PATCH)
    if stage == "other":
        await control.client.patch("/routes/orders", json={"new": "other"}, headers=PATCH)
    await at(control, "new" if stage == "other" else stage)
    await closed(control)
    headers = PATCH if method == "PATCH" else {} if path == "/routes" else {"if-match": "*"}
    answer = await control.client.request(method, path, json=body, headers=headers)
    assert answer.status_code == 409, answer.text
    problem = answer.json()
    assert problem["type"] == FORCED
    [finding] = problem["findings"]
    assert finding["code"] == "cannot_open"
    assert WHY in finding["message"]
    assert "figway backends set fn" in finding["resolution"]
    query = {"confirm": "force", "reason": "it is mended within the hour"}
    forced = await control.client.request(method, path, json=body, headers=headers, params=query)
    assert forced.is_success, forced.text


@pytest.mark.parametrize(("stage", "method", "path", "body"), LESS)
async def test_less_never_asks_whatever_proxies_open(
    control: Control, stage: str, method: str, path: str, body: Any
) -> None:
    """B1: the way back passes while its new is in quarantine, and so does its mending."""
    await control.seed()
    await control.post("/backends", OTHER)
    await at(control, stage)
    await closed(control)
    headers = PATCH if method == "PATCH" else {"if-match": "*"}
    answer = await control.client.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text


async def test_every_proxy_is_named_with_its_own_reason(control: Control) -> None:
    """B1: one reason once, with all proxies that give it, and the others beside it."""
    await control.seed()
    for proxy in ("p-2", "p-1"):
        await closed(control, proxy)
    await closed(control, "p-3", text="/run/secrets/figway/x is not there")
    said = (await flipped(control)).json()["detail"]
    assert "proxies p-1, p-2 cannot open backend fn: env:FIGWAY_SECRET_X is not set" in said
    assert "proxy p-3 cannot open backend fn: /run/secrets/figway/x is not there" in said


async def test_the_report_of_a_silent_proxy_ends(control: Control) -> None:
    """B1: a proxy that is gone keeps nobody from a flip for ever, nor does one that said
    goodbye."""
    await control.seed()
    await closed(control)
    older = update(InstanceRow).values(seen_ms=InstanceRow.seen_ms - 600_000)
    async with control.services.database.write() as connection:
        await connection.execute(older)
    assert (await flipped(control)).is_success
    await at(control, "legacy")
    await closed(control)
    assert (await flipped(control)).status_code == 409
    now = control.services.state.current
    await control.ack("p-1", now.revision, now.etag, quarantine=[CLOSED], stopping=True)
    assert (await flipped(control)).is_success


async def test_a_proxy_that_opened_it_since_asks_no_more(control: Control) -> None:
    await control.seed()
    await closed(control)
    assert (await flipped(control)).status_code == 409
    now = control.services.state.current
    await control.ack("p-1", now.revision, now.etag)
    assert (await flipped(control)).is_success


async def test_a_report_is_of_the_backend_that_it_was_made_of(control: Control) -> None:
    """B1: who mends a backend may flip to it at once; a word of the proxy about the one before,
    that is still on its way, keeps nobody. One about the mended one does."""
    await control.seed()
    await closed(control)
    mended = {"url": "http://127.0.0.1:9002"}
    assert (await control.client.patch("/backends/fn", json=mended, headers=PATCH)).is_success
    assert (await flipped(control)).is_success
    await at(control, "legacy")
    await closed(control)
    assert (await flipped(control)).status_code == 409
    renamed = {"description": "nothing that opens it"}
    assert (await control.client.patch("/backends/fn", json=renamed, headers=PATCH)).is_success
    await closed(control)
    assert (await flipped(control)).status_code == 409


async def test_one_change_may_mend_and_flip(control: Control) -> None:
    """B1: a file that brings both is not held to what the backend before was; one that only calls
    it otherwise is."""
    await control.seed()
    await closed(control)

    def document(**backend: str) -> dict[str, Any]:
        fn = {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001", **backend}
        legacy = {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"}
        route = {"id": "orders", "match": {"path": "/orders/{id}"}, "new": "fn", "stage": "new"}
        return {"default_backend": "legacy", "backends": [legacy, fn], "routes": [route]}

    refused = await control.post("/table/apply", document(description="called otherwise"))
    assert refused.json()["type"] == FORCED
    assert WHY in refused.text
    mended = await control.post("/table/apply", document(url="http://127.0.0.1:9002"))
    assert mended.is_success, mended.text


async def test_undo_redo_and_restore_are_held_to_it(control: Control) -> None:
    """B1: a way back to new is a way to new."""
    await control.seed()
    await at(control, "new")
    there = control.services.state.current.revision
    await at(control, "legacy")
    await closed(control)
    for path in ("/revisions/undo", f"/revisions/{there}/restore"):
        answer = await control.client.post(path, json={"reason": "r"})
        assert answer.json()["type"] == FORCED, answer.text
    query = {"confirm": "force"}
    assert (
        await control.client.post("/revisions/undo", json={"reason": "r"}, params=query)
    ).is_success
    assert (await control.client.post("/revisions/redo", json={"reason": "r"})).is_success
    assert (
        await control.client.post("/revisions/undo", json={"reason": "r"}, params=query)
    ).is_success


async def test_a_person_cannot_promote_to_it_by_the_way(control: Control) -> None:
    """B1: a rollout's gates judge the evidence; they open no backend. Force does, with a reason."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await closed(control, "p1")
    answer = await heard.say("promote")
    assert answer.json()["type"].endswith("rollout_not_promoted"), answer.text
    assert "p1 leaves out backend fn: " in answer.text
    full = await heard.say("promote-full")
    assert full.json()["type"] == FORCED, full.text
    assert "proxy p1 cannot open backend fn" in full.text
    assert await heard.stands() == "5 %"
    async with command_line(control) as cli:
        words = ("rollout", "promote", "orders", "--full", "--reason", "legacy is down")
        refused: Any = (await _ran(cli, *words)).exception
        assert refused.code == 9
        assert (await _ran(cli, *words, "--force")).exit_code == 0
    assert await heard.stands() == "new"
    assert (await heard.say("abort")).is_success
    assert await heard.stands() == "shadow", "the plan's floor: less never asks"


async def _ran(cli: Cli, *words: str) -> Result:
    return await asyncio.to_thread(cli.run, *words)


async def test_the_command_line_names_it_and_the_way_on(control: Control) -> None:
    """B1: exit code 9, the sentence, and the words that are printed do what they say; also for
    undo, redo and breaker, which had no such word."""
    await control.seed()
    await closed(control)
    async with command_line(control) as cli:
        for words in (("flip", "orders", "new"), ("weight", "orders", "5%")):
            found = (await _ran(cli, *words, "--yes")).exception
            assert found is not None
            assert getattr(found, "code", 0) == 9, found
            assert "--force --reason" in getattr(found, "hint", "")
        said: Any = (await _ran(cli, "flip", "orders", "new", "--yes")).exception
        assert WHY in said.findings[0]["message"]
        force = ("--force", "--reason", "mended within the hour")
        assert (await _ran(cli, "flip", "orders", "new", *force)).exit_code == 0
        assert (await _ran(cli, "flip", "orders", "legacy")).exit_code == 0
        await closed(control)
        for way in (("undo",), ("breaker", "orders", "closed")):
            refused: Any = (await _ran(cli, *way, "--yes")).exception
            assert refused is not None, way
            assert refused.code == 9
            done = await _ran(cli, *way, *force)
            assert done.exit_code == 0, (way, done.exception)


async def test_the_console_says_it_in_the_dialog(control: Control) -> None:
    """B1: before the press, and it is not pressed without the tick."""
    await control.seed()
    await closed(control)
    visitor = await browser(control)
    page = await visitor.page("/routes/orders/flip?stage=canary&percent=25")
    assert WHY in page.text
    assert "Do it all the same" in page.text
    etag = next(a["value"] for a in page.all("input") if a.get("name") == "etag")
    form = {"stage": "canary", "percent": "25", "etag": etag, "reason": "r"}
    refused = await visitor.send("/routes/orders/flip", **form, confirm="exposure")
    assert refused.status_code == 409
    assert (await visitor.send("/routes/orders/flip", **form, confirm="force")).status_code == 200


async def test_undo_in_the_console_wants_the_reason_with_the_tick(control: Control) -> None:
    """B1: a tick without a reason keeps the tick, and says what is missing."""
    await control.seed()
    await at(control, "new")
    await at(control, "legacy")
    await closed(control)
    visitor = await browser(control)
    path = f"/revisions/{control.services.state.current.revision}/undo"
    refused = await visitor.send(path, reason="", confirm="")
    assert refused.status_code == 409
    bare = await visitor.send(path, reason="", confirm="force")
    assert bare.status_code == 422
    assert "Do it all the same" in bare.text
    assert (await visitor.send(path, reason="mended soon", confirm="force")).status_code == 200
