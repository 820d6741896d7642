"""Approvals and freezes: they hold for every change, and nothing stands before the way back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from control_plane.auth.roles import Role
from tests.support.control import Control
from tests.support.rollouts import Heard

RULES: dict[str, Any] = {"approvals": [{"need": 1, "weight_over": "25%", "stages": ["new"]}]}
FROZEN: dict[str, Any] = {"freezes": [{"id": "sale", "reason": "the big sale"}]}


async def _rules(control: Control, rules: dict[str, Any]) -> None:
    answer = await control.client.put("/change-rules", json=rules)
    assert answer.status_code == 200, answer.text


async def test_a_change_waits_for_another_person(control: Control) -> None:
    """Refused with its hash; approved by another; made once, and then anew."""
    await control.seed()
    await _rules(control, RULES)
    assert (await control.flip(2_500)).status_code == 200
    refused = await control.flip(5_000)
    assert (refused.status_code, refused.json()["type"]) == (
        409, "urn:figway:problem:approval_required",
    )  # fmt: skip
    waiting = (await control.get("/approvals"))["items"]
    assert [entry["status"] for entry in waiting] == ["open"]
    own = await control.post(f"/approvals/{waiting[0]['hash']}/approve", {"reason": "me"})
    assert own.status_code == 409
    async with await control.client_of(Role.OPERATOR) as other:
        short = waiting[0]["hash"][:12]
        given = await other.post(f"/approvals/{short}/approve", json={"reason": "looked at it"})
        assert given.status_code == 200, given.text
    assert (await control.flip(6_000)).status_code == 409, "another change has no approval"
    assert (await control.flip(5_000)).status_code == 200
    await control.flip(100)
    assert (await control.flip(5_000)).status_code == 409, "its approval is spent"
    types = [entry["type"] for entry in (await control.get("/out-events"))["items"]]
    assert "figway.approval.needed" in types


async def test_two_keys_of_one_name_are_one_person(control: Control) -> None:
    """Neither does a second key of whoever asks approve, nor do two of one person count twice."""
    await control.seed()
    await _rules(control, {"approvals": [{"need": 2, "weight_over": "25%"}]})
    async with (
        await control.client_of(Role.OPERATOR, "ann") as ann,
        await control.client_of(Role.OPERATOR, "Ann") as ann_again,
        await control.client_of(Role.OPERATOR, "bob") as bob,
        await control.client_of(Role.OPERATOR, "bob") as bob_again,
        await control.client_of(Role.OPERATOR, "cy") as cy,
    ):

        async def flip() -> int:
            body = {"weight": 5_000, "reason": "x"}
            path, headers = "/routes/orders/flip?confirm=exposure", {"if-match": "*"}
            return (await ann.post(path, json=body, headers=headers)).status_code

        async def approve(client: httpx.AsyncClient) -> int:
            path = f"/approvals/{wanted}/approve"
            return (await client.post(path, json={"reason": "ok"})).status_code

        assert await flip() == 409
        wanted = (await control.get("/approvals"))["items"][0]["hash"]
        assert await approve(ann_again) == 409
        for other in (bob, bob_again):
            assert await approve(other) == 200
        assert await flip() == 409, "one person has approved, twice"
        assert await approve(cy) == 200
        assert await flip() == 200


async def test_an_approved_change_is_made_by_its_hash(control: Control) -> None:
    """As long as the table is as it was when it was asked for."""
    await control.seed()
    await _rules(control, RULES)
    await control.flip(5_000)
    wanted = (await control.get("/approvals"))["items"][0]["hash"]
    async with await control.client_of(Role.OPERATOR) as other:
        await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
    made = await control.post(f"/approvals/{wanted}/make", {"reason": "go"})
    assert made.status_code == 200, made.text
    assert (await control.get("/routes/orders"))["weight"] == 5_000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/routes/orders/flip", {"weight": 500, "reason": "x"}),
        ("PATCH", "/routes/orders", {"stage": "canary", "weight": 500}),
        ("PUT", "/routes/orders", {"id": "orders", "match": {"path": "/orders/{id}"},
                                   "new": "fn", "stage": "new"}),
        ("POST", "/routes", {"id": "other", "match": {"path": "/other"}, "new": "fn",
                             "stage": "new"}),
        ("POST", "/table/apply", {"default_backend": "legacy", "backends": [
            {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"},
            {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"}],
            "routes": [{"id": "orders", "match": {"path": "/orders/{id}"}, "new": "fn",
                        "stage": "new"}]}),
    ],
)  # fmt: skip
async def test_no_endpoint_goes_around_a_freeze(
    control: Control, method: str, path: str, body: dict[str, Any]
) -> None:
    """Whatever makes a change towards new: 409, and nothing is stored."""
    await control.seed()
    await _rules(control, FROZEN)
    before = control.services.state.current.revision
    answer = await control.client.request(method, path, json=body, headers={"if-match": "*"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:figway:problem:frozen")
    assert "the big sale" in answer.json()["detail"]
    assert control.services.state.current.revision == before


async def test_the_way_back_passes_every_freeze_and_every_rule(control: Control) -> None:
    """trap 56: lower weight, shadow, legacy, the kill switch, a breaker forced open."""
    await control.seed()
    await control.flip(5_000)
    await _rules(control, {**FROZEN, "approvals": [{"need": 5, "stages": ["canary", "shadow"]}]})
    for body in ({"weight": 4_000}, {"stage": "shadow"}, {"stage": "legacy"}):
        answer = await control.client.post(
            "/routes/orders/flip", json={**body, "reason": "back"}, headers={"if-match": "*"}
        )
        assert answer.status_code == 200, answer.text
    answer = await control.post("/routes/orders/breaker", {"force": "open", "reason": "x"})
    assert answer.status_code == 200, answer.text
    answer = await control.post("/kill", {"on": True, "reason": "x"})
    assert answer.status_code == 200, answer.text


async def test_a_rollout_waits_for_the_rules_and_steps_back_through_them(
    control: Control,
) -> None:
    """A freeze is `window`, a missing approval is `approval`; whoever started it cannot give it."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await _rules(control, FROZEN)
    found = await heard.tick()
    assert (found["waiting_for"], found["reasons"][0]["code"]) == ("window", "freeze")
    await _rules(control, {"approvals": [{"need": 1, "weight_over": "5%"}]})
    found = await heard.tick()
    assert (found["waiting_for"], found["needs_attention"]) == ("approval", True)
    wanted = (await control.get("/approvals"))["items"][0]["hash"]
    own = await control.post(f"/approvals/{wanted}/approve", {"reason": "my own rollout"})
    assert own.status_code == 409
    assert (await heard.tick())["waiting_for"] == "approval"
    async with await control.client_of(Role.OPERATOR) as other:
        await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
    await heard.tick()
    assert await heard.stands() == "25 %"
    await _rules(control, {**FROZEN, "approvals": [{"need": 9, "stages": ["canary"]}]})
    await heard.tick(legacy=75, new=0, failed=40)
    assert await heard.stands() == "5 %"


