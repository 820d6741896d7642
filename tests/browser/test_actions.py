"""What people do in the console, by keyboard, and its effect at the facade."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Visitor
from tests.browser.system import System, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]
Visit = Callable[..., Visitor]


def tab_to(page: Any, selector: str, limit: int = 60) -> None:
    """Press Tab until the focus is there: what cannot be reached so fails."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def confirmed(page: Any) -> None:
    """Wait until the dialog says that the proxy serves the revision."""
    page.locator("#dialog #propagation .good", has_text="1 of 1 proxy on revision").wait_for()


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
    visitor = visit("phone")
    page = visitor.go("/routes/orders")
    assert system.served_by("/orders/7") == "legacy"
    tab_to(page, "#to-new")
    page.keyboard.press("Enter")
    page.wait_for_selector("#modal[open]")
    page.wait_for_function("document.activeElement.id === 'reason'")
    page.keyboard.type("the evidence is there")
    page.keyboard.press("Tab")
    page.keyboard.type("orders")
    page.keyboard.press("Enter")
    confirmed(page)
    page.locator("#dialog .good", has_text="applied").wait_for()
    until(lambda: system.served_by("/orders/7") == "new", "new serves")
    page.wait_for_selector(".rail li.new.here")  # the page beneath says so too
    tab_to(page, "#dialog form button")
    page.keyboard.press("Enter")
    page.get_by_text("Took back revision").wait_for()
    until(lambda: system.served_by("/orders/7") == "legacy", "legacy serves again")
    page.keyboard.press("Escape")
    assert page.locator("#modal[open]").count() == 0


def test_a_weight_by_slider_and_preset(visit: Visit, system: System) -> None:
    page = visit().go("/routes/about")
    page.locator("#slider").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#percent").input_value() == "3"
    page.get_by_role("button", name="50 %", exact=True).click()
    assert page.locator("#slider").input_value() == "50"
    page.locator("#percent").press("Enter")
    page.wait_for_selector("#modal[open]")
    assert "canary 50 %" in page.locator("#dialog-title").inner_text()
    page.keyboard.type("half of them")
    page.keyboard.press("Enter")
    confirmed(page)
    sides = {system.served_by("/about", f"user{number}") for number in range(30)}
    assert sides == {"legacy", "new"}


def test_a_whole_capability(visit: Visit, system: System) -> None:
    page = visit().go("/routes?capability=checkout")
    page.locator(".bulk select").select_option("shadow")
    page.get_by_role("button", name="Review the flip…").click()
    page.wait_for_selector("#modal[open]")
    page.keyboard.type("together")
    page.keyboard.press("Enter")
    confirmed(page)
    for name in ("orders", "orders-create", "basket"):
        assert system.api.get(f"/routes/{name}").json()["stage"] == "shadow"


def test_the_kill_switch(visit: Visit, system: System) -> None:
    visitor = visit("wide", "dark")
    page = visitor.go("/")
    assert system.served_by("/search") == "new"
    for serves, banner in (("legacy", 1), ("new", 0)):
        tab_to(page, "#kill")
        page.keyboard.press("Enter")
        page.wait_for_selector("#modal[open] #kill-reason")
        page.keyboard.type("a drill")
        page.keyboard.press("Enter")
        confirmed(page)
        until(lambda side=serves: system.served_by("/search") == side, f"{serves} serves")
        page.keyboard.press("Escape")
        page.wait_for_function("n => document.querySelectorAll('.killed').length === n", arg=banner)
        assert page.evaluate("document.activeElement.id") == "kill", "the focus is lost"


def test_two_windows_and_one_route(visit: Visit, system: System) -> None:
    """trap 54"""
    one, two = visit(), visit()
    two.expected.add(412)
    for visitor in (one, two):
        visitor.go("/routes/products").locator("#to-shadow").click()
        visitor.page.wait_for_selector("#modal[open]")
    for visitor in (one, two):
        visitor.page.locator("#reason").fill("mine")
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_selector("#dialog #propagation, #dialog .note.warn")
    assert "Somebody changed it while you looked" in two.page.locator("#dialog").inner_text()
    two.page.get_by_role("link", name="Review it again").click()
    two.page.get_by_text("It stands there already").wait_for()


def test_the_list_lives_in_the_url(visit: Visit) -> None:
    page = visit().go("/routes")
    page.locator("select[name=stage]").select_option("retired")
    page.wait_for_url("**/routes?stage=retired")
    assert page.locator("#routes-table tbody tr").count() == 1
    page.locator("#s-rps").click()
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
    system.visit(5)
    page.wait_for_selector(".feed li.new")
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
    page.locator("#to-canary, #to-legacy").first.click()
    page.get_by_text("Your session has expired").first.wait_for()
    page.locator("[data-login]").click()
    page.get_by_text("Nothing was lost or changed").wait_for()
    page.locator("#key").fill(system.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/routes/orders")


def test_a_control_plane_that_goes_and_comes_back(
    visit: Visit, system: System, tmp_path: Path
) -> None:
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
