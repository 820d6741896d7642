"""Two people at one rollout, plans that change under it, and tables that change under it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from control_plane.auth.roles import Role
from tests.support.control import ROUTE, Control
from tests.support.rollouts import PLAN, PROVEN, Heard

EDIT = {"if-match": "*"}


async def test_two_people_start_it_at_once(control: Control) -> None:
    """One of them begins it; the other is told that it moves, and nothing is done twice."""
    await control.seed()
    assert (await control.client.put("/rollouts/orders", json=PLAN)).status_code == 200
    answers = await asyncio.gather(
        *(control.post("/rollouts/orders/start", {"reason": "me"}) for _ in range(6))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 5}
    kinds = [e["kind"] for e in (await control.get("/rollouts/orders/timeline"))["items"]]
    assert kinds.count("start") == 1


async def test_two_people_say_different_things_at_once(control: Control) -> None:
    """Each word is followed or refused, whole; none answers 500."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    words = ("pause", "abort", "pause", "resume", "promote", "retry")
    answers = await asyncio.gather(*(heard.say(word) for word in words))
    assert {answer.status_code for answer in answers} <= {200, 409}
    found = await control.get("/rollouts/orders")
    assert found["phase"] in ("paused", "aborted", "running", "pending")


def _overtaken(heard: Heard, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """So many times, the ticker looks between what a person's word is judged by and its keeping."""
    service = heard.control.services.rollouts
    seen, left = service._seen, [times]

    async def look(*args: Any) -> Any:
        found = await seen(*args)
        if left[0]:
            left[0] -= 1
            await service.tick("orders")
        return found

    monkeypatch.setattr(service, "_seen", look)


@pytest.mark.parametrize(("word", "phase"), [("abort", "aborted"), ("pause", "paused")])
async def test_a_look_that_comes_between_refuses_no_word(
    control: Control, monkeypatch: pytest.MonkeyPatch, word: str, phase: str
) -> None:
    """The way back waits for nothing: not for a moment in which nobody looks either."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    _overtaken(heard, monkeypatch, times=3)
    answer = await heard.say(word)
    assert (answer.status_code, answer.json()["phase"]) == (200, phase)
    kinds = [e["kind"] for e in (await control.get("/rollouts/orders/timeline"))["items"]]
    assert kinds.count(word) == 1


async def test_a_promotion_that_was_overtaken_leads_no_further(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said of 5 %, and the look between went to 25 %: it does not go on to new."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await heard.proxy()
    await heard.report()
    _overtaken(heard, monkeypatch, times=2)
    answer = await heard.say("promote")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:figway:problem:rollout_moved")
    assert await heard.stands() == "25 %"


async def test_it_is_started_changed_and_deleted_at_once(control: Control) -> None:
    """Whoever comes first is followed; what moves is neither changed nor forgotten under it."""
    await control.seed()
    for number in range(5):
        await control.client.put("/rollouts/orders", json=PLAN)
        other = {**PLAN, "steps": [{"stage": "shadow"}, {"weight": f"{number + 2}%"}]}
        answers = await asyncio.gather(
            control.post("/rollouts/orders/start", {"reason": "go"}),
            control.client.put("/rollouts/orders", json=other),
            control.client.delete("/rollouts/orders"),
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 404, 409}
        listed = (await control.get("/rollouts"))["items"]
        if answers[2].status_code == 204 and answers[1].status_code != 200:
            assert listed == []
        if answers[0].status_code == 200 and answers[2].status_code != 204:
            assert listed[0]["phase"] != "planned"
        await control.post("/rollouts/orders/abort", {"reason": "again"})
        await control.client.delete("/rollouts/orders")


async def test_a_plan_with_fewer_steps_is_kept_while_it_is_paused(control: Control) -> None:
    """It stood in step 3 of 4; the new plan has two. It stands in the step of the new plan in which
    its routes stand, and goes on from there."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("25 %")
    assert (await heard.say("pause")).status_code == 200
    shorter = {**PLAN, "steps": [{"stage": "shadow"}, {"weight": "50%", "approve": True}]}
    kept = await control.client.put("/rollouts/orders", json=shorter)
    assert kept.status_code == 200, kept.text
    found = await heard.tick()
    assert (found["phase"], found["step"], found["stands"]) == ("paused", 0, "25 %")
    assert control.services.ticker.failing == {}
    assert (await heard.say("resume")).status_code == 200
    await heard.walk_to("50 %")


async def test_what_was_approved_belongs_to_the_old_plan(control: Control) -> None:
    """Another person approved leaving step 2; then the plan is changed: it asks again."""
    await control.seed()
    heard = Heard(control)
    steps: list[dict[str, Any]] = [
        {"stage": "shadow"}, {"weight": "5%", "approve": True, "hold": "1h"}, {"stage": "new"},
    ]  # fmt: skip
    await heard.start(steps=steps)
    await heard.walk_to("5 %")
    plan = {**PLAN, "steps": [steps[0], {"weight": "5%", "approve": True}, steps[2]]}
    assert (await heard.say("pause")).status_code == 200
    assert (await control.client.put("/rollouts/orders", json=plan)).status_code == 200
    assert (await heard.say("resume")).status_code == 200
    found = await heard.tick()
    assert found["waiting_for"] == "approval"
    async with await control.client_of(Role.OPERATOR) as other:
        answer = await other.post("/rollouts/orders/approve", json={"reason": "ok"})
        assert answer.status_code == 200, answer.text
    await heard.walk_to("new")


async def test_its_new_backend_is_taken_away_before_it_begins(control: Control) -> None:
    """The next move would make a wrong table: it waits, says what is wrong, needs a person, and
    goes on by itself when that is mended."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    answer = await control.client.patch("/routes/orders", json={"new": ""}, headers=EDIT)
    assert answer.status_code == 200, answer.text
    found = await heard.tick()
    assert (found["waiting_for"], found["needs_attention"]) == ("table", True)
    assert found["reasons"][0]["code"] == "table_refused"
    assert await heard.stands() == "legacy"
    await control.client.patch("/routes/orders", json={"new": "fn"}, headers=EDIT)
    await heard.walk_to("shadow")


async def test_its_route_is_renamed(control: Control) -> None:
    """Another id is another route: the rollout ends, and moves neither."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    exported = (await control.client.get("/table/export", params={"format": "json"})).json()
    exported["routes"][0]["id"] = "renamed"
    del exported["rollouts"]
    answer = await control.post("/table/apply", exported)
    assert answer.status_code == 200, answer.text
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert (found["phase"], found["reasons"][0]["code"]) == ("superseded", "routes_gone")
    assert control.services.ticker.failing == {}


async def test_its_route_joins_a_capability_that_is_flipped(control: Control) -> None:
    """A person moves the capability, and with it the route: the rollout steps aside."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    assert (await control.post("/capabilities", {"id": "shop"})).status_code == 201
    joined = await control.client.patch(
        "/routes/orders", json={"capability": "shop"}, headers={"if-match": "*"}
    )
    assert joined.status_code == 200, joined.text
    body = {"weight": 9_000, "reason": "all of it"}
    flipped = await control.post("/capabilities/shop/flip", body, if_match="*")
    assert flipped.status_code == 200, flipped.text
    found = await heard.tick()
    assert found["phase"] == "superseded"
    assert await heard.stands() == "90 %"


async def test_a_route_that_joins_its_capability_pauses_it(control: Control) -> None:
    """A rollout moves its routes together: one that stands elsewhere is named."""
    await control.seed()
    await control.post("/capabilities", {"id": "shop"})
    await control.client.patch("/routes/orders", json={"capability": "shop"}, headers=EDIT)
    heard = Heard(control)
    await heard.start(target={"capability": "shop"})
    await heard.walk_to("5 %")
    late = {**ROUTE, "id": "late", "match": {"path": "/late"}, "capability": "shop"}
    made = await control.post("/routes", late)
    assert made.status_code == 201, made.text
    found = await heard.tick()
    assert found["phase"] == "paused"
    assert "route late is at legacy" in found["reasons"][0]["text"]


@pytest.mark.parametrize("word", ["", "pause"])
async def test_a_start_that_is_refused_keeps_no_plan(control: Control, word: str) -> None:
    """It comes with another plan, and the rollout moves already, or is paused: 409, and the plan
    under way is the one that was started."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    if word:
        assert (await heard.say(word)).status_code == 200
    other = {**PLAN, "steps": [{"stage": "shadow"}, {"weight": "90%"}]}
    answer = await control.post("/rollouts/orders/start", {"reason": "again", "plan": other})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:figway:problem:rollout_moves")
    found = await control.get("/rollouts/orders")
    assert [step["stands"] for step in found["steps"]] == ["shadow", "5 %", "25 %", "new"]
    kinds = [e["kind"] for e in (await control.get("/rollouts/orders/timeline"))["items"]]
    assert kinds.count("planned") == 1


async def test_its_backend_leads_elsewhere_under_way(control: Control) -> None:
    """Another address is another new: what was held and approved was so of the one before. It says
    so, and a field that no answer depends on begins nothing anew."""
    await control.seed()
    heard = Heard(control)
    steps: list[dict[str, Any]] = [
        {"stage": "shadow"}, {"weight": "5%", "approve": True}, {"stage": "new"},
    ]  # fmt: skip
    await heard.start(steps=steps)
    await heard.walk_to("5 %")
    await heard.tick()
    async with await control.client_of(Role.OPERATOR) as other:
        approved = await other.post("/rollouts/orders/approve", json={"reason": "ok"})
        assert approved.status_code == 200, approved.text
    words = {"description": "the same function", "limits": {"max_connections": 7}}
    await control.client.patch("/backends/fn", json=words, headers=EDIT)
    await control.client.patch("/backends/fn", json={"url": "http://127.0.0.1:9007"}, headers=EDIT)
    heard.evidence.says = replace(PROVEN, rated=3)
    found = await heard.tick()
    assert (found["waiting_for"], found["reasons"][0]["code"]) == ("data", "subject_changed")
    heard.evidence.says = PROVEN
    assert (await heard.tick())["waiting_for"] == "approval"
    async with await control.client_of(Role.OPERATOR) as other:
        await other.post("/rollouts/orders/approve", json={"reason": "of this one too"})
    await control.client.patch("/backends/fn", json={"description": "words"}, headers=EDIT)
    await heard.walk_to("new")


async def test_other_requests_than_those_that_were_compared(control: Control) -> None:
    """Its route comes to match other paths at 5 %: what was compared, held and approved was of the
    ones before. The table says from when on pairs count."""
    await control.seed()
    heard = Heard(control)
    await heard.start(steps=[{"stage": "shadow"}, {"weight": "5%", "hold": "1h"}, {"stage": "new"}])
    await heard.walk_to("5 %")
    await heard.tick()
    stood = await control.get("/routes/orders")
    other = {"match": {"path": "/payments/{id}"}}
    answer = await control.client.patch("/routes/orders", json=other, headers=EDIT)
    assert answer.status_code == 200, answer.text
    assert answer.json()["revision"] > stood["evidence_since"]
    since = (await control.get("/routes/orders"))["evidence_since"]
    assert since == control.services.state.current.revision
    found = await heard.tick()
    assert (found["held_ms"], found["waiting_for"]) == (0, "hold")


async def test_two_rollouts_of_one_route_begin_at_once(control: Control) -> None:
    """Both find nobody who moves it, and one of them is the first: the other is refused, whichever
    it is."""
    await control.seed()
    for _ in range(4):
        answers = await asyncio.gather(
            *(
                control.post(f"/rollouts/{name}/start", {"reason": "go", "plan": PLAN})
                for name in ("one", "two", "three")
            )
        )
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses[200] == 1, [answer.text for answer in answers]
        assert set(statuses) <= {200, 409, 422}
        moving = [e["id"] for e in (await control.get("/rollouts"))["items"] if e["phase"] in (
            "pending", "running", "waiting")]  # fmt: skip
        assert len(moving) == 1
        await control.post(f"/rollouts/{moving[0]}/abort", {"reason": "again"})


async def test_a_retry_of_what_another_moves_by_now_is_refused(control: Control) -> None:
    """Aborted, and another rollout took the route over: two would move it."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await heard.say("abort")
    other = {"reason": "go", "plan": PLAN}
    assert (await control.post("/rollouts/other/start", other)).status_code == 200
    answer = await heard.say("retry")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        409, "rollout_overlap",
    )  # fmt: skip
    assert (await control.get("/rollouts/orders"))["phase"] == "aborted"
    await control.post("/rollouts/other/abort", {"reason": "over"})
    assert (await heard.say("retry")).status_code == 200


async def test_it_is_started_while_it_is_deleted(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start comes after the deletion has looked, and before it has written: what moves is not
    forgotten under it."""
    await control.seed()
    assert (await control.client.put("/rollouts/orders", json=PLAN)).status_code == 200
    reader = control.services.rollouts.plans._reader
    read = reader.get

    async def overtaken(name: str) -> Any:
        found = await read(name)
        monkeypatch.undo()
        started = await control.post("/rollouts/orders/start", {"reason": "go"})
        assert started.status_code == 200, started.text
        return found

    monkeypatch.setattr(reader, "get", overtaken)
    answer = await control.client.delete("/rollouts/orders")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "rollout_moved")
    assert (await control.get("/rollouts/orders"))["phase"] == "pending"


