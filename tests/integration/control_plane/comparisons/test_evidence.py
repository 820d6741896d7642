"""Evidence is counted by what differed, and judged by the rules, words and forms of now."""

from __future__ import annotations

import asyncio
from typing import Any

from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from control_plane.clock import now_ms
from figway.evidence.comparing import evidence_window
from figway.evidence.noise.forms import Form
from figway.evidence.noise.legacy_forms import PlaceForm
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.values import read
from figway.routing.compile import compile_table
from tests.support.comparing import batch, evidence, evidenced, example, field, request, route, send
from tests.support.control import Control, control_plane

PRICE = "$.price|changed"


async def _agreement(control: Control) -> dict[str, Any]:
    found: dict[str, Any] = (await control.get("/comparisons/routes/orders"))["evidence"]
    return found


async def _field(control: Control, name: str) -> dict[str, Any]:
    listed = await control.get("/comparisons/routes/orders/fields")
    fields = {field["field"]: field for path in listed["items"] for field in path["fields"]}
    found: dict[str, Any] = fields[name]
    return found


async def test_counts_add_up_over_batches_and_control_planes(database_url: str) -> None:
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):
        await one.seed()
        await asyncio.gather(
            *(send([one, two][n % 2], n, evidenced(9, {PRICE: 1})) for n in range(20))
        )
        found = await _agreement(two)
        assert found["verdicts"] == {"match": 180, "mismatch": 20}
        assert found["agreement"]["distinct"] == 10
        assert (await _field(one, PRICE))["pairs"] == 20


async def test_a_batch_that_comes_again_counts_once(control: Control) -> None:
    """T6: the answer of the hand-in was lost, and a queue delivers a message twice."""
    await control.seed()
    sent = batch(1, evidenced(90, {PRICE: 10}))
    for _ in range(3):
        assert (await control.post("/comparisons/batches", sent)).status_code == 200
    # A worker of a queue: one batch for each message, in other company when it comes again.
    messages = [batch(0, evidenced(1), boot=f"m-{n}") for n in range(10)]
    first = await control.post("/comparisons/batches/many", {"batches": messages[:6]})
    again = await control.post("/comparisons/batches/many", {"batches": messages[3:]})
    assert first.json()["accepted"] == [True] * 6
    assert again.json()["accepted"] == [False] * 3 + [True] * 4
    found = await _agreement(control)
    assert found["verdicts"] == {"match": 100, "mismatch": 10}
    assert found["captured"] == 110


async def test_what_is_no_evidence_is_refused_and_nothing_of_it_counts(control: Control) -> None:
    await control.seed()
    for wrong in (
        {"signatures": [{"entries": [["$.a|changed", "?"]], "count": 1}]},
        {"signatures": [{"entries": [], "count": -1}]},
        {"distinct": {"hashes": ["not hexadecimal"]}},
        {"distinct": {"registers": "AAAA"}},
        {"shapes": [["GET", 1]]},
        {"forms": {"$.a|value": {"values": 5}}},
        {"looks": {"$.a|value": {"settled": -1}}},
    ):
        sent = batch(
            1,
            route(1, evidence=[wrong]),
        )
        answered = await control.post("/comparisons/batches", sent)
        assert answered.status_code == 422, wrong
    assert await send(control, 1, evidenced(1))
    assert (await _agreement(control))["captured"] == 1


async def test_rules_and_words_change_what_was_counted_before_everywhere(
    control: Control,
) -> None:
    """Principle 5: list, route, fields, stored pairs and API say the same after a rule or a word;
    no page says "refuted" beside "no differences that count"."""
    await control.seed()
    pair = example({"price": 1}, {"price": 2}, marks=[[PRICE, "r"]])
    await send(control, 1, evidenced(400, {PRICE: 100}, examples=[pair]))

    async def says() -> tuple[Any, ...]:
        [listed] = (await control.get("/comparisons/routes"))["items"]
        found = await _agreement(control)
        assert listed["evidence"]["agreement"] == found["agreement"]
        one = await control.get(f"/comparisons/examples/{pair['id']}")
        [row] = (await control.get("/comparisons/examples", route="orders"))["items"]
        assert row["verdict"] == one["verdict"]
        open_ = await control.get("/comparisons/routes/orders/fields", standing="open")
        standing = found["agreement"]["goals"][0]["standing"]
        return found["verdicts"], standing, one["verdict"], len(open_["items"])

    refuted = ({"match": 400, "mismatch": 100}, "refuted", "mismatch", 1)
    proven = ({"match": 500}, "proven", "match", 0)
    assert await says() == refuted
    rule = {"id": "r", "kind": "ignore", "target": "$.price"}
    made = await control.post("/routes/orders/rules", rule, if_match="*")
    assert made.status_code == 201, made.text
    assert await says() == proven
    undone = await control.post(f"/revisions/{made.json()['revision']}/undo", {"reason": "x"})
    assert undone.status_code == 200, undone.text
    assert await says() == refuted
    said = await control.post(
        "/routes/orders/noise", {"field": "$.price", "word": "noise"}, if_match="*"
    )
    assert said.status_code == 200, said.text
    assert await says() == proven
    only = await control.get("/comparisons/examples", route="orders", verdict="mismatch")
    assert only["items"] == []
    only = await control.get("/comparisons/examples", route="orders", verdict="match")
    assert [row["told"] for row in only["items"]] == ["mismatch"]


