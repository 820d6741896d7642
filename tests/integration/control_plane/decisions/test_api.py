"""A sample of decisions: kept for those who watch, told to them, and bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from control_plane.auth.roles import Role
from control_plane.decisions import service
from control_plane.decisions.schemas import DecisionsIn
from control_plane.publishing.hub import Hub
from tests.support.console import browser
from tests.support.control import Control


def decision(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "at_ms": 1_700_000_000_000 + number, "route": "orders", "method": "GET",
        "path": f"/orders/{number}", "side": "new", "why": "weight", "bucket": 42, "status": 200,
        "revision": 3, "head_us": 900, "total_us": 1_000, **more,
    }  # fmt: skip


async def send(control: Control, *found: dict[str, Any]) -> None:
    answer = await control.post("/decisions", {"instance": "p1", "decisions": list(found)})
    assert answer.status_code == 204, answer.text


def told(queue: asyncio.Queue[bytes | None]) -> list[tuple[str, Any]]:
    """What a hub has queued."""
    found = []
    while not queue.empty():
        name, _, data = (queue.get_nowait() or b"").partition(b"\n")
        found.append((name.decode().removeprefix("event: "), orjson.loads(data[6:])))
    return found


async def test_decisions_are_kept_for_those_who_watch(control: Control) -> None:
    await send(control, decision(1))
    assert (await control.get("/decisions", route="orders"))["items"] == []
    await send(control, decision(3), decision(2), decision(4, route="search"))
    found = await control.get("/decisions", route="orders")
    assert [entry["path"] for entry in found["items"]] == ["/orders/3", "/orders/2"]
    assert (found["items"][0]["instance"], found["items"][0]["bucket"]) == ("p1", 42)
    await send(control, decision(5))
    after = await control.get("/decisions", route="orders", after=found["last"])
    assert [entry["path"] for entry in after["items"]] == ["/orders/5"]


async def test_proxies_hear_what_is_watched(control: Control) -> None:
    queue = control.services.tables.subscribe()
    for _ in range(3):
        await control.get("/decisions", route="orders")
    assert told(queue) == [("watch", {"routes": ["orders"], "ms": 15_000})]
    await control.get("/decisions")
    control.services.decisions.renew()
    assert [event[1]["routes"] for event in told(queue)] == [["*", "orders"]] * 2


def test_what_is_kept_is_bounded() -> None:
    found = service.Decisions(Hub(10), Hub(10))
    for number in range(200):
        found.asked(f"r{number}")
    assert found.watched() == [f"r{number}" for number in range(199, 191, -1)]
    body = [decision(number, route="r199") for number in range(1_000)]
    found.take(DecisionsIn.model_validate({"instance": "p", "decisions": body}))
    assert len(found.latest("r199")) == service.KEPT
    assert found.latest("r199", limit=2)[0].path == "/orders/999"


def test_watching_ends_with_the_stream(monkeypatch: Any) -> None:
    now = 1_000.0
    monkeypatch.setattr("control_plane.decisions.service.time.monotonic", lambda: now)
    found = service.Decisions(Hub(10), Hub(10))
    with found.watching("orders"), found.watching("orders"):
        now += 100
        assert found.watched() == ["orders"]
    assert found.watched() == []


async def test_only_a_proxy_sends_and_a_viewer_may_look(control: Control) -> None:
    async with await control.client_of(Role.VIEWER) as viewer:
        assert (await viewer.get("/decisions")).status_code == 200
        refused = await viewer.post("/decisions", json={"instance": "p", "decisions": []})
        assert refused.status_code == 403


async def test_the_console_shows_them_inert(control: Control) -> None:
    await control.seed()
    someone = await browser(control)
    await someone.page("/routes/orders")
    control.services.decisions.asked("orders")
    hostile = "/orders/<script>alert(1)</script>\x9b\x00"
    await send(
        control,
        decision(1, path=hostile, side="legacy", fallback="breaker_open", attempts=2),
    )
    page = await someone.page("/routes/orders")
    assert "fallback: breaker open" in page.text
    assert "⟨U+009B⟩⟨U+0000⟩" in page.text
    assert "<script>alert" in page.text
    assert all("alert" not in str(script) for script in page.all("script"))
