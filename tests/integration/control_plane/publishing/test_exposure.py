"""One policy where every change passes: more exposure without proof asks, less never does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from control_plane.publishing.exposure import Proof
from control_plane.publishing.service import Confirm
from figway.evidence.comparing import evidence_window
from figway.routing.compile import compile_table
from tests.support.comparing import evidenced, send
from tests.support.console import browser
from tests.support.control import Control

ASKED = "urn:figway:problem:confirmation_required"
FORCED = "urn:figway:problem:force_required"
PATCH = {"content-type": "application/merge-patch+json", "if-match": "*"}


def unsaid(control: Control) -> httpx.AsyncClient:
    """A client that has said nothing about evidence."""
    return control.client_with(control.key, confirm="")


async def at(control: Control, stage: str) -> None:
    body = {"stage": stage, "reason": "r"}
    answer = await control.client.post("/routes/orders/flip", json=body, headers={"if-match": "*"})
    assert answer.status_code == 200, answer.text


def flip(stage: str, weight: int | None = None) -> tuple[str, str, dict[str, Any]]:
    body = {"stage": stage, "reason": "r"} | ({} if weight is None else {"weight": weight})
    return "POST", "/routes/orders/flip", body


OTHER = {"id": "other", "side": "new", "url": "http://127.0.0.1:9"}
MORE = [
    ("legacy", *flip("canary", 1)),
    ("legacy", *flip("new")),
    ("new", *flip("retired")),
    ("new", "PATCH", "/routes/orders", {"new": "other"}),
    ("new", "PATCH", "/backends/fn", {"url": "http://127.0.0.1:9"}),
    ("new", "PATCH", "/routes/orders", {"match": {"path": "/{all=**}"}}),
    ("new", "PATCH", "/routes/orders", {"breaker": {"force": "closed"}}),
    ("new", "PATCH", "/routes/orders", {"fallback": {"enabled": False}}),
    ("retired", "DELETE", "/routes/orders", None),
]
LESS = [
    ("new", *flip("legacy")),
    ("new", *flip("shadow")),
    ("new", *flip("canary", 5_000)),
    ("legacy", *flip("shadow")),
    ("retired", *flip("new")),
    ("new", "DELETE", "/routes/orders", None),
    ("new", "PATCH", "/routes/orders", {"breaker": {"force": "open"}}),
    ("new", "PATCH", "/routes/orders", {"description": "words"}),
    ("legacy", "PATCH", "/backends/fn", {"url": "http://127.0.0.1:9"}),
    ("legacy", "PATCH", "/routes/orders", {"new": "other"}),
]


@pytest.mark.parametrize(("stage", "method", "path", "body"), MORE)
async def test_more_exposure_asks(
    control: Control, stage: str, method: str, path: str, body: Any
) -> None:
    """B5: by whatever way; and in words that say what new would serve, and what is known."""
    await control.seed()
    await control.post("/backends", OTHER)
    await at(control, stage)
    before = control.services.state.current
    headers = PATCH if method == "PATCH" else {"if-match": "*"}
    async with unsaid(control) as client:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 409, answer.text
        problem = answer.json()
        assert problem["type"] == ASKED
        [finding] = problem["findings"]
        assert finding["path"] == "route orders"
        if method != "DELETE":
            assert "evidence: nothing was compared yet" in finding["message"]
        assert control.services.state.current is before
        again = await client.request(
            method, path, json=body, headers=headers, params={"confirm": "exposure"}
        )
        assert again.status_code == 200, again.text


@pytest.mark.parametrize(("stage", "method", "path", "body"), LESS)
async def test_less_exposure_never_asks(
    control: Control, stage: str, method: str, path: str, body: Any
) -> None:
    """B5: nothing stands between an operator and legacy."""
    await control.seed()
    await control.post("/backends", OTHER)
    await at(control, stage)
    headers = PATCH if method == "PATCH" else {"if-match": "*"}
    async with unsaid(control) as client:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_undo_and_apply_are_held_to_it(control: Control) -> None:
    """B5: a way back to new is a way to new."""
    await control.seed()
    await at(control, "new")
    exported = (await control.client.get("/table/export")).text
    await at(control, "legacy")
    yaml = {"content-type": "application/yaml"}
    async with unsaid(control) as client:
        for answer in (
            await client.post("/revisions/undo", json={}),
            await client.post("/table/apply", content=exported, headers=yaml),
        ):
            assert answer.json()["type"] == ASKED, answer.text
        kept = await client.post(
            "/table/apply", content=exported, headers=yaml, params={"stages": "keep"}
        )
        assert kept.json()["changed"] is False


async def _evidence(control: Control, standing: Any) -> None:
    policy: Any = control.services.publisher.policy

    async def evidence(routes: Any) -> dict[str, Proof]:
        return {route: Proof(standing, "900 of 1000 pairs match") for route in routes}

    policy._evidence = evidence


async def test_proof_lets_it_pass(control: Control) -> None:
    """B5: who has evidence is not asked."""
    await control.seed()
    await _evidence(control, "proven")
    async with unsaid(control) as client:
        answer = await client.post(
            "/routes/orders/flip", json={"stage": "new", "reason": "r"}, headers={"if-match": "*"}
        )
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/routes/orders", {"new": "other"}),
        ("/routes/orders", {"match": {"path": "/orders/{rest=**}"}}),
        ("/backends/fn", {"url": "http://127.0.0.1:9"}),
    ],
)
async def test_proof_of_one_backend_speaks_for_no_other(
    control: Control, path: str, body: Any
) -> None:
    """B5: pairs that match prove what was compared, and nothing that takes its place."""
    await control.seed()
    await control.post("/backends", OTHER)
    await at(control, "new")
    await _evidence(control, "proven")
    async with unsaid(control) as client:
        answer = await client.patch(path, json=body, headers=PATCH)
        assert answer.json()["type"] == ASKED, answer.text
        assert "not what would serve" in answer.text
    await _evidence(control, "refuted")  # it may be the mending: a word is enough
    async with unsaid(control) as client:
        answer = await client.patch(path, json=body, headers=PATCH, params={"confirm": "exposure"})
        assert answer.status_code == 200, answer.text


async def _compared(control: Control, sequence: int, matches: int, differing: int = 0) -> None:
    """Pairs of how the route is now, as a proxy that serves the current table tells of them."""
    now = control.services.state.current
    window = evidence_window(compile_table(now.table).plans["orders"])
    fields = {"$.price|changed": differing} if differing else {}
    row = evidenced(matches, fields, window=window, revision=now.revision)
    assert await send(control, sequence, row)


async def _flipped(control: Control) -> httpx.Response:
    async with unsaid(control) as client:
        return await client.post(
            "/routes/orders/flip", json={"stage": "new", "reason": "r"}, headers={"if-match": "*"}
        )


@pytest.mark.parametrize(
    "moved", [{"url": "http://127.0.0.1:9"}, {"host_policy": "backend"}, {"region": "eu-west-1"}]
)
async def test_proof_ends_where_its_backend_was_changed(
    control: Control, moved: dict[str, Any]
) -> None:
    """B5 and use 9: while nobody depended on it the backend became another one. Pairs from before
    prove nothing of it, and those that came since do, without anybody's restart."""
    await control.seed()
    await _compared(control, 1, 500)
    assert (await control.client.patch("/backends/fn", json=moved, headers=PATCH)).is_success
    asked = await _flipped(control)
    assert asked.json()["type"] == ASKED, asked.text
    assert "500 of 500 pairs match" in asked.text
    assert "but of a backend or of rules that were changed since" in asked.text
    await _compared(control, 2, 500)
    answer = await _flipped(control)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/backends/fn", {"description": "the orders of Berlin"}),
        ("/backends/fn", {"balance": "least_outstanding"}),
        ("/backends/fn", {"limits": {"max_connections": 5}}),
        ("/backends/fn", {"outlier": {"failures": 3}}),
        ("/backends/fn", {"health": {"path": "/healthz"}}),
        ("/backends/legacy", {"fallback_budget": {"percent": 5}}),
        ("/routes/orders", {"description": "words"}),
    ],
)
async def test_proof_outlives_what_changes_no_answer(
    control: Control, path: str, body: dict[str, Any]
) -> None:
    """B5: what a backend is called, and what it may bear, is nothing that was compared."""
    await control.seed()
    await _compared(control, 1, 500)
    written = await control.client.patch(path, json=body, headers=PATCH)
    assert written.json()["changed"], written.text
    answer = await _flipped(control)
    assert answer.status_code == 200, answer.text


