"""Several rollouts move routes of one backend: its outage is everybody's, and each acts by its own
plan, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from control_plane.clock import now_ms
from control_plane.db.rollout_models import RolloutRow
from figway.evidence.histogram import bucket_of
from figway.rollout.state import state_from_data, state_to_data
from tests.support.control import Control
from tests.support.rollouts import PLAN, STEPS, Heard

ROUTES = ("orders", "carts", "prices")
BREACHES = dict(zip(ROUTES, ("step_back", "legacy", "pause"), strict=True))


async def _begun(control: Control) -> Heard:
    """Three routes of one new backend, and a rollout for each with its own answer to a breach."""
    await control.seed()
    for name in ROUTES[1:]:
        route = {"id": name, "match": {"path": f"/{name}/{{id}}"}, "new": "fn"}
        assert (await control.post("/routes", route)).status_code == 201
    heard = Heard(control)
    for name, on_breach in BREACHES.items():
        plan = {**PLAN, "target": {"route": name}, "on_breach": on_breach}
        begun = await control.post(f"/rollouts/{name}/start", {"reason": "go", "plan": plan})
        assert begun.status_code == 200, begun.text
    return heard


async def _look(heard: Heard, open_ms: int = 0) -> None:
    """All routes carry traffic; the breakers of all have been open for so long; one look."""
    breakers = [
        {"worker": 0, "route": name, "backend": "fn", "state": "open",
         "since_ms": now_ms() - open_ms}
        for name in ROUTES if open_ms
    ]  # fmt: skip
    await heard.proxy(breakers=breakers)
    series = [
        {"route": name, "side": side, "backend": side, "requests": 100, "statuses": {"2xx": 100},
         "latency": {bucket_of(20_000): 100}}
        for name in ROUTES for side in ("legacy", "new")
    ]  # fmt: skip
    await heard.report(series=series)
    await heard.control.services.ticker.round()
    assert heard.control.services.ticker.failing == {}


async def _stand(control: Control) -> dict[str, tuple[str, str]]:
    """Phase of each rollout, and where its route stands."""
    found = {}
    for name in ROUTES:
        route = await control.get(f"/routes/{name}")
        shown = await control.get(f"/rollouts/{name}")
        weight = f"{route['weight'] / 100:g} %" if route["stage"] == "canary" else route["stage"]
        found[name] = (shown["phase"], weight)
    return found


async def _told(control: Control, types: Iterable[str]) -> dict[str, Counter[str]]:
    """How often others are told of each rollout, by type."""
    events: list[dict[str, Any]] = (await control.get("/out-events", limit=200))["items"]
    return {
        name: Counter(
            event["subject"] for event in events if event["type"] == f"figway.rollout.{name}"
        )
        for name in types
    }


async def test_a_breaker_of_the_backend_breaches_each_rollout_once(control: Control) -> None:
    """One goes a step back, one to the beginning, one stays and waits for a person; each with one
    event and, where it moves, one revision. Further looks at the same outage add none, and nobody
    is sent further while it lasts."""
    heard = await _begun(control)
    for _ in range(12):
        await _look(heard)
        if set((await _stand(control)).values()) == {("running", "25 %")}:
            break
    assert set((await _stand(control)).values()) == {("running", "25 %")}
    # Open for longer than the step has lasted: what counts is the time of the step.
    async with control.services.database.write() as connection:
        await _begin_earlier(connection, 60_000)
    before = control.services.state.current.revision
    for _ in range(3):
        await _look(heard, open_ms=30_000)
    stand = await _stand(control)
    assert stand["carts"] == ("aborted", "shadow")
    assert stand["prices"] == ("paused", "25 %")
    assert stand["orders"][1] == "5 %"
    assert control.services.state.current.revision == before + 2
    told = await _told(control, ("stepping_back", "aborted", "paused"))
    assert told["stepping_back"] == Counter(orders=1)
    assert told["aborted"] == Counter(carts=1)
    assert told["paused"] == Counter(prices=1)
    waits = await control.get("/rollouts/orders")
    assert (waits["waiting_for"], waits["reasons"][0]["code"]) == ("data", "breaker_now")
    said = (await control.get("/rollouts/prices"))["reasons"]
    assert "the breaker of route prices has been open" in said[0]["text"]


async def _begin_earlier(connection: Any, ms: int) -> None:
    """As if every step had begun a minute before."""
    for row in (await connection.execute(select(RolloutRow.__table__))).all():
        state = state_from_data(orjson.loads(row.state))
        earlier = state_to_data(replace(state, since_ms=state.since_ms - ms))
        await connection.execute(
            update(RolloutRow)
            .where(RolloutRow.id == row.id)
            .values(state=orjson.dumps(earlier).decode())
        )


@pytest.mark.parametrize("first", [0, 1])
async def test_routes_that_overlap_move_each_by_its_own_plan(control: Control, first: int) -> None:
    """`/orders/special` is more specific than `/orders/{id}`: one that goes back, or is deleted,
    leaves the other where it stands."""
    await control.seed()
    special = {"id": "special", "match": {"path": "/orders/special"}, "new": "fn"}
    assert (await control.post("/routes", special)).status_code == 201
    heard = Heard(control)
    await heard.start()
    plan = {**PLAN, "target": {"route": "special"}, "steps": STEPS}
    begun = await control.post("/rollouts/special/start", {"reason": "go", "plan": plan})
    assert begun.status_code == 200, begun.text
    for _ in range(3):
        await heard.tick()
    back, stays = ("special", "orders") if first else ("orders", "special")
    before = (await control.get(f"/routes/{stays}"))["weight"]
    assert (await control.post(f"/rollouts/{back}/abort", {"reason": "x"})).status_code == 200
    assert (await control.get(f"/routes/{back}"))["stage"] == "shadow"
    assert (await control.get(f"/routes/{stays}"))["weight"] == before > 0
    await control.client.delete(f"/routes/{back}", headers={"if-match": "*"})
    await heard.tick() if stays == "orders" else await control.services.ticker.round()
    assert (await control.get(f"/rollouts/{stays}"))["phase"] not in ("superseded", "aborted")
    assert control.services.ticker.failing == {}
