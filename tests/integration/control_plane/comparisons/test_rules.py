"""Comparison rules: tried on the stored examples, written as a revision, undone."""

from __future__ import annotations

from typing import Any

from control_plane.auth.roles import Role
from tests.support.comparing import JSON_TYPE, answer, example, field, route, send
from tests.support.control import Control

IGNORE = {"target": "$.updated"}


def _pairs() -> list[dict[str, Any]]:
    """Three pairs that differ in a time only, one that differs in a price too, one equal."""
    times = [example({"updated": f"2026-01-0{n}", "price": 1}, {"updated": "x", "price": 1})
             for n in range(1, 4)]  # fmt: skip
    both = example({"updated": "a", "price": 1}, {"updated": "b", "price": 2})
    return [*times, both, example({"updated": "a"}, {"updated": "a"})]


async def _stored(control: Control) -> list[dict[str, Any]]:
    await control.seed()
    pairs = _pairs()
    await send(control, 1, route(1, 4, examples=pairs, fields=[field("$.updated", 4)]))
    return pairs


async def test_a_preview_compares_what_is_stored(control: Control) -> None:
    pairs = await _stored(control)
    viewer = await control.client_of(Role.VIEWER)
    tried = await viewer.post("/routes/orders/rules/preview", json={"add": [IGNORE]})
    assert tried.status_code == 200, tried.text
    found = tried.json()
    assert (found["examples"], found["left_out"]) == (5, 0)
    assert found["before"] == {"mismatch": 4, "match": 1}
    assert found["after"] == {"mismatch": 1, "match": 4}
    assert {item["example"] for item in found["items"]} == {p["id"] for p in pairs[:3]}
    assert found["items"][0]["paths"] == ["$.updated"]
    assert [(f["before"], f["after"]) for f in found["fields"]] == [(4, 0)]
    # Nothing was changed.
    assert await control.get("/routes/orders/rules") == []


async def test_a_rule_is_a_revision(control: Control) -> None:
    await _stored(control)
    made = await control.post("/routes/orders/rules?reason=clocks", IGNORE, if_match="*")
    assert made.status_code == 201, made.text
    revision = made.json()["revision"]
    assert "comparison.rules" in made.json()["changes"][0]["text"]
    [rule] = await control.get("/routes/orders/rules")
    assert (rule["kind"], rule["target"]) == ("ignore", "$.updated")
    audit = (await control.get("/audit", subject="route orders"))["items"][0]
    assert (audit["action"], audit["reason"], audit["revision"]) == (
        "rule.add", "clocks", revision
    )  # fmt: skip
    again = await control.post("/routes/orders/rules", IGNORE, if_match="*")
    assert again.json()["changed"] is False
    # Removing it is previewed against what holds now.
    tried = await control.post("/routes/orders/rules/preview", {"remove": [rule["id"]]})
    assert tried.json()["before"] == {"mismatch": 1, "match": 4}
    assert tried.json()["after"] == {"mismatch": 4, "match": 1}
    gone = await control.client.delete(
        f"/routes/orders/rules/{rule['id']}", headers={"if-match": "*"}
    )
    assert gone.status_code == 200, gone.text
    assert await control.get("/routes/orders/rules") == []
    back = await control.post(f"/revisions/{gone.json()['revision']}/undo", {"reason": "x"})
    assert back.status_code == 200
    assert await control.get("/routes/orders/rules") == [rule]


async def test_the_note_of_a_rule_is_the_reason_of_its_entry(control: Control) -> None:
    """Where no other reason is given."""
    await _stored(control)
    for reason, query in (("clocks differ", ""), ("asked", "?reason=asked")):
        rule = {**IGNORE, "id": reason[:5], "note": "clocks differ"}
        made = await control.post(f"/routes/orders/rules{query}", rule, if_match="*")
        assert made.status_code == 201, made.text
        entry = (await control.get("/audit", subject="route orders"))["items"][0]
        assert (entry["action"], entry["reason"]) == ("rule.add", reason)


async def test_rules_of_every_kind(control: Control) -> None:
    await control.seed()
    rules = [
        {"kind": "number_tolerance", "target": "$.price", "absolute": 0.01},
        {"kind": "time_tolerance", "target": "$.at", "seconds": 2},
        {"kind": "unordered", "target": "$.tags"},
        {"kind": "keyed_array", "target": "$.items", "key": "id"},
        {"kind": "case", "target": "$.name"},
        {"kind": "map_value", "target": "$.state", "pairs": [["A", "active"], [None, 0]]},
        {"kind": "pattern", "target": "$.ref", "pattern": "[0-9]+"},
        {"kind": "ignore", "target": "header:etag", "note": "made from the time"},
    ]
    legacy = {
        "price": 1.0, "at": "2026-01-01T00:00:00Z", "tags": [1, 2], "name": "A", "ref": "a1",
        "items": [{"id": 1, "v": 1}, {"id": 2, "v": 2}], "state": "A",
    }  # fmt: skip
    new = {
        "price": 1.01, "at": "2026-01-01T00:00:01Z", "tags": [2, 1], "name": "a", "ref": "a22",
        "items": [{"id": 2, "v": 2}, {"id": 1, "v": 1}], "state": "active",
    }  # fmt: skip
    await send(control, 1, route(0, 1, examples=[example(legacy, new)]))
    tried = await control.post("/routes/orders/rules/preview", {"add": rules})
    assert tried.json()["before"] == {"mismatch": 1}, tried.text
    assert tried.json()["after"] == {"match": 1}
    for rule in rules:
        made = await control.post("/routes/orders/rules", rule, if_match="*")
        assert made.status_code == 201, made.text
    assert len(await control.get("/routes/orders/rules")) == len(rules)


