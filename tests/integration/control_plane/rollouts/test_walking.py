"""A rollout in the control plane: it walks, holds, steps back, and shares the table with people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import update

from control_plane.auth.roles import Role
from control_plane.db.rollout_models import LeaseRow
from control_plane.rollouts.ports import CheckResult
from tests.support.control import Control, control_plane
from tests.support.rollouts import PROVEN, STEPS, Heard

SLOW = {"rollout_seconds": 60}


async def test_it_walks_and_every_move_is_a_revision_of_its_own(control: Control) -> None:
    """Shadow, 5 %, 25 %, new, completed: audited as `rollout:orders`, each once."""
    await control.seed()
    heard = Heard(control)
    started = await heard.start()
    assert (started["phase"], started["stands"]) == ("pending", "legacy")
    stood = []
    for _ in range(8):
        found = await heard.tick()
        stood.append(await heard.stands())
    assert list(dict.fromkeys(stood)) == ["shadow", "5 %", "25 %", "new"]
    assert (found["phase"], found["needs_attention"]) == ("completed", False)
    moves = (await control.get("/audit", action="rollout.move"))["items"]
    assert [entry["actor"] for entry in moves] == ["rollout:orders"] * 4
    revisions = (await control.get("/revisions", limit=10))["items"]
    assert [entry["source"] for entry in revisions[:4]] == ["rollout"] * 4
    timeline = (await control.get("/rollouts/orders/timeline"))["items"]
    assert [entry["revision"] for entry in timeline if entry["revision"]] == [
        entry["revision"] for entry in revisions[:4]
    ]
    assert timeline[-1]["kind"] == "planned"


async def test_it_waits_for_the_proxies_and_says_so(control: Control) -> None:
    """A proxy that has not taken the last move holds the next one; so does one that refused."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await heard.report()
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert (found["waiting_for"], found["reasons"][0]["code"]) == ("proxies", "proxies_behind")
    now = control.services.state.current
    refused = {"revision": now.revision, "etag": now.etag, "findings": []}
    await control.ack("p1", now.revision - 1, "old", refused=refused)
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert found["reasons"][0]["code"] == "proxies_refused"
    await heard.tick()
    assert await heard.stands() == "25 %"


async def test_new_is_killed_and_the_weight_goes_back(control: Control) -> None:
    """Failures of new that legacy took over: one look later the weight is back, and it is told."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("25 %")
    found = await heard.tick(legacy=75, new=0, failed=40)
    assert found["phase"] == "stepping_back"
    assert await heard.stands() == "5 %"
    assert [r["code"] for r in found["reasons"]] == ["errors_breached"]
    guard = next(g for g in found["guards"] if g["name"] == "errors")
    assert (guard["ok"], guard["n"]) == (False, 40)
    events = (await control.get("/out-events"))["items"]
    types = [entry["type"] for entry in events]
    assert "figway.rollout.stepping_back" in types
    assert types[0] in ("figway.rollout.stepping_back", "figway.route.flipped")


async def test_a_difference_holds_the_shadow_and_is_named(control: Control) -> None:
    """The reason names the field; without differences it goes on by itself."""
    await control.seed()
    heard = Heard(control)
    heard.differing(200)
    await heard.start()
    await heard.walk_to("shadow")
    found = await heard.tick()
    assert found["waiting_for"] == "data"
    assert "$.total|changed" in found["reasons"][0]["text"]
    heard.evidence.says = PROVEN
    await heard.tick()
    assert await heard.stands() == "5 %"


@pytest.mark.parametrize(("weight", "phase"), [(9_000, "superseded"), (100, "paused")])
async def test_a_person_flips_in_between(control: Control, weight: int, phase: str) -> None:
    """More by hand: the machine steps aside; less: it pauses. It says so, and moves nothing."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    assert (await control.flip(weight)).status_code == 200
    for _ in range(3):
        found = await heard.tick()
    assert found["phase"] == phase
    assert await heard.stands() == f"{weight / 100:g} %"


async def test_complaint_2_every_end_and_every_stall_is_an_event(control: Control) -> None:
    """fluxcd/flagger#1663: no alert when a rollout fails outside its analysis."""
    await control.seed()
    heard = Heard(control)
    heard.differing(200)
    await heard.start()
    await heard.walk_to("shadow")
    await heard.tick()
    assert (await heard.say("abort")).status_code == 200
    types = [entry["type"] for entry in (await control.get("/out-events"))["items"]]
    for kind in ("started", "moved", "waiting", "aborted"):
        assert f"figway.rollout.{kind}" in types


