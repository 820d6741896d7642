"""No endpoint goes around approvals and freezes: all are listed, and each is tried."""

from __future__ import annotations

import re
from typing import Any

import pytest

from control_plane.auth.roles import Role
from tests.integration.control_plane.auth.role_matrix import MATRIX
from tests.support.control import ROUTE, Control
from tests.support.rollouts import Heard

EDIT = {"if-match": "*"}

Sent = tuple[str, Any]
"""A path, and a body."""

NEW = {**ROUTE, "stage": "new"}
LEGACY = {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"}
FN = {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"}
TABLE = {"default_backend": "legacy", "backends": [LEGACY, FN], "capabilities": [{"id": "shop"}],
         "routes": [{**NEW, "capability": "shop"}]}  # fmt: skip

MOVES: dict[tuple[str, str], Sent] = {
    ("POST", "/routes"): ("/routes", {**NEW, "id": "other", "match": {"path": "/other"}}),
    ("PUT", "/routes/{route_id}"): ("/routes/orders", NEW),
    ("PATCH", "/routes/{route_id}"): ("/routes/orders", {"stage": "new"}),
    ("POST", "/routes/{route_id}/flip"): ("/routes/orders/flip", {"stage": "new", "reason": "x"}),
    ("POST", "/capabilities/{capability_id}/flip"): (
        "/capabilities/shop/flip", {"stage": "new", "reason": "x"},
    ),
    ("POST", "/table/apply"): ("/table/apply", TABLE),
    ("POST", "/revisions/undo"): ("/revisions/undo", {"reason": "x"}),
    ("POST", "/revisions/{number}/undo"): ("/revisions/{last}/undo", {"reason": "x"}),
    ("POST", "/revisions/{number}/restore"): ("/revisions/{before}/restore", {"reason": "x"}),
}  # fmt: skip
"""Endpoints that can move a route towards new, and how they do: all need an approval."""

CHANGES: dict[tuple[str, str], Sent] = {
    ("POST", "/routes/{route_id}/breaker"): (
        "/routes/orders/breaker", {"force": "closed", "reason": "x"},
    ),
    ("DELETE", "/routes/{route_id}"): ("/routes/narrow", None),
    ("POST", "/backends"): ("/backends", {**FN, "id": "other"}),
    ("PUT", "/backends/{backend_id}"): ("/backends/fn", {**FN, "url": "http://127.0.0.1:9002"}),
    ("PATCH", "/backends/{backend_id}"): ("/backends/fn", {"url": "http://127.0.0.1:9002"}),
    ("DELETE", "/backends/{backend_id}"): ("/backends/spare", None),
    ("POST", "/capabilities"): ("/capabilities", {"id": "other"}),
    ("PUT", "/capabilities/{capability_id}"): ("/capabilities/shop", {"id": "shop", "salt": "s"}),
    ("PATCH", "/capabilities/{capability_id}"): ("/capabilities/shop", {"salt": "s"}),
    ("DELETE", "/capabilities/{capability_id}"): ("/capabilities/spare", None),
    ("POST", "/routes/{route_id}/rules"): (
        "/routes/orders/rules", {"kind": "ignore", "target": "$.a"},
    ),
    ("DELETE", "/routes/{route_id}/rules/{rule_id}"): ("/routes/orders/rules/{rule}", None),
    ("POST", "/routes/{route_id}/noise"): (
        "/routes/orders/noise", {"field": "$.a", "word": "noise"},
    ),
    ("POST", "/routes/{route_id}/compared-headers"): (
        "/routes/orders/compared-headers", {"name": "X-Total"},
    ),
}  # fmt: skip
"""Endpoints that change the table otherwise: a freeze holds them."""

OTHERS = {
    # no change of the table, or one that another test makes (redo, approvals, rollouts)
    ("POST", "/revisions/redo"), ("POST", "/approvals/{change}/make"),
    ("POST", "/rollouts/{rollout}/{word}"),
    ("PUT", "/rollouts/{rollout}"), ("DELETE", "/rollouts/{rollout}"),
    ("POST", "/rollouts/{rollout}/start"), ("POST", "/kill"), ("DELETE", "/fleet/{instance}"),
    ("POST", "/routes/{route_id}/evidence/restart"),  # exposes nobody: it passes a freeze
    ("POST", "/comparisons/replays"), ("POST", "/approvals/{change}/approve"),
    ("POST", "/approvals/{change}/reject"), ("POST", "/webhooks/{webhook}/test"),
    ("POST", "/deliveries/{number}/send"),
}  # fmt: skip


def test_every_endpoint_is_listed() -> None:
    """Whoever adds one that an operator may call decides whether the rules hold it."""
    edits = {key for key, role in MATRIX.items() if key[0] != "GET" and role is Role.OPERATOR}
    assert edits == set(MOVES) | set(CHANGES) | OTHERS


async def _prepared(control: Control) -> None:
    """`orders` in `shop` at 5 %, taken back to legacy by the last revision; a narrow route at
    legacy before a broad one at new; something to spare."""
    await control.seed()
    for path, body in (
        ("/capabilities", {"id": "shop"}), ("/capabilities", {"id": "spare"}),
        ("/backends", {**FN, "id": "spare"}),
        ("/routes", {**NEW, "id": "broad", "match": {"path": "/parts/{id}"}}),
        ("/routes", {**ROUTE, "id": "narrow", "match": {"path": "/parts/one"}}),
        ("/routes/orders/rules", {"kind": "ignore", "target": "$.b"}),
    ):  # fmt: skip
        answer = await control.post(path, body, if_match="*")
        assert answer.status_code in (200, 201), (path, answer.text)
    joined = await control.client.patch(
        "/routes/orders", json={"capability": "shop"}, headers={"if-match": "*"}
    )
    assert joined.status_code == 200, joined.text
    for body in ({"stage": "new"}, {"stage": "legacy"}):
        flip = {**body, "reason": "x"}
        answer = await control.post("/capabilities/shop/flip", flip, if_match="*")
        assert answer.status_code == 200, answer.text


async def _send(control: Control, key: tuple[str, str]) -> Any:
    path, body = {**MOVES, **CHANGES}[key]
    last = control.services.state.current.revision
    rules = await control.get("/routes/orders/rules")
    path = path.format(last=last, before=last - 1, rule=rules[0]["id"] if rules else "")
    path = re.sub("//+", "/", path)
    return await control.client.request(key[0], path, json=body, headers={"if-match": "*"})


@pytest.mark.parametrize("key", [*MOVES, *CHANGES], ids=" ".join)
async def test_a_freeze_holds_it(control: Control, key: tuple[str, str]) -> None:
    """409 `frozen`, nothing is stored; without the freeze the same request is a change."""
    await _prepared(control)
    await control.client.put("/change-rules", json={"freezes": [{"id": "sale"}]})
    before = control.services.state.current
    answer = await _send(control, key)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:figway:problem:frozen")
    assert control.services.state.current is before
    await control.client.put("/change-rules", json={})
    answer = await _send(control, key)
    assert answer.is_success, answer.text
    assert control.services.state.current.revision > before.revision


@pytest.mark.parametrize("key", [*MOVES, ("DELETE", "/routes/{route_id}")], ids=" ".join)
async def test_it_needs_an_approval(control: Control, key: tuple[str, str]) -> None:
    """409 `approval_required` with a hash; what one person asked for another approves, once."""
    await _prepared(control)
    await control.client.put("/change-rules", json={"approvals": [{"need": 1, "stages": ["new"]}]})
    before = control.services.state.current
    answer = await _send(control, key)
    problem = (answer.status_code, answer.json()["type"])
    assert problem == (409, "urn:figway:problem:approval_required"), answer.text
    assert control.services.state.current is before
    wanted = (await control.get("/approvals"))["items"][0]["hash"]
    async with await control.client_of(Role.OPERATOR) as other:
        given = await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
        assert given.status_code == 200, given.text
    answer = await _send(control, key)
    assert answer.is_success, answer.text
    assert control.services.state.current.revision == before.revision + 1


async def test_redo_needs_an_approval(control: Control) -> None:
    """What was taken back by undo comes back by redo."""
    await control.seed()
    await control.client.post(
        "/routes/orders/flip", json={"stage": "new", "reason": "x"}, headers={"if-match": "*"}
    )
    await control.post("/revisions/undo", {"reason": "x"})
    await control.client.put("/change-rules", json={"approvals": [{"need": 1, "stages": ["new"]}]})
    answer = await control.post("/revisions/redo", {"reason": "x"})
    assert answer.json()["type"] == "urn:figway:problem:approval_required", answer.text


@pytest.mark.parametrize("word", ["promote", "promote-full"])
async def test_a_promotion_needs_an_approval(control: Control, word: str) -> None:
    """A person's word past the gates is not past the rules."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("25 %")
    rules = {"approvals": [{"need": 1, "stages": ["new"]}]}
    await control.client.put("/change-rules", json=rules)
    answer = await heard.say(word)
    assert (answer.status_code, await heard.stands()) == (409, "25 %"), answer.text


async def _approved(control: Control, body: dict[str, Any]) -> str:
    """The hash of a flip that another person has approved."""
    await control.client.put(
        "/change-rules", json={"approvals": [{"need": 1, "stages": ["new", "canary"]}]}
    )
    flip = await control.client.post(
        "/routes/orders/flip", json={**body, "reason": "x"}, headers={"if-match": "*"}
    )
    assert flip.status_code == 409, flip.text
    wanted: str = (await control.get("/approvals"))["items"][0]["hash"]
    async with await control.client_of(Role.OPERATOR) as other:
        given = await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
        assert given.status_code == 200, given.text
    return wanted


async def test_an_approval_is_not_one_of_another_change(control: Control) -> None:
    """Another weight, another route, another new: each has a hash of its own, and no approval."""
    await control.seed()
    wanted = await _approved(control, {"weight": 2_000})
    for body in ({"weight": 2_001}, {"stage": "new"}):
        answer = await control.client.post(
            "/routes/orders/flip", json={**body, "reason": "x"}, headers=EDIT
        )
        assert answer.status_code == 409, answer.text
    moved = await control.client.patch(
        "/backends/fn", json={"url": "http://127.0.0.1:66"}, headers=EDIT
    )
    assert moved.status_code == 200, moved.text
    made = await control.post(f"/approvals/{wanted}/make", {"reason": "now"})
    assert (made.status_code, made.json()["type"].rpartition(":")[2]) == (409, "change_outdated")
    flip = await control.client.post(
        "/routes/orders/flip", json={"weight": 2_000, "reason": "x"}, headers=EDIT
    )
    assert flip.status_code == 409, "what was approved led to another backend"


async def test_an_approval_is_used_once_by_whoever_comes_first(control: Control) -> None:
    """Made and taken back, the same change asks anew; an approval of one's own does not count."""
    await control.seed()
    wanted = await _approved(control, {"weight": 2_000})
    assert (await control.post(f"/approvals/{wanted}/make", {"reason": "go"})).status_code == 200
    assert (await control.post(f"/approvals/{wanted}/make", {"reason": "go"})).status_code == 409
    async with await control.client_of(Role.OPERATOR) as other:
        again = await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
        assert again.status_code == 409, "it is made"


async def test_a_beginning_that_may_mean_another_change_names_none(control: Control) -> None:
    """Of eight characters at least: who types less may approve what was asked for meanwhile."""
    await control.seed()
    wanted = await _approved(control, {"weight": 2_000})
    for name in (wanted[:1], wanted[:7], "%", "________", wanted[:8] + "%"):
        answer = await control.client.get(f"/approvals/{name}")
        assert answer.status_code == 404, name
    assert (await control.get(f"/approvals/{wanted[:8]}"))["hash"] == wanted