async def test_what_refutes_ends_where_its_backend_was_changed(control: Control) -> None:
    """B5: new was wrong, and is another one now: a word is enough, as for any that is unproven."""
    await control.seed()
    await _compared(control, 1, 100, differing=900)
    assert (await _flipped(control)).json()["type"] == FORCED
    moved = {"url": "http://127.0.0.1:9"}
    assert (await control.client.patch("/backends/fn", json=moved, headers=PATCH)).is_success
    asked = await _flipped(control)
    assert asked.json()["type"] == ASKED, asked.text


async def test_against_the_evidence_it_takes_force_and_a_reason(control: Control) -> None:
    """B5: a word is not enough where new is known to be wrong."""
    await control.seed()
    await _evidence(control, "refuted")
    answer = await control.flip(100)
    assert answer.json()["type"] == FORCED
    assert "900 of 1000" in answer.text
    assert (await control.flip(100, confirm="force")).status_code == 200


async def test_what_a_live_proxy_cannot_open_takes_force(control: Control) -> None:
    """B1: a flip to it is refused unless forced, and says which proxy and why."""
    await control.seed()
    closed = {"kind": "backend", "id": "fn", "side": "new", "code": "region", "text": "no region"}
    now = control.services.state.current
    await control.ack("p-1", now.revision, now.etag, quarantine=[closed])
    answer = await control.flip(100)
    assert answer.json()["type"] == FORCED
    assert "proxy p-1 cannot open backend fn: no region" in answer.text
    assert (await control.flip(100, confirm="force")).status_code == 200


