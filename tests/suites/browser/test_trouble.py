"""When something is wrong: each page says what happened and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.suites.browser.accessibility import faults_of
from tests.suites.browser.conftest import SIZES, WINDOWS, Visitor
from tests.suites.browser.keyboard import closed, opened, press
from tests.suites.browser.system import System, running, until

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]
FIRST_DAY = (
    ("/", "figway backends set legacy --side legacy"),
    ("/routes", "There are no routes yet"),
    ("/shadow", "Nothing is compared yet"),
    ("/explain?request=/orders/7", "There is nothing to explain yet"),
    ("/fleet", "figway keys create proxy --role proxy"),
    ("/audit", "Audit"),
)
FINDING = {
    "code": "route_pattern_too_new", "severity": "error", "path": "routes.orders",
    "message": "this release does not know the pattern", "resolution": "Update this proxy.",
}  # fmt: skip


def test_an_empty_first_day(chrome: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every screen of a control plane that holds nothing says how to begin."""
    with running(tmp_path_factory.mktemp("empty"), proxy=False, seed=False) as system:
        context = chrome.new_context()
        context.set_default_timeout(20_000)
        visitor = Visitor(context, system.admin)
        visitor.page.goto(system.link)
        visitor.page.wait_for_url("**/console/")
        for size, scheme in WINDOWS:
            width, height = SIZES[size]
            visitor.page.set_viewport_size({"width": width, "height": height})
            visitor.page.emulate_media(color_scheme=scheme)
            for path, says in FIRST_DAY:
                page = visitor.go(path)
                assert says in page.locator("main").inner_text(), path
                assert faults_of(page) == [], path
        system.api.post("/backends", json={"id": "legacy", "side": "legacy", "url": system.legacy})
        text = visitor.go("/").locator("main").inner_text()
        assert "figway backends set" in text
        assert "No proxy is connected" in text
        assert visitor.faults == []
        context.close()


def test_a_table_that_a_proxy_refuses(visit: Visit, system: System) -> None:
    """trap 53: on the map, in the fleet and in the dialog, with what to do."""
    now = system.api.get("/table").json()
    ack = {
        "instance": "shop-proxy-2", "boot": "b", "revision": now["revision"], "etag": now["etag"],
    }  # fmt: skip
    assert system.api.post("/fleet/acks", json=ack).status_code == 204
    page = visit().go("/routes/about")
    press(page, "#to-shadow")
    opened(page, "reason")
    page.keyboard.type("will be refused")
    page.keyboard.press("Enter")
    page.wait_for_selector("#propagation")
    newest = system.api.get("/table").json()
    revision = newest["revision"]
    refused = {"revision": revision, "etag": newest["etag"], "findings": [FINDING]}
    system.api.post("/fleet/acks", json={**ack, "refused": refused})
    try:
        page.locator("#propagation .bad", has_text="refused").wait_for()
        assert "Update this proxy." in page.locator("#dialog").inner_text()
        closed(page)
        page = visit().go("/")
        page.locator(".attention", has_text=f"refused revision {revision}").wait_for()
        press(page, ".attention a")
        page.wait_for_url("**/fleet")
        text = page.locator("main").inner_text()
        assert f"figway undo {revision}" in text
        assert "this release does not know the pattern" in text
        assert system.served_by("/search") == "new"
    finally:
        system.api.post("/fleet/acks", json={**ack, "stopping": True})
        system.api.post(f"/revisions/{revision}/undo", json={"reason": "back"})


def test_a_table_that_would_be_wrong(visit: Visit, system: System) -> None:
    """A flip that validation refuses has its findings, and no button."""
    page = visit().go("/routes/help")
    assert "names no new backend yet" in page.locator("main").inner_text()
    press(page, "#to-new")
    opened(page)
    text = page.locator("#dialog").inner_text()
    assert "The table would be wrong, so this cannot be done" in text
    assert "What to do" in text
    assert page.locator("#dialog button.primary").count() == 0


def test_a_lost_connection(visit: Visit, system: System) -> None:
    visitor = visit()
    page = visitor.go("/routes/search")
    visitor.context.set_offline(True)
    page.wait_for_selector("#lost:not([hidden])")
    assert "Trying again" in page.locator("#lost").inner_text()
    press(page, "#to-canary")
    page.wait_for_timeout(300)
    assert page.locator("#modal[open]").count() == 0
    visitor.context.set_offline(False)
    page.wait_for_selector("#lost", state="hidden")
    press(page, "#to-canary")
    opened(page, "reason")
    assert system.api.get("/routes/search").json()["stage"] == "new"
    visitor.faults = [f for f in visitor.faults if "ERR_INTERNET" not in f and "htmx:" not in f]


def test_a_form_that_was_left_open_too_long(visit: Visit, system: System) -> None:
    """The session ends while a reason is typed: nothing is done, and the page says so."""
    visitor = visit()
    visitor.expected.add(401)
    page = visitor.go("/routes/orders")
    press(page, "#to-shadow")
    opened(page, "reason")
    page.keyboard.type("too late")
    visitor.context.clear_cookies()
    page.keyboard.press("Enter")
    page.locator("#dialog", has_text="Your session has expired").wait_for()
    assert "Nothing was changed" in page.locator("#dialog").inner_text()
    assert system.api.get("/routes/orders").json()["stage"] == "legacy"
    press(page, "#dialog [data-login]")
    page.wait_for_url("**/console/login?expired=1*")


def test_hostile_requests_are_shown_inert(visit: Visit, system: System) -> None:
    """A script in a path, an override, a megabyte: in the feed, in Explain, in the audit log."""
    visitor = visit()
    page = visitor.go("/routes/about")
    page.wait_for_function("() => document.querySelector('.feed')")
    hostile = "/about?<script>document.title='owned'</script>"
    entry = {
        "at_ms": 1_700_000_000_000, "route": "about", "method": "GET",
        "path": "/about/<img src=x onerror=alert(1)>\u202e\x1b[31m" + "y" * 500, "side": "legacy",
        "why": "<b>stage</b>", "status": 200,
    }  # fmt: skip
    body = {"instance": "<i>p</i>", "decisions": [entry]}
    shown = page.locator(".feed li.legacy", has_text="onerror")
    before = shown.count()

    def seen() -> bool:
        assert system.api.post("/decisions", json=body).status_code == 204
        return bool(shown.count() > before)

    until(seen, "the decision is shown")
    text = page.locator(".feed").inner_text()
    assert "⟨U+202E⟩⟨U+001B⟩" in text
    assert "y" * 200 not in text
    assert page.locator(".feed img, .feed b b, .feed script").count() == 0
    page = visitor.go("/explain?request=" + hostile.replace("<", "%3C").replace("'", "%27"))
    assert "owned" not in page.title()
    script = "<script>document.title='owned'</script>"
    flip = {"stage": "shadow", "reason": script + "z" * 400}
    for_nobody = {**flip, "reason": "\u202e" + script}
    refused = system.api.post("/routes/about/flip", json=for_nobody, headers={"if-match": "*"})
    assert refused.status_code == 422, "what turns a text around is in no reason"
    made = system.api.post("/routes/about/flip", json=flip, headers={"if-match": "*"})
    assert made.status_code == 200, made.text
    back = {"stage": "legacy", "reason": "back"}
    system.api.post("/routes/about/flip", json=back, headers={"if-match": "*"})
    for path in ("/audit", "/routes/about"):
        page = visitor.go(path)
        assert script in page.locator("main").inner_text()
        assert "owned" not in page.title()
        assert page.locator("main script").count() == 0
