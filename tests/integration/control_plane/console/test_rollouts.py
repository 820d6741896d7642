"""The console's pages of rollouts: rail, reasons, figures, a person's word; and the map."""

from __future__ import annotations

import re

from tests.support.console import Browser
from tests.support.control import Control
from tests.support.databases import OpenControl
from tests.support.rollouts import PLAN, Heard


async def _visited(control: Control) -> tuple[Heard, Browser]:
    await control.seed()
    heard, browser = Heard(control), Browser(control)
    await browser.log_in(control.key)
    return heard, browser


async def test_a_rollouts_page_says_where_it_stands_and_why(open_control: OpenControl) -> None:
    """Rail with the current step, the reason it waits, intervals against bounds, the timeline."""
    async with open_control(rollout_seconds=60) as control:
        heard, browser = await _visited(control)
        heard.differing(200)
        await heard.start()
        await heard.walk_to("shadow")
        await heard.tick()
        page = await browser.page("/rollouts/orders")
        assert "Waiting for data" in page.text
        assert "$.total|changed" in page.text
        assert "current step" in page.text
        steps = [attrs for attrs in page.all("li") if attrs.get("aria-current") == "step"]
        assert len(steps) == 1
        assert any("bound" in (attrs.get("class") or "") for attrs in page.all("polyline"))
        labels = [attrs.get("aria-label") or "" for attrs in page.all("svg")]
        assert any(re.match(r"parity: between .* at most 0\.50%", label) for label in labels)
        listed = await browser.page("/rollouts")
        assert "waiting for data" in listed.text
        home = await browser.page("/")
        assert "by itself" in home.text
        await heard.say("pause")
        home = await browser.page("/")
        assert "by itself" not in home.text, "nothing moves it now"
        assert "rollout paused" in home.text


async def test_a_plan_that_was_not_begun_says_how(open_control: OpenControl) -> None:
    """In the list, and on its page where its buttons would be."""
    async with open_control(rollout_seconds=60) as control:
        _, browser = await _visited(control)
        await control.client.put("/rollouts/orders", json=PLAN)
        for path in ("/rollouts", "/rollouts/orders"):
            assert "figway rollout start orders" in (await browser.page(path)).text, path


async def test_complaint_12_a_failed_rollout_is_in_needs_attention_with_its_age(
    open_control: OpenControl,
) -> None:
    """devantler-tech/platform#2387: wedged in Failed for days, and nobody saw it."""
    async with open_control(rollout_seconds=60) as control:
        heard, browser = await _visited(control)
        await heard.start(on_breach="legacy")
        await heard.walk_to("25 %")
        await heard.tick(legacy=75, new=0, failed=40)
        home = await browser.page("/")
        assert re.search(r"rollout aborted since \d+ \w+: 40 of 40", home.text), home.text
        listed = await control.get("/rollouts", attention="true")
        assert [entry["id"] for entry in listed["items"]] == ["orders"]
        assert listed["items"][0]["age_s"] >= 0


async def test_a_person_tells_it_from_the_console(open_control: OpenControl) -> None:
    """Pause and abort with a reason; without one nothing happens, and the page says so."""
    async with open_control(rollout_seconds=60) as control:
        heard, browser = await _visited(control)
        await heard.start()
        await heard.walk_to("5 %")
        form = {"csrf": browser.csrf, "reason": ""}
        refused = await browser.client.post("/console/rollouts/orders/abort", data=form)
        assert refused.status_code == 422
        assert await heard.stands() == "5 %"
        done = await browser.client.post(
            "/console/rollouts/orders/abort", data=form | {"reason": "not today"}
        )
        assert done.status_code == 200
        assert await heard.stands() == "shadow"
        again = await browser.client.post(
            "/console/rollouts/orders/pause", data=form | {"reason": "x"}
        )
        assert again.status_code == 409
        foreign = await browser.client.post(
            "/console/rollouts/orders/retry", data={"csrf": "no", "reason": "x"}
        )
        assert foreign.status_code == 403