async def test_what_is_learned_later_changes_what_was_counted_before(control: Control) -> None:
    """Principle 5: a field was counted, then legacy was seen to settle nothing there."""
    await control.seed()
    unsure = evidenced(300, {PRICE: 30}, mark="q", looks={})
    await send(control, 1, unsure)
    found = await _agreement(control)
    assert found["verdicts"] == {"match": 300, "unconfirmed": 30}
    assert "unconfirmed" in {reason["code"] for reason in found["agreement"]["reasons"]}
    assert (await _field(control, PRICE))["standing"] == "unconfirmed"
    learned = evidence(looks={"$.price|value": PlaceLooks(settled=20).to_data()})
    await send(control, 2, route(0, evidence=[learned]))
    assert (await _agreement(control))["verdicts"] == {"match": 300, "mismatch": 30}
    assert (await _field(control, PRICE))["standing"] == "real"


async def test_one_request_and_a_shape_that_is_missing_prove_nothing(control: Control) -> None:
    """Principle 7: four hundred copies of one URL; a shape that was captured and never compared."""
    await control.seed()
    page = ["GET", 200, "application/json", [], False]
    lost = ["GET", 404, "text/html", [], False]
    await send(
        control, 1,
        evidenced(2_000, distinct=1, frequent=[["0" * 16, 2_000, 0]],
                  shapes=[[page, 2_000]], seen_shapes=[[page, 2_000], [lost, 200]]),
    )  # fmt: skip
    found = (await _agreement(control))["agreement"]
    assert found["goals"][0]["standing"] != "proven"
    assert (found["distinct"], found["top_share"]) == (1, 1.0)
    assert any("404 text/html" in shape for shape in found["shapes_missing"])
    keeping = {reason["code"] for reason in found["reasons"] if reason["keeps"]}
    assert "shape_missing" in keeping
    assert keeping & {"one_request", "few_requests"}


async def test_builds_stand_side_by_side_and_the_newest_is_shown(control: Control) -> None:
    """Another build of new begins its own evidence; two that answer at once are named."""
    await control.seed()
    now = now_ms()
    old = evidence(300, {PRICE: 60}, build="17", first_ms=now - 900_000, last_ms=now - 5_000)
    new = evidence(40, build="18", first_ms=now - 20_000, last_ms=now - 1_000)
    await send(control, 1, route(340, 60, evidence=[old, new]))
    found = await _agreement(control)
    assert (found["build"], found["builds_at_once"]) == ("18", ["18", "17"])
    assert found["agreement"]["matches"] == 40
    assert {b["build"]: b["agreement"]["mismatches"] for b in found["builds"]} == {
        "18": 0, "17": 60
    }  # fmt: skip
    assert found["verdicts"] == {"match": 340, "mismatch": 60}
    assert found["captured"] == 400
    fields = await control.get("/comparisons/routes/orders/fields")
    assert (fields["build"], fields["items"]) == ("18", [])
    of_old = await control.get("/comparisons/routes/orders/fields", build="17")
    assert of_old["items"][0]["pairs"] == 60
    none = await control.client.get("/comparisons/routes/orders/fields", params={"build": "19"})
    assert none.status_code == 404


async def test_workers_that_start_are_told_what_was_learned(control: Control) -> None:
    await control.seed()
    form = PlaceForm(Form())
    for n in range(9):
        form.form.learn(read(f"{n}" * 32), read(f"{n + 1}" * 32), 5.0, lambda text: text[:8])
    before = evidenced(5, window="w0", forms={"$.old|value": form.to_data()})
    await send(control, 1, before)
    learned: dict[str, Any] = {"own": {"looks": 9, "places": {}}}
    learned["forms"] = {"$.id|value": form.to_data()}
    now = evidenced(5, revision=4, looks={"$.a|value": {"settled": 20}}, **learned)
    await send(control, 2, now)
    proxy = await control.client_of(Role.PROXY)
    answered = await proxy.get("/comparisons/learned")
    assert answered.status_code == 200, answered.text
    [window] = answered.json()["windows"]
    assert (window["route"], window["window"], window["build"]) == ("orders", "w1", "")
    assert list(window["forms"]) == ["$.id|value"]
    assert window["looks"] == {"$.a|value": {"settled": 20}}
    assert window["own"]["looks"] == 9
    viewer = await control.client_of(Role.VIEWER)
    assert (await viewer.get("/comparisons/learned")).status_code == 403