@pytest.mark.parametrize(
    "rules",
    [
        {"approval": []},
        {"approvals": [{"need": 0, "stages": ["new"]}]},
        {"approvals": [{"need": 1}]},
        {"approvals": [{"need": 1, "weight_over": 25}]},
        {"approvals": [{"need": 1, "weight_over": "25.555%"}]},
        {"approvals": [{"need": 1, "stages": ["gone"]}]},
        {"freezes": [{"reason": "no name"}]},
        {"freezes": [{"id": "a", "from": "tomorrow"}]},
        {"freezes": [{"id": "a", "from": "2026-12-20T00:00:00"}]},
        {"freezes": [{"id": "a", "from": "2026-12-20T00:00:00Z", "to": "2026-12-19T00:00:00Z"}]},
        {"freezes": [{"id": "a", "days": "fri-sun", "from": "2026-12-20T00:00:00Z"}]},
        {"freezes": [{"id": "a", "days": "fri-sun", "zone": "Mars/Base"}]},
    ],
)
async def test_rules_that_cannot_be_are_refused(control: Control, rules: dict[str, Any]) -> None:
    """With their place; those in force stay."""
    await _rules(control, FROZEN)
    answer = await control.client.put("/change-rules", json=rules)
    assert answer.status_code == 422, answer.text
    assert answer.json()["findings"][0]["path"].startswith("$.")
    assert (await control.get("/change-rules"))["freezes"][0]["id"] == "sale"