async def test_complaint_4_full_promotion_is_an_admins_and_audited(control: Control) -> None:
    """fluxcd/flagger#45: an emergency skips what is left, by a role of its own."""
    await control.seed()
    heard = Heard(control)
    heard.differing(0)
    await heard.start(steps=[{"stage": "shadow"}, {"weight": "5%", "hold": "1d"},
                             {"stage": "new"}])  # fmt: skip
    await heard.walk_to("5 %")
    async with await control.client_of(Role.OPERATOR) as operator:
        answer = await operator.post(
            "/rollouts/orders/promote-full", json={"reason": "legacy burns"}
        )
        assert answer.status_code == 403
    assert (await heard.say("promote-full")).status_code == 200
    assert await heard.stands() == "new"
    entry = (await control.get("/audit", action="rollout.move"))["items"][0]
    assert entry["actor"].startswith("bootstrap-admin")


async def test_complaint_11_progress_and_aborts_are_metrics(control: Control) -> None:
    """argo-rollouts#2087: no metric that a rollout was aborted by its analysis."""
    await control.seed()
    heard = Heard(control)
    await heard.start(on_breach="legacy")
    await heard.walk_to("25 %")
    await heard.tick(legacy=75, new=0, failed=40)
    answer = await control.client.get("/metrics")
    assert answer.status_code == 200
    assert 'figway_rollout_state{rollout="orders",state="aborted"} 1' in answer.text
    aborts = 'figway_rollout_aborts_total{rollout="orders",guard="errors_breached"} 1'
    assert aborts in answer.text


async def test_complaint_13_users_stay_on_their_side(control: Control) -> None:
    """Flagger #1532, #1783: affinity drifted everybody to the canary. Ours is a bucket: a move
    changes stage, weight and sample, and never what buckets are made of."""
    await control.seed()
    before = await control.get("/routes/orders")
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("25 %")
    after = await control.get("/routes/orders")
    moved = {name for name in after if after[name] != before.get(name)}
    assert moved <= {"stage", "weight", "evidence_since", "shadow"}


# -- several control planes --------------------------------------------------------------------


