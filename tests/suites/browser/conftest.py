"""A browser, where there is one, and a running system for it to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.suites.browser.system import System, running
from tests.support.thorough import THOROUGH

playwright = pytest.importorskip(
    "playwright.sync_api", reason="browser tests need playwright: pip install playwright"
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"wide": (1_280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
Window = tuple[str, str]
# `test_screens` looks at every screen in each size and scheme; the rest needs one window to work
# in, and gets all four with `make test-all` or `make test-browser WINDOWS=all`.
WINDOWS: tuple[Window, ...] = (
    tuple(product(SIZES, SCHEMES))
    if THOROUGH or os.environ.get("WINDOWS") == "all"
    else (("wide", "light"),)
)


def chromium() -> str | None:
    """Where Chromium is, if it is anywhere."""
    given = os.environ.get("CHROMIUM", "")
    if given:
        return given if Path(given).exists() else None
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    """One browser for all tests."""
    executable = chromium()
    if executable is None:
        pytest.skip(
            "no browser here: install Chromium (Debian: apt install chromium), "
            "or name one in CHROMIUM"
        )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def system(chrome: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A control plane, a proxy and both sides, with some traffic."""
    with running(tmp_path_factory.mktemp("system")) as found:
        found.visit(5)
        yield found


class Visitor:
    """A page, and everything that it should not have done."""

    def __init__(self, context: Any, base: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.base = base
        self.faults: list[str] = []
        self.expected: set[int] = set()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            status = [n for n in self.expected if f"status of {n}" in message.text]
            if not status:
                self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.faults.append(f"foreign: {request.url}")

    def go(self, path: str) -> Any:
        """Open a page of the console."""
        self.page.goto(f"{self.base}/console{path}")
        self.page.wait_for_function("() => window.htmx || document.body.classList.contains('bare')")
        return self.page


Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def logged_in(chrome: Any, system: System) -> Any:
    """What a browser keeps after the one-time link was followed."""
    context = chrome.new_context()
    page = context.new_page()
    page.goto(system.link)
    page.wait_for_url("**/console/")
    assert "token" not in page.url
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(params=WINDOWS, ids="-".join)
def window(request: pytest.FixtureRequest) -> Window:
    """Size and colour scheme of what `visit` opens: a test that visits runs once in each."""
    found: Window = request.param
    return found


@pytest.fixture
def visit(chrome: Any, system: System, logged_in: Any, window: Window) -> Iterator[Visit]:
    """Opens a browser window; at the end nothing may have gone wrong in it."""
    visitors: list[Visitor] = []
    size, scheme = window
    width, height = SIZES[size]

    def make(*, anonymous: bool = False) -> Visitor:
        context = chrome.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            storage_state=None if anonymous else logged_in,
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        visitors.append(Visitor(context, system.admin))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert visitor.faults == []
