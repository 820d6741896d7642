"""Backends, capabilities and routes are made, edited and deleted in forms (use 13)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from control_plane.auth.roles import Role
from control_plane.console import item_forms
from figway.model.backend import Backend, BackendKind
from figway.model.change import Kind
from figway.model.codec import Item, from_data
from figway.model.table import Capability, Route, Table
from tests.support.console import Browser, Page, browser
from tests.support.control import Control

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:bookings"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/exports"
MADE: dict[str, dict[str, str]] = {
    "http": {"side": "new", "kind": "http", "url": "http://10.0.0.5:8080",
             "host_policy": "backend"},
    "signed": {"side": "new", "kind": "http", "url": "https://b.s3.eu-west-1.amazonaws.com",
               "sign.service": "s3", "region": "eu-west-1"},
    "function": {"side": "new", "kind": "lambda", "function": "orders:live", "region": "eu-west-1"},
    "queue": {"side": "new", "kind": "queue", "aws.resource": QUEUE,
              "aws.location": "/api/exports/{id}", "aws.retry_after_s": "5"},
    "stream": {"side": "new", "kind": "queue", "url": "rediss://redis.internal:6379/0",
               "stream.name": "jobs", "stream.user": "figway", "stream.max_length": "1000",
               "stream.password": "env:FIGWAY_SECRET_REDIS", "aws.location": "/api/jobs/{id}"},
    "events": {"side": "new", "kind": "events", "aws.resource": "bus", "region": "eu-west-1",
               "aws.source": "shop"},
    "workflow": {"side": "new", "kind": "workflow", "aws.resource": ARN, "aws.mode": "start"},
}  # fmt: skip


def _form(page: Page) -> dict[str, str]:
    """What a browser would send of the form of an item without anything being typed."""
    found: dict[str, str] = {}
    select = text = ""
    for tag, attrs in page.tags:
        name = attrs.get("name") or ""
        if tag == "form" and "data-item" not in attrs:
            if found.get("csrf"):
                break
        elif tag == "input" and name:
            if attrs.get("type") != "checkbox" or "checked" in attrs:
                found[name] = attrs.get("value") or ""
        elif tag == "select":
            select = name
        elif tag == "option" and ("selected" in attrs or select not in found):
            found[select] = attrs.get("value") or ""
        elif tag == "textarea":
            text = name
            found[text] = ""
    return found


async def _opened(visitor: Browser, path: str) -> dict[str, str]:
    """The form of an item as a browser has it, its long texts among it."""
    answer = await visitor.client.get(f"/console{path}")
    assert answer.status_code == 200, answer.text
    form = _form(Page(answer.text))
    for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>', answer.text):
        form[name] = text.replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")
    return {**form, "confirm": ""}


@pytest.mark.parametrize("made", MADE)
async def test_a_backend_of_every_kind_is_made(control: Control, made: str) -> None:
    """use 13: the form knows http, lambda, queue, events, workflow, and `sign`."""
    visitor = await browser(control, Role.OPERATOR)
    typed = {**await _opened(visitor, "/new/backends"), **MADE[made]}
    answer = await visitor.send("/new/backends", **{**typed, "id": "b", "reason": "why"})
    assert answer.status_code == 200, answer.text
    assert "Created backend b" in answer.text
    backend = from_data(Backend, await control.get("/backends/b"))
    for name, value in MADE[made].items():
        found: Any = backend
        for part in name.split("."):
            found = getattr(found, part)
        assert str(found) == value, name
    entry = (await control.get("/audit", limit=1))["items"][0]
    assert (entry["action"], entry["reason"]) == ("backend.create", "why")


def test_every_kind_of_backend_has_a_form() -> None:
    """use 13: a kind that is added later gets its fields, too."""
    fields = [f for group in item_forms.groups(Kind.BACKEND, Table()) for f in group.fields]
    assert {kind for field in fields for kind in field.kinds} == set(BackendKind)
    assert {from_data(Backend, {"id": "b", "side": "new", "kind": made["kind"]}).kind
            for made in MADE.values()} == set(BackendKind)  # fmt: skip


RICH: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.BACKEND, {
        "id": "b", "side": "new", "url": "http://a:1", "urls": ["http://b:1", "http://c:1"],
        "timeouts": {"head_ms": 5_000},
        "credentials": [{"header": "X-K", "value": "env:FIGWAY_SECRET_K"}],
    }),
    (Kind.BACKEND, {"id": "b", "side": "new", "kind": "queue",
                    "aws": {"resource": QUEUE, "with_credentials": True, "group_by": "path:id"}}),
    (Kind.CAPABILITY, {
        "id": "shop", "salt": "s", "issue_cookie": False, "cookie_same_site": "Strict",
        "sticky": [{"source": "header", "name": "X-User"}, {"source": "client_address"}],
    }),
    (Kind.ROUTE, {
        "id": "orders", "stage": "canary", "weight": 2_500, "new": "fn", "evidence_since": 3,
        "match": {"path": "/orders/{id}", "methods": ["GET", "POST"], "hosts": ["a.example"],
                  "headers": [{"name": "X-A", "value": "1"}]},
        "shadow": {"sample": 500, "legacy_reads": "allowed"}, "reads": ["POST"],
        "comparison": {
            "noise_sample": 50, "rules": [{"kind": "ignore", "target": "$.a: 'b'", "id": "r"}],
        },
        "breaker": {"force": "open"},
    }),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), RICH)
def test_opening_and_saving_changes_nothing(kind: Kind, data: dict[str, Any]) -> None:
    """use 13: what has no field of its own is neither lost nor changed by the form."""
    item: Item = from_data(item_forms.CLASSES[kind], data)
    values = item_forms.shown(kind, Table(), item)
    sent = {name: text for name, text in values.items()
            if text != "0" or not _is_flag(kind, name)}  # fmt: skip
    again = item_forms.wanted(kind, Table(), item.id, sent)
    assert item_forms.difference(item, again) == {}


def _is_flag(kind: Kind, name: str) -> bool:
    fields = [f for group in item_forms.groups(kind, Table()) for f in group.fields]
    return any(field.name == name and field.shape == "flag" for field in fields)


async def test_a_route_is_made_and_edited(control: Control) -> None:
    """use 13: a new one stands at legacy; an edit leaves stage and weight where they are."""
    await control.seed()
    await control.flip(2_500)
    visitor = await browser(control, Role.OPERATOR)
    typed = {**await _opened(visitor, "/new/routes"), "id": "carts", "reason": "why",
             "match.path": "/carts/{id}", "match.methods": "GET, POST", "new": "fn"}  # fmt: skip
    answer = await visitor.send("/new/routes", **typed)
    assert "Created route carts" in answer.text, answer.text
    made = from_data(Route, await control.get("/routes/carts"))
    assert (made.stage, made.match.methods) == ("legacy", ("GET", "POST"))

    typed = await _opened(visitor, "/edit/routes/orders")
    typed |= {"description": "of the shop", "shadow.sample": "5%", "reason": "why"}
    typed["rest"] += "fallback: {deadline_ms: 5000}\n"
    answer = await visitor.send("/edit/routes/orders", **typed)
    assert "Changed route orders" in answer.text, answer.text
    route = from_data(Route, await control.get("/routes/orders"))
    assert (route.stage, route.weight, route.shadow.sample) == ("canary", 2_500, 500)
    assert (route.description, route.fallback.deadline_ms) == ("of the shop", 5_000)
    entry = (await control.get("/audit", limit=1))["items"][0]
    assert entry["action"] == "route.patch"
    assert {c["path"] for c in entry["changes"]} >= {"description", "shadow.sample"}


async def test_a_capability_is_made(control: Control) -> None:
    visitor = await browser(control, Role.OPERATOR)
    typed = {**await _opened(visitor, "/new/capabilities"), "id": "shop", "reason": "why",
             "sticky": "header X-User\nclient_address"}  # fmt: skip
    assert "Created" in (await visitor.send("/new/capabilities", **typed)).text
    made = from_data(Capability, await control.get("/capabilities/shop"))
    assert [(key.source.value, key.name) for key in made.sticky] == [
        ("header", "X-User"), ("client_address", "")
    ]  # fmt: skip
    assert made.issue_cookie


WRONG = [
    ({"id": "No Name"}, "id"),
    ({"id": ""}, "give it a name"),
    ({"url": "ftp://x"}, "url"),
    ({"kind": "queue"}, "resource"),
    ({"aws.retry_after_s": "soon", "kind": "queue", "aws.resource": QUEUE}, "not a whole number"),
    ({"rest": "timeouts: [1"}, "not YAML"),
    ({"rest": "a: &a [1]\nb: *a"}, "alias"),
    ({"rest": "- 1"}, "expected fields"),
    ({"rest": "1: 2"}, "expected fields"),
    ({"rest": "url: http://x"}, "field of its own"),
    ({"rest": "nothing: 1"}, "nothing"),
    ({"rest": "aws: 3"}, "aws"),
    ({"side": "old"}, "side"),
    ({"reason": ""}, "say why"),
    ({"reason": "a\x1b[2J"}, "reason"),
    ({"description": "a\x1b[2J"}, "description"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), WRONG)
async def test_what_cannot_be_is_said_and_keeps_what_was_typed(
    control: Control, wrong: dict[str, str], said: str
) -> None:
    """use 13: the form comes back with everything that was typed."""
    visitor = await browser(control, Role.OPERATOR)
    typed = {"id": "b", "side": "new", "kind": "http", "url": "http://10.0.0.9:80", "reason": "r",
             "description": "mine", **wrong}  # fmt: skip
    answer = await visitor.send("/new/backends", **typed)
    assert 400 <= answer.status_code < 500, answer.text
    page = Page(answer.text)
    assert said in page.text
    values = [tag.get("value") for tag in page.all("input")]
    assert "http://10.0.0.9:80" in values or "url" in wrong
    assert (await control.get("/backends"))["items"] == []


async def test_a_stale_form_takes_nothing_back(control: Control) -> None:
    """use 13: what somebody else changed meanwhile is not lost."""
    await control.seed()
    visitor = await browser(control, Role.OPERATOR)
    typed = await _opened(visitor, "/edit/routes/orders")
    await control.flip(2_500)
    answer = await visitor.send(
        "/edit/routes/orders", **{**typed, "description": "mine", "reason": "r"}
    )
    assert answer.status_code == 412
    assert "See it as it is now" in answer.text
    assert 'value="mine"' in answer.text
    gone = await visitor.send("/edit/routes/orders", **{**typed, "etag": "", "reason": "r"})
    assert gone.status_code >= 400, "a form without an ETag is no permission to overwrite"


async def test_another_backend_under_live_users_asks(control: Control) -> None:
    """B5: the same policy as of every change; the form shows the evidence and a box to tick."""
    await control.seed()
    await control.flip(2_500)
    visitor = await browser(control, Role.OPERATOR)
    typed = {**await _opened(visitor, "/edit/backends/fn"), "url": "http://127.0.0.1:9999",
             "reason": "r"}  # fmt: skip
    asked = await visitor.send("/edit/backends/fn", **typed)
    assert asked.status_code == 409
    box = [tag for tag in Page(asked.text).all("input") if tag.get("name") == "confirm"]
    assert box, "no way to confirm it"
    done = await visitor.send("/edit/backends/fn", **{**typed, "confirm": str(box[0]["value"])})
    assert "Changed backend fn" in done.text


async def test_deleting(control: Control) -> None:
    """use 5 and 13: what is in use stays, and the page says who uses it."""
    await control.seed()
    visitor = await browser(control, Role.OPERATOR)
    etag = (await _opened(visitor, "/edit/backends/fn"))["etag"]
    kept = await visitor.send("/edit/backends/fn/delete", etag=etag, reason="r")
    assert kept.status_code == 422
    assert "used by route orders" in Page(kept.text).text
    etag = (await _opened(visitor, "/edit/routes/orders"))["etag"]
    assert (
        "Deleted" in (await visitor.send("/edit/routes/orders/delete", etag=etag, reason="r")).text
    )
    assert (await control.client.get("/routes/orders")).status_code == 404


async def test_a_viewer_looks_and_changes_nothing(control: Control) -> None:
    await control.seed()
    visitor = await browser(control, Role.VIEWER)
    page = await visitor.page("/edit/backends/fn")
    assert "This takes the role operator" in page.text
    for path in ("/new/backends", "/edit/backends/fn", "/edit/backends/fn/delete"):
        assert (await visitor.send(path, reason="r")).status_code == 403
    listed = await visitor.page("/backends")
    assert "all that no route matches" in listed.text
    assert not [tag for tag in listed.all("a") if "/new/" in str(tag.get("href"))]