async def test_one_acts_and_another_takes_over(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two control planes one has the lease; when it stops the other acts at once, when it dies
    within 15 s; a lease taken by a clock that was ahead stops nobody."""
    async with (
        control_plane(migrated_url, **SLOW) as first,
        control_plane(migrated_url, **SLOW) as second,
    ):
        a, b = first.services.ticker, second.services.ticker
        looks: list[str] = []
        for plane in (first, second):
            monkeypatch.setattr(plane.services.rollouts, "tick", _noting(looks, plane))
        await first.seed()
        await Heard(first).start()
        await a.round()
        await b.round()
        assert (a.acts, b.acts) == (True, False)
        assert looks == [first.key]
        await a.stop()
        await b.round()
        assert b.acts
        async with first.services.database.write() as connection:
            ahead = {"owner": "other", "until_ms": 10**15}
            await connection.execute(update(LeaseRow).values(ahead))
        await b.round()
        assert b.acts


def _noting(looks: list[str], plane: Control) -> Callable[[str], Awaitable[None]]:
    """Notes who looks, and looks at nothing."""

    async def tick(_: str) -> None:
        looks.append(plane.key)

    return tick


async def test_no_step_is_done_twice(migrated_url: str) -> None:
    """Two control planes that both believe to act look at the same moment, again and again: every
    move is made once."""
    async with (
        control_plane(migrated_url, **SLOW) as first,
        control_plane(migrated_url, **SLOW) as second,
    ):
        await first.seed()
        await second.services.publisher.refresh()
        heard, other = Heard(first), Heard(second)
        assert other.evidence.says == PROVEN
        await heard.start()
        for _ in range(12):
            await heard.proxy()
            await heard.report()
            results = await asyncio.gather(
                first.services.rollouts.tick("orders"),
                second.services.rollouts.tick("orders"),
                return_exceptions=True,
            )
            assert not [found for found in results if isinstance(found, BaseException)]
            await first.services.publisher.refresh()
            await second.services.publisher.refresh()
        timeline = (await first.get("/rollouts/orders/timeline"))["items"]
        steps = [entry["step"] for entry in reversed(timeline) if entry["revision"]]
        assert steps == [0, 1, 2, 3]


@pytest.mark.parametrize("word", ["promote", "breach"])
async def test_a_move_that_the_other_has_not_heard_of_is_nobodys_flip(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """One control plane moves the route, and the other looks at once: what that one holds in memory
    is a table that is gone, and nobody has moved anything by hand."""
    async with (
        control_plane(migrated_url, **SLOW) as first,
        control_plane(migrated_url, **SLOW) as second,
    ):
        await first.seed()
        heard = Heard(first)
        Heard(second)
        await heard.start()
        await heard.walk_to("25 %")
        await heard.proxy()
        await second.services.publisher.refresh()
        before = second.services.state.current
        if word == "promote":
            await heard.report()
            assert (await heard.say("promote")).status_code == 200
        else:
            await heard.tick(legacy=75, new=0, failed=40)
        second.services.state.replace(before, {}, "")  # as if it had heard of nothing
        assert await second.services.rollouts.tick("orders") is not None
        found = await second.get("/rollouts/orders")
        assert (found["phase"], found["waiting_for"]) in (
            ("waiting", "proxies"), ("stepping_back", "proxies"),
        )  # fmt: skip
        assert await heard.stands() == ("new" if word == "promote" else "5 %")


async def test_a_control_plane_dies_between_every_two_steps(migrated_url: str) -> None:
    """Each look is made by a control plane that has just started: no step lost or done twice."""
    async with control_plane(migrated_url, **SLOW) as control:
        await control.seed()
        await Heard(control).start()
    stood, sequence = [], 0
    for _ in range(7):
        async with control_plane(migrated_url, **SLOW) as control:
            heard = Heard(control)
            heard._sequence = sequence
            await heard.tick()
            stood.append(await heard.stands())
            sequence = heard._sequence
    assert list(dict.fromkeys(stood)) == ["shadow", "5 %", "25 %", "new"]


# -- plans -------------------------------------------------------------------------------------


async def test_plans_travel_with_the_table_and_apart_from_it(control: Control) -> None:
    """Export has them, apply takes them, proxies never see them; a document does not move a route
    that a rollout moves."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    exported = (await control.client.get("/table/export", params={"format": "json"})).json()
    assert exported["rollouts"][0]["id"] == "orders"
    assert "rollouts" not in (await control.get("/table"))["table"]
    route = exported["routes"][0]
    route |= {"stage": "legacy", "description": "new words"}
    route.pop("weight", None)
    answer = await control.post("/table/apply", exported)
    assert answer.status_code == 200, answer.text
    assert await heard.stands() == "5 %"
    assert (await control.get("/routes/orders"))["description"] == "new words"
    again = await control.post("/table/apply", exported)
    assert not again.json()["changed"]
    exported["rollouts"] = []
    answer = await control.post("/table/apply", exported)
    assert answer.status_code == 409, answer.text
    await heard.say("abort")
    dry = await control.client.post("/table/apply", json=exported, params={"dry_run": "true"})
    assert [entry["text"] for entry in dry.json()["changes"]][-1] == "rollout orders: deleted"
    route["stage"] = "shadow"
    answer = await control.post("/table/apply", exported)
    assert answer.status_code == 200, answer.text
    assert (await control.get("/rollouts"))["items"] == []


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"steps": []}, "rollout_steps_empty"),
        ({"target": {"route": "gone"}}, "rollout_target_unknown"),
        ({"window": {"zone": "Mars/Base"}}, "rollout_zone_unknown"),
    ],
)
async def test_a_plan_that_cannot_be_done_is_refused(
    control: Control, plan: dict[str, Any], code: str
) -> None:
    """With its finding, by start and by lint alike; nothing is kept."""
    await control.seed()
    body = {"target": {"route": "orders"}, "steps": STEPS, **plan}
    answer = await control.post("/rollouts/orders/start", {"reason": "x", "plan": body})
    assert answer.status_code == 422, answer.text
    assert answer.json()["findings"][0]["code"] == code
    lint = await control.post("/rollouts/lint", {"id": "orders", **body})
    assert not lint.json()["valid"]
    assert (await control.get("/rollouts"))["items"] == []


async def test_two_rollouts_never_move_one_route(control: Control) -> None:
    """The second is refused while the first moves, and may start when that is over."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    body = {"reason": "x", "plan": {"target": {"route": "orders"}, "preset": "quick"}}
    answer = await control.post("/rollouts/second/start", body)
    assert answer.json()["findings"][0]["code"] == "rollout_overlap"
    await heard.say("abort")
    assert (await control.post("/rollouts/second/start", body)).status_code == 200


async def test_its_routes_are_deleted_under_it(control: Control) -> None:
    """It ends, and says why, instead of failing at every look."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("shadow")
    await control.client.delete("/routes/orders", headers={"if-match": "*"})
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert (found["phase"], found["reasons"][0]["code"]) == ("superseded", "routes_gone")
    assert control.services.ticker.failing == {}


async def test_the_way_back_does_not_wait_for_a_webhook(control: Control) -> None:
    """A guard's endpoint that hangs would hold each look for seconds: where another guard is
    breached it is not asked."""
    await control.seed()
    heard = Heard(control)
    asked: list[str] = []

    class Check:
        async def ask(self, url: str, question: Mapping[str, object]) -> CheckResult:
            asked.append(url)
            return CheckResult("hold", "no answer")

    control.services.rollouts._check = Check()
    url = "https://guard.example/"
    await heard.start(guards={"webhook": url})
    await heard.walk_to("25 %")
    assert set(asked) == {url}
    asked.clear()
    found = await heard.tick(failed=90)
    assert (found["phase"], asked) == ("stepping_back", [])
