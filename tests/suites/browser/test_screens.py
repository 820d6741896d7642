"""Every screen in a real browser: sizes, colours, accessibility, hostile content."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.suites.browser.accessibility import faults_of
from tests.suites.browser.conftest import SCHEMES, SIZES, Visitor, Window
from tests.suites.browser.system import System
from tests.support import comparing

pytestmark = pytest.mark.browser
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
REORDERED = "\u202egnp.exe\x1b[31m\x00"
SCREENS = (
    "/", "/routes", "/routes?capability=checkout", "/routes/products",
    "/routes/orders/flip?stage=canary&percent=10", "/routes/search/breaker?force=open",
    "/shadow", "/shadow/basket", "EXAMPLE",
    "/explain?request=/products/7&percent=60", "/fleet", "/audit", "/keys", "/kill", "/login",
    "/backends", "/new/backends", "/new/capabilities", "/new/routes", "/edit/routes/products",
)  # fmt: skip
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def example(system: System) -> str:
    """The address of a stored pair full of what may hurt."""
    long = "x" * 1_200_000
    legacy = {"by": HOSTILE, "name": REORDERED, "price": 1, "long": long, "[redacted": 1}
    pair = comparing.example(
        legacy,
        {**legacy, "price": 2, "by": REORDERED},
        request=comparing.request(f"/basket/{HOSTILE}{REORDERED}"),
        headers=[],
    )
    pair["legacy"]["headers"] = [["X-Bad", HOSTILE + REORDERED], ["Content-Type", "text/plain"]]
    batch = comparing.batch(
        1,
        comparing.route(
            90, 10, route="basket", examples=[pair],
            fields=[comparing.field("$.price", 10), comparing.field(f"$['{HOSTILE}']", 2)],
        ),
        boot="browser",
    )  # fmt: skip
    answer = system.api.post("/comparisons/batches", json=batch)
    assert answer.json() == {"accepted": True}, answer.text
    return f"/shadow/basket/examples/{pair['id']}"


@pytest.mark.parametrize("window", [(size, "light") for size in SIZES], ids=list(SIZES))
def test_every_screen(visit: Visit, example: str, window: Window) -> None:
    """Light and dark: no serious fault of accessibility, no sideways scrolling, no error."""
    visitor = visit()
    faults = []
    for path in SCREENS:
        page = visitor.go(example if path == "EXAMPLE" else path)
        page.wait_for_load_state("load")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide at {window[0]}"
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            faults += [f"{path}, {scheme}: {fault}" for fault in faults_of(page)]
    assert faults == []


def test_hostile_content_is_inert(visit: Visit, example: str) -> None:
    """Scripts, control characters, overrides and a line of a megabyte are shown, and do nothing."""
    visitor = visit()
    for path in (example, f"{example}?view=unified", "/shadow/basket", "/shadow/basket?noise=1"):
        page = visitor.go(path)
        assert "owned" not in page.title()
        assert page.locator("main img").count() == 0
        assert page.locator("main script").count() == 0
        text = page.locator("main").inner_text()
        for character in "\u202e\x1b\x00":
            assert character not in text, path
        assert len(page.content()) < 300_000
    page = visitor.go(example)
    shown = page.locator("main").inner_text()
    assert "⟨U+202E⟩" in shown
    assert "<script>document.title" in shown


def test_the_policy_refuses_what_is_injected(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go("/")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.owned = 1';"
        " document.body.append(s); document.body.setAttribute('style', 'color: red'); }"
    )
    assert page.evaluate("window.owned") is None
    assert visitor.faults
    assert all("Content Security Policy" in fault for fault in visitor.faults)
    visitor.faults.clear()
