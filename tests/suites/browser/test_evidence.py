"""The shadow explorer by keyboard: what people say about differences, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.suites.browser.conftest import Visitor
from tests.suites.browser.keyboard import closed, confirmed, opened, press, tab_to
from tests.suites.browser.system import System, until
from tests.support import comparing

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]
SAME = {"name": "a lamp", "price": 10, "seen": 1}


def verdicts(system: System) -> dict[str, int]:
    """What the proxy's own comparisons of the route say in the present window."""
    for number in range(3):
        system.served_by(f"/prices/{number}")
    evidence = system.api.get("/comparisons/routes/prices").json()["evidence"]
    found: dict[str, int] = evidence["verdicts"] if evidence else {}
    return {name: count for name, count in found.items() if count}


@pytest.fixture(scope="module")
def wishlist(system: System) -> str:
    """Stored pairs of a route: one field really differs, one is noise; the id of a pair."""
    pairs = [
        comparing.example(SAME, {**SAME, "price": 11}, request=comparing.request("/wishlist/1")),
        comparing.example(
            {**SAME, "lines": list(range(40))},
            {**SAME, "price": 12, "lines": list(range(40))},
            request=comparing.request("/wishlist/2"),
        ),
        comparing.example(SAME, SAME, request=comparing.request("/wishlist/3")),
    ]
    counted = comparing.evidenced(
        50, {"$.price|changed": 10}, route="wishlist", examples=pairs, captured=100,
        fields=[comparing.field("$.price", 10)],
    )  # fmt: skip
    (evidence,) = counted["evidence"]
    evidence["signatures"].append({"entries": [["$.seen|changed", "f"]], "count": 40})
    evidence["own"] = {"looks": 40, "places": {"$.seen|value": 30}}
    body = comparing.batch(1, counted, boot="wishlist")
    assert system.api.post("/comparisons/batches", json=body).json() == {"accepted": True}
    return str(pairs[1]["id"])


def test_a_rule_from_a_click(visit: Visit, system: System) -> None:
    """Previewed on the stored pairs, then written: what comes after it matches. And taken away."""
    until(lambda: verdicts(system).get("mismatch", 0) >= 3, "the sides differ")
    page = visit().go("/shadow/prices")
    press(page, ".pick details summary")
    press(page, ".field a.button")
    opened(page)
    assert page.locator("input[name=target]").input_value() == "$.served_by"
    assert "mismatch" in page.locator("#dialog .note.good").inner_text()
    assert "change their verdict" in page.locator("#dialog .note.good").inner_text()
    tab_to(page, "#rule-note")
    page.keyboard.type("each side says its own name")
    press(page, "#dialog form button[formmethod=get]")
    page.wait_for_function("() => document.activeElement.name === 'target'")  # it is previewed
    assert page.locator("#rule-note").input_value() == "each side says its own name"
    assert system.api.get("/routes/prices/rules").json() == []
    press(page, "#dialog form button.primary")
    confirmed(page)
    (rule,) = system.api.get("/routes/prices/rules").json()
    assert (rule["target"], rule["note"]) == ("$.served_by", "each side says its own name")

    def agrees() -> bool:
        found = verdicts(system)
        return found.get("match", 0) >= 3 and not found.get("mismatch")

    until(agrees, "the rule holds at the proxy")
    closed(page)
    page.reload()
    page.locator(".pick li.good").wait_for()
    press(page, "form[action$='/rule/remove'] button")
    confirmed(page)
    until(lambda: verdicts(system).get("mismatch"), "the difference counts again")


def _more(system: System, verdict: str, before: int) -> bool:
    return verdicts(system).get(verdict, 0) > before + 2


def test_a_word_on_noise(visit: Visit, system: System) -> None:
    until(lambda: verdicts(system).get("mismatch", 0) >= 3, "the sides differ")
    visitor = visit()
    page = visitor.go("/shadow/prices")
    for word, wanted in (("It is noise", "match"), ("Take the word back", "mismatch")):
        before = verdicts(system).get(wanted, 0)
        press(page, ".pick details summary")
        button = page.locator(".field form button", has_text=word)
        tab_to(page, ".field form button")
        assert button.inner_text() == word
        page.keyboard.press("Enter")
        confirmed(page)
        until(partial(_more, system, wanted, before), f"{wanted} follows")
        page = visitor.go("/shadow/prices?noise=1")


