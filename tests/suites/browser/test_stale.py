"""A control plane that hangs: the page says how old it is, and ends to say so by itself."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.suites.browser.conftest import Visitor
from tests.suites.browser.system import System

pytestmark = pytest.mark.browser


def test_a_control_plane_that_hangs(visit: Callable[..., Visitor], system: System) -> None:
    """B9: SIGSTOP sends no error: grey and a word after five seconds, and fresh again after."""
    visitor = visit()
    page = visitor.go("/fleet")
    assert page.locator("body.stale").count() == 0
    assert system.control is not None
    system.control.child.send_signal(signal.SIGSTOP)
    try:
        page.wait_for_selector("body.stale", timeout=15_000)
        assert "s old" in page.locator("#age").inner_text()
        page.wait_for_selector("#lost", state="visible", timeout=30_000)
        assert "does not answer" in page.locator("#lost").inner_text()
    finally:
        system.control.child.send_signal(signal.SIGCONT)
    page.wait_for_selector("body:not(.stale)", timeout=30_000)
    page.wait_for_selector("#lost", state="hidden", timeout=30_000)
    visitor.faults[:] = [fault for fault in visitor.faults if "htmx:" not in fault]  # time-outs