@pytest.mark.parametrize(("weight", "phase"), [(100, "paused"), (9_000, "superseded")])
async def test_a_person_flips_between_a_look_and_its_move(
    control: Control, monkeypatch: pytest.MonkeyPatch, weight: int, phase: str
) -> None:
    """The look saw 5 % and was about to go to 25 %: what the person said stands, and the next look
    sees it."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await heard.proxy()
    await heard.report()
    mover = control.services.rollouts._mover
    apply = mover.apply

    async def overtaken(*args: Any) -> Any:
        monkeypatch.undo()
        assert (await control.flip(weight)).status_code == 200
        return await apply(*args)

    monkeypatch.setattr(mover, "apply", overtaken)
    await control.services.ticker.round()
    assert await heard.stands() == f"{weight / 100:g} %"
    assert control.services.ticker.failing == {}
    found = await heard.tick()
    assert (found["phase"], await heard.stands()) == (phase, f"{weight / 100:g} %")


async def test_a_route_that_a_person_took_back_further_stays_there(control: Control) -> None:
    """One of two routes was taken back to legacy by hand. An abort leads the other to the shadow,
    and no route further than a person left it."""
    await control.seed()
    await control.post("/capabilities", {"id": "shop"})
    await control.client.patch("/routes/orders", json={"capability": "shop"}, headers=EDIT)
    late = {**ROUTE, "id": "late", "match": {"path": "/late"}, "capability": "shop"}
    assert (await control.post("/routes", late)).status_code == 201
    heard = Heard(control)
    started = {"reason": "go", "plan": {**PLAN, "target": {"capability": "shop"}}}
    assert (await control.post("/rollouts/orders/start", started)).status_code == 200
    await heard.walk_to("5 %")
    taken = await control.client.patch("/routes/late", json={"stage": "legacy"}, headers=EDIT)
    assert taken.status_code == 200, taken.text
    assert (await heard.say("abort")).status_code == 200
    assert await heard.stands() == "shadow"
    assert (await control.get("/routes/late"))["stage"] == "legacy"