async def test_the_console_asks_the_same(control: Control) -> None:
    """B5: the dialog shows what is asked, and the form without it is refused."""
    await control.seed()
    visitor = await browser(control)
    page = await visitor.page("/routes/orders/flip?stage=canary&percent=25")
    assert "New would serve more without proof" in page.text
    etag = next(a["value"] for a in page.all("input") if a.get("name") == "etag")
    form = {"stage": "canary", "percent": "25", "etag": etag, "reason": "r"}
    refused = await visitor.send("/routes/orders/flip", **form, confirm="")
    assert refused.status_code == 409
    assert (await visitor.send("/routes/orders/flip", **form)).status_code == 200
    back = await visitor.page("/routes/orders/flip?stage=legacy")
    assert "without proof" not in back.text


async def test_the_console_shows_commands_that_would_work(control: Control) -> None:
    """The same as CLI and curl: with the word that this flip takes."""
    await control.seed()
    visitor = await browser(control)
    path = "/routes/orders/flip?stage=canary&percent=25"
    page = await visitor.page(path)
    assert "canary --weight 25% --reason why --yes" in page.text
    assert "&confirm=exposure" in page.text
    await _evidence(control, "refuted")
    page = await visitor.page(path)
    assert "canary --weight 25% --reason why --force" in page.text
    assert "&confirm=force" in page.text


async def test_the_system_itself_is_held_to_it(control: Control) -> None:
    """B5: no caller of the publisher goes round it by accident."""
    await control.seed()
    assert control.services.publisher.policy is not None
    assert Confirm("") is Confirm.NOTHING


async def test_a_secret_is_not_sent_elsewhere_by_the_way(control: Control) -> None:
    """S3: whoever may set a backend may not have the proxies' secrets sent to an address of their
    own: it takes force and a reason, which the audit shows; at its own address nothing asks."""
    await control.seed()
    secret = {"header": "Authorization", "value": "env:FIGWAY_SECRET_SHOP"}
    mine = {"id": "shop", "side": "new", "url": "https://shop.example", "credentials": [secret]}
    assert (await control.post("/backends", mine)).status_code == 201
    thief = {**mine, "id": "thief", "url": "https://thief.example"}
    answer = await control.post("/backends", thief)
    assert answer.json()["type"] == FORCED
    assert "env:FIGWAY_SECRET_SHOP would be sent to thief.example" in answer.text
    moved = {"url": "https://thief.example/x"}
    for confirm in ("", "exposure"):
        answer = await control.client.patch(
            "/backends/shop", json=moved, headers={"if-match": "*"},
            params={"confirm": confirm} if confirm else None,
        )  # fmt: skip
        assert answer.json()["type"] == FORCED
    for change in ({"url": "https://shop.example/v2"}, {"description": "x"}):
        answer = await control.client.patch(
            "/backends/shop", json=change, headers={"if-match": "*"}
        )
        assert answer.status_code == 200, answer.text
    answer = await control.client.patch(
        "/backends/shop", json=moved, headers={"if-match": "*"},
        params={"confirm": "force", "reason": "the shop moved house"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text


async def test_the_password_of_a_redis_belongs_to_its_address(control: Control) -> None:
    """S3: as any secret; another stream of the same Redis does not ask."""
    await control.seed()
    stream = {"name": "jobs", "password": "env:FIGWAY_SECRET_REDIS"}
    mine = {"id": "jobs", "side": "new", "kind": "queue", "url": "redis://a:6379",
            "stream": stream}  # fmt: skip
    assert (await control.post("/backends", mine)).status_code == 201
    other = {**mine, "id": "more", "stream": {**stream, "name": "more"}}
    assert (await control.post("/backends", other)).status_code == 201
    answer = await control.post("/backends", {**mine, "id": "thief", "url": "redis://thief:6379"})
    assert answer.json()["type"] == FORCED
    assert "env:FIGWAY_SECRET_REDIS would be sent to thief:6379" in answer.text
