"""What proxies say of URLs that are left out and of budgets, wherever the fleet is shown."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from control_plane.cli import fleet
from tests.support.console import Browser
from tests.support.control import Control

OUT = [
    {"worker": number, "backend": "fn", "member": "http://10.0.0.2:80", "state": "ejected",
     "since_ms": 1}
    for number in (0, 1)
]  # fmt: skip
BUDGETS = [
    {"backend": "legacy", "budget": "fallback", "spent": 12, "refused": 3, "refused_ms": 1,
     "now_per_s": 1.0, "granted_per_s": 10.0, "peak_per_s": 4.0, "peak_ms": 1},
    {"backend": "fn", "budget": "retry", "spent": 4, "refused": 0, "refused_ms": 0,
     "now_per_s": 0.0, "granted_per_s": 0.0, "peak_per_s": 0.0, "peak_ms": 0},
]  # fmt: skip


async def told(control: Control) -> None:
    """A proxy of two workers says so."""
    now = await control.get("/table")
    workers = [{"id": number, "revision": now["revision"]} for number in (0, 1)]
    said: dict[str, Any] = {"out": OUT, "budgets": BUDGETS, "workers": workers}
    await control.ack("edge-1", now["revision"], now["etag"], **said)


async def test_the_fleet_keeps_what_a_proxy_says(control: Control) -> None:
    """trap 50: what one worker learns is visible."""
    await told(control)
    (proxy,) = (await control.get("/fleet"))["items"]
    assert (proxy["out"], proxy["budgets"]) == (OUT, BUDGETS)


async def test_the_console_shows_it(control: Control) -> None:
    await told(control)
    visitor = Browser(control)
    await visitor.log_in(control.key)
    text = " ".join((await visitor.page("/fleet")).text.split())
    assert "ejected: http://10.0.0.2:80 of fn, worker 1" in text
    assert "fallback of legacy: 12 granted, 3 refused" in text
    assert "retry of fn: 4 granted" in text
    await visitor.client.aclose()


def test_the_command_line_names_url_and_budget(capsys: Any) -> None:
    """Once for all workers that see it, and only budgets that refused something."""
    budgets = [{**BUDGETS[0], "refused_ms": int(time.time() * 1_000)}, BUDGETS[1]]
    proxy = {"instance": "edge-1", "workers": [{}, {}, {}], "out": OUT, "budgets": budgets}
    fleet._left_out(proxy)
    fleet._budgets_spent(proxy)
    said = " ".join(capsys.readouterr().out.split())
    assert "edge-1 leaves out http://10.0.0.2:80 of fn: ejected (2 of 3 workers)" in said
    assert "edge-1 had no fallback budget left for legacy: 3 refused, 12 granted" in said
    assert "retry" not in said
    assert fleet._members_out(proxy) == 1


async def test_a_proxy_of_any_name_can_be_forgotten(control: Control) -> None:
    """B3: one that is gone for good would be named as silent for hours, whatever it is called."""
    await control.seed()
    now = await control.get("/table")
    for name in ("eu/a", "a b", "50%", "a?b#c"):
        await control.ack(name, now["revision"], now["etag"])
        gone = await control.client.delete(f"/fleet/{quote(name, safe='')}")
        assert gone.status_code == 204, (name, gone.text)
    assert (await control.get("/fleet"))["items"] == []