async def test_a_proposal_says_what_it_would_excuse_and_never_hides_what_legacy_repeats(
    control: Control,
) -> None:
    """Principle 9."""
    await control.seed()
    proposed = {"id": "p", "kind": "ignore", "target": "$.price"}
    pairs = [example({"price": n}, {"price": n + 1}, marks=[[PRICE, "r"]]) for n in range(3)]
    noted = [field("$.price", 30, proposed=proposed)]
    await send(control, 1, evidenced(300, {PRICE: 30}, fields=noted, examples=pairs))
    price = await _field(control, PRICE)
    assert price["proposed"] is None
    assert "3 stored pairs" in price["excuses"]
    assert "legacy repeated its value in each of 20 looks" in price["excuses"]
    open_ = evidence(0, {"$.at|changed": 12}, mark="q", looks={})
    noted = [field("$.at", 12, proposed={**proposed, "target": "$.at"})]
    await send(control, 2, route(0, evidence=[open_], fields=noted))
    at = await _field(control, "$.at|changed")
    assert at["proposed"] == {**proposed, "target": "$.at"}
    assert at["excuses"] == "0 stored pairs; legacy was not asked again here"


async def test_a_pair_says_what_its_second_look_found(
    control: Control,
) -> None:
    await control.seed()
    pair = example(
        {"price": 1, "at": 1}, {"price": 2, "at": 2},
        marks=[[PRICE, "r"], ["$.at|changed", "q"]],
    )  # fmt: skip
    both = evidence(10)
    both["signatures"].append(
        {"entries": [["$.at|changed", "q"], [PRICE, "r"]], "count": 1, "first_ms": 1,
         "last_ms": 2}
    )  # fmt: skip
    both["looks"] = {"$.price|value": {"settled": 20}}
    await send(control, 1, route(10, 1, evidence=[both], examples=[pair]))
    found = await control.get(f"/comparisons/examples/{pair['id'][:9]}")
    assert found["example"]["id"] == pair["id"]
    assert [(one["path"], one["counts"], one["outcome"]) for one in found["found"]] == [
        ("$.price", True, "counts"), ("$.at", False, "unconfirmed")
    ]  # fmt: skip
    assert found["found"][0]["found"] == "both sides said the same again, and differ"


async def test_short_ids_that_several_begin_with_are_named(control: Control) -> None:
    await control.seed()
    pairs = [example({"a": n}, {"a": 9}, id=f"abc{n}") for n in range(2)]
    await send(control, 1, evidenced(1, examples=pairs))
    answered = await control.client.get("/comparisons/examples/abc")
    assert answered.status_code == 409
    assert "abc0" in answered.text
    assert (await control.client.get("/comparisons/examples/abd")).status_code == 404


async def test_the_evidence_is_restarted_by_hand_with_a_reason(control: Control) -> None:
    """`restart` begins a window; a change of weight and a word do not."""
    await control.seed()

    async def window() -> str:
        table = control.services.state.current.table
        return evidence_window(compile_table(table).plans["orders"])

    first = await window()
    silent = await control.post("/routes/orders/evidence/restart", {}, if_match="*")
    assert silent.status_code == 422
    answered = await control.client.post(
        "/routes/orders/evidence/restart", params={"reason": "fixed"}, headers={"if-match": "*"}
    )
    assert answered.status_code == 200, answered.text
    second = await window()
    assert second != first
    said = await control.post(
        "/routes/orders/noise", {"field": "$.price", "word": "noise"}, if_match="*"
    )
    assert said.status_code == 200, said.text


async def test_a_field_says_what_its_requests_have_in_common(control: Control) -> None:
    """Principle 10."""
    await control.seed()
    yen = [
        example({"price": n}, {"price": n + 1}, request=request(f"/orders/{n}?currency=JPY"))
        for n in range(20)
    ]
    euros = [
        example({"price": n}, {"price": n}, request=request(f"/orders/{n}?currency=EUR"))
        for n in range(20)
    ]
    await send(control, 1, evidenced(300, {PRICE: 20}, examples=[*yen, *euros]))
    price = await _field(control, PRICE)
    assert price["common"] == "with currency=JPY: 20 of the 20 that differ, 0 of 20 others"