def test_a_replay_says_what_is_still_so(visit: Visit, system: System) -> None:
    """The proxy's shadow worker asks both sides once more."""
    until(lambda: verdicts(system).get("mismatch", 0) >= 3, "the sides differ")
    page = visit().go("/shadow/prices?verdict=mismatch")
    press(page, "form[action$='/replay'] button")
    opened(page)
    page.get_by_text("to legacy, and as many to new").wait_for()
    press(page, "#dialog form button.primary")
    page.get_by_text("still do not").wait_for()
    page.locator("#replay b", has_text="done").wait_for()
    assert page.locator("#replay li").count() >= 1
    page.locator("#replay li a").first.press("Enter")
    page.wait_for_url("**/shadow/prices/examples/*")
    page.get_by_role("heading", name="Replays").wait_for()
    press(page, "form[action$='/replay'] button")
    opened(page)
    press(page, "#dialog form button.primary")
    page.locator("#replay h2", has_text="Replay of 1 request").wait_for()


def test_noise_is_hidden_until_asked_for(visit: Visit, wishlist: str) -> None:
    page = visit().go("/shadow/wishlist")
    assert page.locator(".pick code", has_text="$.price").count() >= 1
    assert page.locator(".pick li.noise").count() == 0
    press(page, "[role=switch]")
    page.wait_for_url("**/shadow/wishlist?noise=1")
    assert page.locator("[role=switch]").get_attribute("aria-checked") == "true"
    assert "$.seen" in page.locator(".pick li.noise").inner_text()


def test_examples_by_verdict_and_field(visit: Visit, wishlist: str) -> None:
    page = visit().go("/shadow/wishlist")
    tab_to(page, "select[name=verdict]")
    page.keyboard.type("match")
    page.wait_for_url("**verdict=match")
    assert page.locator("#pane-examples ~ ul .verdict").all_inner_texts() == ["match"]
    page.goto(page.url.partition("?")[0])
    press(page, ".pick li.real > a")
    page.wait_for_url("**field=*")
    assert page.locator("#pane-examples ~ ul .verdict").all_inner_texts() == ["mismatch"] * 2


def test_a_pair_side_by_side_and_as_one(visit: Visit, wishlist: str) -> None:
    page = visit().go(f"/shadow/wishlist/examples/{wishlist}")
    assert page.locator(".diff td.del").inner_text().strip() == '"price": 10,'
    assert page.locator(".diff td.ins").inner_text().strip() == '"price": 12,'
    assert "equal lines" in page.locator(".diff .skipped").first.inner_text()
    press(page, "a[href='?view=unified']")
    page.wait_for_selector(".diff.unified")
    rows = page.locator(".diff tr.del, .diff tr.ins").all_inner_texts()
    assert [row.replace("\t", " ").split() for row in rows] == [
        ["−", '"price":', "10,"],
        ["+", '"price":', "12,"],
    ]
    press(page, "a[href='?view=side']")
    page.wait_for_selector(".diff:not(.unified)")
    press(page, "#differences ~ .scroll a.button")
    opened(page)
    assert page.locator("input[name=target]").input_value() == "$.price"


def test_pairs_are_exported(visit: Visit, wishlist: str) -> None:
    page = visit().go("/shadow/wishlist")
    found: dict[str, Any] = {}
    for form in ("pytest", "hurl", "har"):
        with page.expect_download() as download:
            press(page, f"a[href*='export?form={form}']")
        found[form] = Path(download.value.path()).read_text()
    compile(found["pytest"], "exported.py", "exec")
    assert "GET {{" in found["hurl"]
    assert '"log"' in found["har"]
    assert all("/wishlist/1" in text for text in found.values())


def test_the_flip_says_what_is_proven(visit: Visit, wishlist: str) -> None:
    """Bound, sample and noise stand in the dialog before anything is given to new."""
    page = visit().go("/routes/wishlist")
    press(page, "#to-canary")
    opened(page, "reason")
    assert "canary 5 %" in page.locator("#dialog-title").inner_text()
    text = page.locator("#dialog .facts").inner_text()
    assert "90 % agreement over 100 pairs" in text
    assert "at least" in text
    assert "1 really differs, 1 noise" in text
    assert "legacy was compared with itself 40 times" in text
