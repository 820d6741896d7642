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


@pytest.mark.parametrize(
    "field", [{"url": "http://127.0.0.1:66"}, {"urls": ["http://127.0.0.1:66"]}], ids=str
)
async def test_a_backend_that_leads_elsewhere_needs_what_its_routes_need(
    control: Control, field: dict[str, Any]
) -> None:
    """Users of an approved new come to another one by an edit of its backend alone. Timeouts and
    words lead nowhere else; a backend of routes at legacy exposes nobody."""
    await _prepared(control)
    await control.client.put("/change-rules", json={"approvals": [{"need": 1, "stages": ["new"]}]})
    plain = {"timeouts": {"head_ms": 900}, "description": "x"}
    assert (await control.client.patch("/backends/fn", json=plain, headers=EDIT)).is_success
    assert (await control.client.patch("/backends/spare", json=field, headers=EDIT)).is_success
    answer = await control.client.patch("/backends/fn", json=field, headers=EDIT)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        409, "approval_required",
    )  # fmt: skip
    wanted = (await control.get("/approvals"))["items"][0]["hash"]
    async with await control.client_of(Role.OPERATOR) as other:
        await other.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
        # Another route came to be served by it: not what was approved.
        back = {"stage": "shadow", "reason": "back"}
        assert (await other.post("/routes/broad/flip", json=back, headers=EDIT)).is_success
    answer = await control.post(f"/approvals/{wanted}/make", {"reason": "now"})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        409, "change_outdated",
    )  # fmt: skip


async def test_who_started_a_rollout_is_told_that_an_approval_would_not_count(
    control: Control,
) -> None:
    """409 instead of an approval that is shown and never counted."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await control.client.put(
        "/change-rules", json={"approvals": [{"need": 1, "stages": ["canary"]}]}
    )
    await heard.walk_to("shadow")
    assert (await heard.tick())["waiting_for"] == "approval"
    [request] = (await control.get("/approvals"))["items"]
    answer = await control.post(f"/approvals/{request['hash']}/approve", {"reason": "mine"})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "own_change")
    assert (await control.get("/approvals"))["items"][0]["approved_by"] == []


async def test_a_change_that_is_rejected_while_it_is_made_is_not_made(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rejection comes after the publisher has asked, and before it has written."""
    await control.seed()
    wanted = await _approved(control, {"weight": 2_000})
    publisher = control.services.publisher
    commit = publisher._commit
    answers = []

    async def overtaken(*args: Any) -> Any:
        answers.append(await control.post(f"/approvals/{wanted}/reject", {"reason": "no"}))
        return await commit(*args)

    monkeypatch.setattr(publisher, "_commit", overtaken)
    made = await control.post(f"/approvals/{wanted}/make", {"reason": "go"})
    assert [answer.status_code for answer in answers] == [200]
    assert (made.status_code, made.json()["type"].rpartition(":")[2]) == (409, "approval_required")
    assert (await control.get("/routes/orders"))["stage"] == "legacy"
    assert (await control.get(f"/approvals/{wanted}"))["status"] == "rejected"


async def test_an_approval_that_comes_too_late_is_kept_for_no_other_time(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second person approves while the change is made with the approval of the first. Taken back
    and asked for again, the change has no approval yet."""
    await control.seed()
    wanted = await _approved(control, {"weight": 2_000})
    service = control.services.approvals
    read = service.request

    async def overtaken(name: str) -> Any:
        found = await read(name)
        monkeypatch.undo()
        made = await control.post(f"/approvals/{wanted}/make", {"reason": "go"})
        assert made.status_code == 200, made.text
        return found

    monkeypatch.setattr(service, "request", overtaken)
    async with await control.client_of(Role.OPERATOR, "third") as third:
        late = await third.post(f"/approvals/{wanted}/approve", json={"reason": "ok"})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "change_not_open")
    back = {"stage": "legacy", "reason": "back"}
    assert (await control.client.post("/routes/orders/flip", json=back, headers=EDIT)).is_success
    again = await control.client.post(
        "/routes/orders/flip", json={"weight": 2_000, "reason": "x"}, headers=EDIT
    )
    assert again.status_code == 409
