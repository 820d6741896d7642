"""A rollout in a real browser: at both sizes, light and dark, and what a person says to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.suites.browser.accessibility import faults_of
from tests.suites.browser.conftest import SCHEMES, SIZES, Visitor, Window
from tests.suites.browser.system import System, until

pytestmark = pytest.mark.browser
Visit = Callable[..., Visitor]
HOSTILE = "<script>document.title='owned'</script>\u202egnp"


@pytest.fixture
def rollout(system: System) -> Iterator[dict[str, Any]]:
    """One that waits in the shadow; gone at the end."""
    plan = {"target": {"route": "prices"}, "steps": [{"stage": "shadow"}, {"weight": "5%"}]}
    body = {"reason": HOSTILE, "plan": plan}
    started = system.api.post("/rollouts/prices/start", json=body)
    assert started.status_code == 200, started.text

    def judged() -> bool:
        found = system.api.get("/rollouts/prices").json()
        figures = system.api.get("/rollouts/prices/figures").json()
        return bool(found["gates"] and figures)

    until(judged, "its gates are judged")
    yield started.json()
    system.api.post("/rollouts/prices/abort", json={"reason": "the end"})
    system.api.delete("/rollouts/prices")


@pytest.mark.parametrize("window", [(size, "light") for size in SIZES], ids=list(SIZES))
def test_its_pages(visit: Visit, rollout: dict[str, Any], window: Window) -> None:
    """No serious fault of accessibility, no sideways scrolling; what people wrote is inert."""
    visitor, faults = visit(), []
    for path in ("/rollouts", f"/rollouts/{rollout['id']}", "/"):
        page = visitor.go(path)
        page.wait_for_load_state("load")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide at {window[0]}"
        assert "owned" not in page.title()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            faults += [f"{path}, {scheme}: {fault}" for fault in faults_of(page)]
    assert faults == []
    assert visitor.faults == []


def test_what_can_be_said_follows_what_it_does(
    visit: Visit, system: System, rollout: dict[str, Any]
) -> None:
    """Somebody else pauses it: the buttons change by themselves, what is being written stays."""
    page = visit().go(f"/rollouts/{rollout['id']}")
    page.fill("input[name=reason]", "half a sentence")
    answer = system.api.post("/rollouts/prices/pause", json={"reason": "wait"})
    assert answer.status_code == 200, answer.text
    page.wait_for_selector("#rollout-words button:has-text('Resume')")
    assert page.input_value("input[name=reason]") == "half a sentence"
    page.press("input[name=reason]", "Enter")  # says nothing: which word is meant is not plain
    page.wait_for_timeout(500)
    assert system.api.get("/rollouts/prices").json()["phase"] == "paused"
    page.click("#rollout-words button:has-text('Resume')")
    page.wait_for_selector("#rollout-words button:has-text('Pause')")
    until(
        lambda: system.api.get("/rollouts/prices").json()["phase"] != "paused", "it goes on"
    )  # fmt: skip
