"""Plans of strange shape: each gets a finding or does what it says; none stops the ticker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.control import ROUTE, Control
from tests.support.rollouts import PLAN, STEPS, Heard

pytestmark = pytest.mark.long

STRANGE: list[tuple[dict[str, Any], str]] = [
    ({"steps": [{"weight": f"{n / 1000}%"} for n in range(10_000)]}, "10000 steps"),
    ({"steps": [{"stage": "shadow"}, {"weight": "0%"}]}, "too little"),
    ({"steps": [{"stage": "shadow"}, {"weight": "0.001%"}]}, "too little"),
    ({"steps": [{"stage": "shadow"}, {"weight": "NaN%"}]}, "not a share"),
    ({"steps": [{"stage": "shadow"}, {"weight": 5}]}, "not a share"),
    ({"steps": [{"stage": "shadow"}, {}]}, "missing"),
    ({"steps": [{"stage": "shadow", "hold": "-1s"}]}, "not a duration"),
    ({"steps": [{"stage": "shadow", "hold": "999999d"}]}, "not a duration"),
    ({"steps": [{"stage": "shadow", "hold": "x" * 100_000}]}, "xxx..."),
    ({"steps": {"0": {"stage": "shadow"}}}, "not a list"),
    ({"steps": [["shadow"]]}, "not a mapping"),
    ({"gates": {"min_distinct": True}}, "not a number"),
    ({"gates": {"max_one": "0%"}}, "too little"),
    ({"gates": {"parity": "100%"}}, "never be proven"),
    ({"gates": {"latency": {"quantile": 1}}}, "not a number"),
    ({"window": {"hours": "25:00-26:00"}}, "no hours"),
    ({"window": {"days": "someday"}}, "no days"),
    ({"window": {"zone": "../../etc/passwd"}}, "no zone"),
    ({"window": {"zone": "Mars/Base"}}, "no zone"),
    ({"stale_after": "0s"}, "not a duration"),
    ({"x" * 10_000: 1}, "no field"),
]


@pytest.mark.parametrize(("plan", "says"), STRANGE, ids=range(len(STRANGE)))
async def test_it_is_refused_with_a_finding(
    control: Control, plan: dict[str, Any], says: str
) -> None:
    """By start, lint and simulate alike, with its place; nothing is kept."""
    await control.seed()
    body = {"id": "orders", "target": {"route": "orders"}, "steps": STEPS, **plan}
    lint = await control.post("/rollouts/lint", body)
    assert lint.status_code == 200, lint.text
    assert not lint.json()["valid"]
    assert says in lint.json()["findings"][0]["message"]
    assert len(lint.content) < 400_000
    for path, sent in (
        ("/rollouts/orders/start", {"reason": "x", "plan": body}),
        ("/rollouts/simulate", body),
    ):
        answer = await control.post(path, sent)
        assert answer.status_code == 422, answer.text
        assert says in answer.json()["findings"][0]["message"]
    assert (await control.get("/rollouts"))["items"] == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_are_none(control: Control, number: str) -> None:
    """JSON has no NaN; a client that sends one is told, and nothing is kept."""
    await control.seed()
    body = (
        '{"target": {"route": "orders"}, "steps": [{"stage": "shadow"}],'
        f' "gates": {{"errors": {{"ratio": {number}}}}}}}'
    )
    headers = {"content-type": "application/json"}
    for method, path in (("PUT", "/rollouts/orders"), ("POST", "/rollouts/simulate")):
        answer = await control.client.request(method, path, content=body, headers=headers)
        assert answer.status_code in (400, 422), answer.text
    assert (await control.get("/rollouts"))["items"] == []


async def test_holds_of_no_length_are_walked_one_look_at_a_time(control: Control) -> None:
    """40 steps without any hold: each is a move of its own, and every proxy serves it first."""
    await control.seed()
    heard = Heard(control)
    steps = [{"stage": "shadow"}, *({"weight": f"{n}%", "hold": "0s"} for n in range(1, 40))]
    await heard.start(steps=steps)
    await heard.walk_to("3 %")
    moves = [e for e in (await control.get("/rollouts/orders/timeline"))["items"] if e["revision"]]
    assert [entry["step"] for entry in reversed(moves)] == [0, 1, 2, 3]


async def test_a_zone_that_this_machine_forgot_holds(control: Control) -> None:
    """A plan that was kept where its zone was known: it holds, and says what to do."""
    await control.seed()
    heard = Heard(control)
    await heard.start(window={"days": "mon-sun", "hours": "00:00-24:00", "zone": "Europe/Berlin"})
    from sqlalchemy import text

    async with control.services.database.write() as connection:
        await connection.execute(
            text("UPDATE rollouts SET plan = replace(plan, 'Europe/Berlin', 'Europe/Atlantis')")
        )
    found = await heard.tick()
    assert found["waiting_for"] == "window"
    assert "Europe/Atlantis" in found["reasons"][0]["text"]
    assert control.services.ticker.failing == {}


async def test_a_plan_that_cannot_be_read_any_more_harms_itself_only(control: Control) -> None:
    """A row that an editor of the database broke: others are listed and looked at."""
    await control.seed()
    other = {"target": {"route": "orders"}, "steps": STEPS}
    assert (await control.client.put("/rollouts/broken", json=other)).status_code == 200
    heard = Heard(control)
    await heard.start(gates=PLAN["gates"])
    from sqlalchemy import text

    async with control.services.database.write() as connection:
        await connection.execute(text("UPDATE rollouts SET plan = '{}' WHERE id = 'broken'"))
    await heard.walk_to("shadow")
    listed = (await control.get("/rollouts"))["items"]
    assert [entry["id"] for entry in listed] == ["orders"]


@pytest.mark.parametrize(
    "column",
    ["state = '{\"phase\": \"levitating\"}'", "state = '[]'", "state = '{'", "look = 'no'",
     "plan = 'null'", "plan = ''", "state = '{\"expected\": 5}'"],
)  # fmt: skip
async def test_a_row_that_cannot_be_read_harms_itself_only(control: Control, column: str) -> None:
    """As after going back to an earlier release, which does not know a later one's words: others
    are listed, looked at and move, and nothing answers 500."""
    await control.seed()
    answer = await control.post("/routes", {**ROUTE, "id": "other", "match": {"path": "/other"}})
    assert answer.status_code == 201
    plan = {**PLAN, "target": {"route": "other"}}
    started = await control.post("/rollouts/broken/start", {"reason": "x", "plan": plan})
    assert started.status_code == 200, started.text
    heard = Heard(control)
    await heard.start()
    from sqlalchemy import text

    async with control.services.database.write() as connection:
        await connection.execute(text(f"UPDATE rollouts SET {column} WHERE id = 'broken'"))
    await heard.walk_to("5 %")
    assert control.services.ticker.failing == {"broken": "it cannot be read from the database"}
    assert "figway_rollout_looks_failing 1" in (await control.client.get("/metrics")).text
    assert [entry["id"] for entry in (await control.get("/rollouts"))["items"]] == ["orders"]
    assert (await control.client.get("/rollouts/broken")).status_code == 404
    for path in ("/metrics", "/routes", "/table/export"):
        assert (await control.client.get(path)).status_code == 200, path
    assert (await control.client.delete("/rollouts/broken")).status_code == 404
    async with control.services.database.write() as connection:
        await connection.execute(text("DELETE FROM rollouts WHERE id = 'broken'"))
    await heard.tick()
    assert control.services.ticker.failing == {}