async def test_refused_rules(control: Control) -> None:
    """trap 54: an edit of a route says which state of it was read."""
    await control.seed()
    for rule, word in (
        ({"target": "updated"}, "target"),
        ({"target": "$.a[?(@.b)]"}, "filters"),
        ({"target": "$.a", "kind": "number_tolerance"}, "needs absolute or relative"),
        ({"target": "$.a", "kind": "pattern", "pattern": "("}, "pattern"),
        ({"target": "$.a", "kind": "ignore", "seconds": 3}, "seconds"),
    ):
        for path in ("/routes/orders/rules", "/routes/orders/rules/preview"):
            body = rule if path.endswith("rules") else {"add": [rule]}
            sent = await control.post(path, body, if_match="*")
            assert sent.status_code == 422, sent.text
            assert word in sent.text
    assert (await control.post("/routes/orders/rules", IGNORE)).status_code == 428
    stale = await control.post("/routes/orders/rules", IGNORE, if_match='"old"')
    assert stale.status_code == 412
    assert (await control.post("/routes/x/rules", IGNORE, if_match="*")).status_code == 404
    gone = await control.client.delete("/routes/orders/rules/x", headers={"if-match": "*"})
    assert gone.status_code == 404
    made = await control.post("/routes/orders/rules", {**IGNORE, "id": "r"}, if_match="*")
    assert made.status_code == 201
    other = await control.post("/routes/orders/rules", {"target": "$.b", "id": "r"}, if_match="*")
    assert other.status_code == 409
    viewer = await control.client_of(Role.VIEWER)
    refused = await viewer.post("/routes/orders/rules", json=IGNORE, headers={"if-match": "*"})
    assert refused.status_code == 403


async def test_a_preview_ends_with_hostile_examples(control: Control) -> None:
    """trap 36: deep and large stored bodies cost bounded time."""
    await control.seed()
    deep = "[" * 50_000 + "]" * 50_000
    pairs = [
        {**example({"a": 1}, {"a": 2}), "legacy": answer(deep), "signature": f"s{n}"}
        for n in range(20)
    ]
    await send(control, 1, route(0, 20, examples=pairs))
    tried = await control.post("/routes/orders/rules/preview", {"add": [IGNORE]})
    assert tried.status_code == 200, tried.text
    assert tried.json()["examples"] + tried.json()["left_out"] == 20
    assert set(tried.json()["after"]) <= {"mismatch", "compare_error"}


async def test_redacted_values_stay_equal_in_a_preview(control: Control) -> None:
    """trap 35: keyed hashes keep equality, so what was redacted is compared all the same."""
    await control.seed()
    hidden = "[redacted:email:0011aabb]"
    pair = example({"mail": hidden, "a": 1}, {"mail": hidden, "a": 2})
    other = example({"mail": hidden}, {"mail": "[redacted:email:ffff0000]"})
    await send(control, 1, route(0, 2, examples=[pair, other]))
    tried = (
        await control.post("/routes/orders/rules/preview", {"add": [{"target": "$.a"}]})
    ).json()
    assert tried["before"] == {"mismatch": 2}
    assert tried["after"] == {"match": 1, "mismatch": 1}


async def test_a_preview_takes_no_build_for_a_difference(control: Control) -> None:
    """What would match by the rule was told to differ all the same, at the header of the build."""
    await control.seed()
    changed = await control.client.patch(
        "/backends/fn?reason=x", json={"build_header": "x-app-version"}, headers={"if-match": "*"}
    )
    assert changed.status_code == 200, changed.text
    built = answer({"updated": "b"}, headers=[*JSON_TYPE, ["X-App-Version", "7"]])
    pairs = [example({"updated": "a"}, built)]
    await send(control, 1, route(0, 1, examples=pairs, fields=[field("$.updated", 1)]))
    tried = await control.post("/routes/orders/rules/preview", {"add": [IGNORE]})
    assert (tried.json()["before"], tried.json()["after"]) == ({"mismatch": 1}, {"match": 1})
