"""A new that fails is never proven, and every place where somebody decides says so."""

from __future__ import annotations

import re

import pytest

from tests.support import comparing
from tests.support.console import browser
from tests.support.control import Control

PAGES = {
    "the list": "/routes",
    "the route": "/routes/orders",
    "the flip": "/routes/orders/flip?stage=new",
    "the shadow": "/shadow/orders",
}


@pytest.mark.parametrize("failed", [20, 800])
async def test_a_new_that_fails_is_said_wherever_somebody_decides(
    control: Control, failed: int
) -> None:
    """On 1 % and on 40 % of its requests; all others match, and are many enough."""
    await control.seed()
    matches = 2_000 - failed
    sent = comparing.evidenced(matches, failed={"new": {"503": failed}})
    await comparing.send(control, 1, sent)
    [found] = (await control.get("/comparisons/routes"))["items"]
    agreement = found["evidence"]["agreement"]
    assert agreement["new_failed"] == failed
    assert agreement["rate"] == pytest.approx(matches / 2_000)
    assert "proven" not in {goal["standing"] for goal in agreement["goals"][:1] if failed > 20}
    assert agreement["goals"][1]["standing"] != "proven"
    visitor = await browser(control)
    for name, path in PAGES.items():
        text = (await visitor.page(path)).text
        assert re.search(f"new failed (on )?{failed}", text), name
        assert "100 % agreement" not in text, name
