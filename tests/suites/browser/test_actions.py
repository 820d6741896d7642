"""What people do in the console, by keyboard, and its effect at the facade."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.suites.browser.conftest import Visitor
from tests.suites.browser.keyboard import closed, confirmed, opened, press, seen, tab_to, undone
from tests.suites.browser.system import System, until

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]
ANY = {"if-match": "*"}
CHECKOUT = ("orders", "orders-create", "basket")


def test_the_skip_link_comes_first(visit: Visit) -> None:
    page = visit().go("/routes")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"


def test_a_flip_by_keyboard_reaches_the_facade(visit: Visit, system: System) -> None:
    """trap 51: all users go to new, the proxy confirms, and undo brings them back."""
    visitor = visit()
    page = visitor.go("/routes/orders")
    assert system.served_by("/orders/7") == "legacy"
    tab_to(page, "#to-new")
    page.keyboard.press("Enter")
    page.wait_for_selector("#modal[open]")
    page.wait_for_function("() => document.activeElement.id === 'reason'")
    page.keyboard.type("the evidence is there")
    seen(page)
    page.keyboard.press("Tab")
    page.keyboard.type("orders")
    page.keyboard.press("Enter")
    confirmed(page)
    page.locator("#dialog .good", has_text="applied").wait_for()
    system.serves("/orders/7", "new")
    page.wait_for_selector(".rail li.new.here")  # the page beneath says so too
    undone(page)
    system.serves("/orders/7", "legacy")
    page.keyboard.press("Escape")
    assert page.locator("#modal[open]").count() == 0


def test_a_weight_by_slider_and_preset(visit: Visit, system: System) -> None:
    page = visit().go("/routes/about")
    tab_to(page, "#slider")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#percent").input_value() == "3"
    press(page, ".presets button[data-set='50.0']")
    assert page.locator("#slider").input_value() == "50"
    tab_to(page, "#percent", key="Shift+Tab")
    page.keyboard.press("Enter")
    opened(page, "reason")
    assert "canary 50 %" in page.locator("#dialog-title").inner_text()
    page.keyboard.type("half of them")
    seen(page)
    page.keyboard.press("Enter")
    confirmed(page)
    sides = {system.served_by("/about", f"user{number}") for number in range(30)}
    assert sides == {"legacy", "new"}
    undone(page)
    assert system.api.get("/routes/about").json()["stage"] == "legacy"


def test_a_whole_capability(visit: Visit, system: System) -> None:
    """trap 41: all its routes flip in one revision, and a user meets one side on all of them."""
    page = visit().go("/routes?capability=checkout")
    tab_to(page, ".bulk select")
    page.keyboard.type("canary")
    page.keyboard.press("Tab")
    page.keyboard.type("50")
    page.keyboard.press("Enter")
    opened(page, "reason")
    page.keyboard.type("together")
    seen(page)
    page.keyboard.press("Enter")
    confirmed(page)
    users = [f"user{number}" for number in range(20)]
    sides = [system.served_by("/orders/7", user) for user in users]
    assert set(sides) == {"legacy", "new"}
    for path in ("/orders", "/basket/x"):
        assert [system.served_by(path, user) for user in users] == sides
    undone(page)
    stages = {name: system.api.get(f"/routes/{name}").json()["stage"] for name in CHECKOUT}
    assert stages == {"orders": "legacy", "orders-create": "legacy", "basket": "shadow"}


def test_a_breaker_is_forced(visit: Visit, system: System) -> None:
    """Open: legacy serves what new would have; automatic: new serves again."""
    visitor = visit()
    visitor.expected.add(409)
    page = visitor.go("/routes/search")
    assert system.served_by("/search") == "new"
    for force, serves in (("open", "legacy"), ("closed", "new"), ("none", "new")):
        press(page, f"#breaker-{force}")
        opened(page, "breaker-reason")
        page.keyboard.type("by hand")
        page.keyboard.press("Enter")
        if force == "closed":  # requests go to new again, whatever it does: that asks first
            seen(page)
            page.keyboard.press("Enter")
        confirmed(page)
        system.serves("/search", serves)
        closed(page)
        page.wait_for_selector(f"#breaker-{force}[aria-current]")
        if force == "open":
            page.locator(".note.warn", has_text="breaker forced open").wait_for()
    assert system.api.get("/routes/search").json()["stage"] == "new"


def test_decisions_are_shown_live(visit: Visit, system: System) -> None:
    """trap 35: each request at the facade, why it went there, and nothing that is secret."""
    page = visit().go("/routes/search")
    before = page.locator(".feed li.new").count()

    def seen() -> bool:
        system.served_by("/search?token=s3cret", "u1")
        return bool(page.locator(".feed li.new").count() > before)

    until(seen, "a decision")
    text = page.locator(".feed").inner_text()
    assert "GET /search" in text
    assert "stage" in text
    assert "s3cret" not in text
    press(page, "[data-pause]")
    assert page.locator("[data-pause]").get_attribute("aria-pressed") == "true"
    shown = page.locator(".feed li").count()
    page.evaluate("() => { window.rows = document.querySelectorAll('.feed li').length; }")
    for _ in range(3):
        system.served_by("/search", "u2")
    page.wait_for_timeout(2_000)
    assert page.locator(".feed li").count() == shown
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.feed li').length > window.rows")
    found = system.api.get("/decisions", params={"route": "search"}).json()["items"]
    assert {entry["path"] for entry in found} == {"/search"}


def test_undo_out_of_the_list_of_revisions(visit: Visit, system: System) -> None:
    flip = {"stage": "new", "reason": "too early"}
    system.api.post("/routes/about/flip", json=flip, headers={"if-match": "*"})
    system.serves("/about", "new")
    page = visit().go("/routes/about")
    press(page, ".past a", "Enter")
    opened(page)
    assert "too early" in page.locator("#dialog").inner_text()
    tab_to(page, "#undo-reason")
    page.keyboard.type("back again")
    page.keyboard.press("Enter")
    confirmed(page)
    system.serves("/about", "legacy")
    entry = system.api.get("/audit", params={"limit": 1}).json()["items"][0]
    assert (entry["action"], entry["reason"]) == ("revision.undo", "back again")


def test_keys_are_made_and_end(visit: Visit, system: System) -> None:
    page = visit().go("/keys")
    tab_to(page, "input[name=name]")
    page.keyboard.type("a colleague")
    tab_to(page, "select[name=role]")
    page.keyboard.type("viewer")
    press(page, "main form button.primary")
    page.wait_for_selector("#secret")
    key = page.locator("#secret").inner_text()
    headers = {"authorization": f"Bearer {key}"}
    assert system.api.get("/routes", headers=headers).status_code == 200
    assert system.api.post("/kill", json={}, headers=headers).status_code == 403
    viewer = visit(anonymous=True)
    looked = viewer.go("/routes/orders")
    looked.locator("#key").fill(key)
    looked.keyboard.press("Enter")
    looked.wait_for_url("**/routes/orders")
    looked.get_by_text("you see everything and can flip nothing").wait_for()
    assert looked.locator("#to-new").count() == 0
    press(looked, "#kill")
    opened(looked)
    assert "This takes the role operator" in looked.locator("#dialog").inner_text()
    viewer.expected.add(401)  # its stream of events ends with the key, and asks once more
    prefix = key.split("_")[1]
    form = f"form[action='/console/keys/{prefix}/revoke']"
    page.locator(f"details:has({form}) summary").press("Enter")
    press(page, f"{form} button")
    page.get_by_text(f"Revoked {prefix}").wait_for()
    assert system.api.get("/routes", headers=headers).status_code == 401


def test_the_audit_log_is_filtered_and_exported(visit: Visit, system: System) -> None:
    flip = {"stage": "legacy", "reason": "=HYPERLINK(1)"}
    system.api.post("/routes/orders/flip", json={**flip, "stage": "shadow"}, headers=ANY)
    system.api.post("/routes/orders/flip", json=flip, headers=ANY)
    page = visit().go("/audit")
    tab_to(page, "select[name=action]")
    page.keyboard.type("route.flip")
    tab_to(page, "input[name=subject]")
    page.keyboard.type("route orders")
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit?action=route.flip&subject=route+orders")
    actions = set(page.locator(".timeline b").all_inner_texts())
    assert actions == {"route.flip"}
    assert "stage" in page.locator(".timeline .changes").first.inner_text()
    with page.expect_download() as download:
        press(page, "a[href*='export.json']")
    entries = json.loads(Path(download.value.path()).read_text())
    assert {(entry["action"], entry["subject"]) for entry in entries} == {
        ("route.flip", "route orders")
    }
    with page.expect_download() as download:
        press(page, "a[href*='export.csv']")
    assert "'=HYPERLINK(1)" in Path(download.value.path()).read_text()


def test_explain_says_what_the_facade_does(visit: Visit, system: System) -> None:
    """Pasted as curl; with another weight, against an old revision, and against a draft."""
    page = visit().go("/explain")
    tab_to(page, "#request")
    page.keyboard.type(f"curl -H 'Cookie: figway_id=u7' {system.facade}/products/3")
    press(page, "main form button.primary")
    page.wait_for_selector("#said-title")
    now = system.served_by("/products/3", "u7")
    assert now in page.locator("#said-title").inner_text()
    bucket = page.locator(".flow li").nth(2).inner_text()
    for percent, side in (("0", "legacy"), ("100", "new")):
        page.locator("input[name=percent]").fill(percent)
        page.locator("input[name=percent]").press("Enter")
        page.wait_for_url(f"**percent={percent}*")
        assert f"{side} serves" in page.locator("#said-title").inner_text()
        assert page.locator(".flow li").nth(2).inner_text() == bucket
    page.goto(f"{system.admin}/console/explain?request=/orders/7&revision=3")
    assert "no route matches" in page.locator(".flow").inner_text()
    route = system.api.get("/routes/orders").json()
    draft = [{"kind": "route", "id": "orders", "value": {**route, "stage": "new"}}]
    page.goto(f"{system.admin}/console/explain?request=/orders/7")
    page.locator("details summary", has_text="Against a draft").press("Enter")
    tab_to(page, "#draft")
    page.keyboard.insert_text(json.dumps(draft))
    press(page, "main form button.primary")
    page.get_by_text("If it were so").wait_for()
    assert "new serves" in page.locator("#said-title").inner_text()
    assert system.served_by("/orders/7") == "legacy"


def test_the_kill_switch(visit: Visit, system: System) -> None:
    visitor = visit()
    page = visitor.go("/")
    assert system.served_by("/search") == "new"
    for serves, banner, says in (
        ("legacy", 1, "1 of 1 proxy sends everything to legacy"),
        ("new", 0, "1 of 1 proxy serves as the routes say"),
    ):
        tab_to(page, "#kill")
        page.keyboard.press("Enter")
        page.wait_for_selector("#modal[open] #kill-reason")
        page.keyboard.type("a drill")
        page.keyboard.press("Enter")
        confirmed(page, says)
        system.serves("/search", serves)
        page.keyboard.press("Escape")
        page.wait_for_function("n => document.querySelectorAll('.killed').length === n", arg=banner)
        assert page.evaluate("document.activeElement.id") == "kill", "the focus is lost"


def test_two_windows_and_one_route(visit: Visit, system: System) -> None:
    """trap 54"""
    one, two = visit(), visit()
    two.expected.add(412)
    for visitor in (one, two):
        press(visitor.go("/routes/wishlist"), "#to-shadow")
        opened(visitor.page, "reason")
    for visitor in (one, two):
        visitor.page.keyboard.type("mine")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_selector("#dialog #propagation, #dialog .note.warn")
    assert "Somebody changed it while you looked" in two.page.locator("#dialog").inner_text()
    press(two.page, "#dialog .note a.button")
    two.page.get_by_text("This is the current stage and weight").wait_for()
    undone(one.page)
    assert system.api.get("/routes/wishlist").json()["stage"] == "legacy"


def test_an_undo_that_gives_new_more_asks_first(visit: Visit, system: System) -> None:
    """The way back from legacy is a way to new."""
    flip = {"stage": "legacy", "reason": "for a while"}
    system.api.post("/routes/products/flip", json=flip, headers=ANY)
    visitor = visit()
    visitor.expected.add(409)
    page = visitor.go("/routes/products")
    press(page, ".past a", "Enter")
    opened(page)
    tab_to(page, "#undo-reason")
    page.keyboard.press("Enter")
    page.locator("#dialog [role=alert]", has_text="New would serve more").wait_for()
    assert system.api.get("/routes/products").json()["stage"] == "legacy"
    seen(page)
    page.keyboard.press("Enter")
    confirmed(page)
    assert system.api.get("/routes/products").json()["stage"] == "canary"


def test_the_list_lives_in_the_url(visit: Visit) -> None:
    page = visit().go("/routes")
    tab_to(page, "select[name=stage]")
    page.keyboard.type("retired")
    page.wait_for_url("**/routes?stage=retired")
    assert page.locator("#routes-table tbody tr").count() == 1
    press(page, "#s-rps")
    page.wait_for_url(re.compile(r"sort=rps"))
    assert "stage=retired" in page.url
    page.go_back()
    page.wait_for_url("**/routes?stage=retired")


def test_what_happens_elsewhere_shows_here(visit: Visit, system: System) -> None:
    """Live: a flip by somebody else, and the traffic that follows."""
    page = visit().go("/routes/search")
    flip = {"stage": "canary", "weight": 9_000, "reason": "from the API"}
    system.api.post("/routes/search/flip", json=flip, headers={"if-match": "*"})
    page.wait_for_selector(".rail li.canary.here")
    page.wait_for_selector(".feed li.revision")
    before = page.locator(".feed li.new").count()
    system.visit(5)
    page.wait_for_function(
        "before => document.querySelectorAll('.feed li.new').length > before", arg=before
    )
    assert page.locator(".charts canvas").count() == 3
    back = {"stage": "new", "reason": "back"}
    system.api.post("/routes/search/flip", json=back, headers={"if-match": "*"})


def test_an_expired_session_loses_nothing(visit: Visit, system: System) -> None:
    visitor = visit(anonymous=True)
    visitor.expected.add(401)
    page = visitor.go("/audit?action=route.flip")
    page.wait_for_url("**/console/login?next=*")
    page.locator("#key").fill(system.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/audit?action=route.flip")
    page = visitor.go("/routes/orders")
    visitor.context.clear_cookies()
    press(page, "#to-canary, #to-legacy")
    page.get_by_text("Your session has expired").first.wait_for()
    press(page, "[data-login]")
    page.get_by_text("Nothing was lost or changed").wait_for()
    page.locator("#key").fill(system.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/routes/orders")


def test_a_control_plane_that_goes_and_comes_back(visit: Visit, system: System) -> None:
    """trap 52: the page says that it is alone, traffic goes on, and the session outlasts it."""
    visitor = visit()
    page = visitor.go("/fleet")
    listen = system.admin.removeprefix("http://")
    system.stop_control()
    page.wait_for_selector("#lost:not([hidden])")
    assert system.served_by("/search") == "new"
    system.start_control(listen)
    page.wait_for_selector("#lost", state="hidden")
    until(lambda: system.api.get("/fleet").json()["current"] == 1, "the proxy is back")
    page = visitor.go("/")
    assert "/console/login" not in page.url
    visitor.faults = [f for f in visitor.faults if "ERR_" not in f and "htmx:" not in f]
