"""Lists over large tables do bounded work: in queries, in rows, in what is taken apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from control_plane.audit import changes as audit_changes
from control_plane.comparisons import examples, fields, views
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.judged import Judged
from control_plane.db.models import RevisionRow
from control_plane.publishing import store as publishing
from control_plane.publishing.describe import described
from figway.model.change import changes_from_data
from tests.support import comparing
from tests.support.control import Control
from tests.support.counting import statements


async def _routes(control: Control, count: int) -> None:
    body = {
        "default_backend": "legacy",
        "backends": [
            {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"},
            {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"},
        ],
        "routes": [
            {"id": f"r{n:03}", "match": {"path": f"/r{n}"}, "new": "fn", "stage": "shadow"}
            for n in range(count)
        ],
    }
    applied = await control.client.post(
        "/table/apply", json=body, headers={"if-match": "*"}, params={"reason": "test"}
    )
    assert applied.status_code == 200, applied.text


def _compared(name: str, **more: Any) -> dict[str, Any]:
    differing = {"$.a|changed": 3, "$.b|changed": 2}
    return comparing.evidenced(40, differing, route=name, **more)


async def test_an_overview_takes_as_many_queries_for_many_routes_as_for_few(
    control: Control,
) -> None:
    await _routes(control, 60)
    await comparing.send(control, 1, *(_compared(f"r{n:03}") for n in range(60)))
    asked = []
    for limit in (2, 60):
        with statements(control.services.database) as found:
            rows = (await control.get("/comparisons/routes", limit=limit))["items"]
        asked.append(len(found))
        assert len(rows) == limit
        for row in rows:
            agreement = row["evidence"]["agreement"]
            assert (agreement["matches"], agreement["mismatches"]) == (40, 5)
    assert asked[1] <= asked[0]


async def test_a_word_on_a_field_counts_for_its_route_alone(control: Control) -> None:
    await _routes(control, 2)
    await comparing.send(control, 1, _compared("r000"), _compared("r001"))
    word = {"field": "$.a|changed", "word": "noise"}
    said = await control.client.post("/routes/r000/noise", json=word, headers={"if-match": "*"})
    assert said.status_code == 200, said.text
    rows = (await control.get("/comparisons/routes"))["items"]
    assert [row["evidence"]["agreement"]["mismatches"] for row in rows] == [2, 5]
    assert [row["evidence"]["looks"]["noisy"] for row in rows] == [1, 0]


async def test_what_did_not_change_is_not_judged_again(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_CACHE_MS", -1)
    made: list[str] = []
    judge = Judged.of

    def noted(key: Any, *more: Any) -> Judged:
        made.append(key.route)
        return judge(key, *more)

    monkeypatch.setattr(Judged, "of", noted)
    await _routes(control, 20)
    service = control.services.comparisons.views
    await comparing.send(control, 1, *(_compared(f"r{n:03}") for n in range(20)))
    first = await service.current()
    assert sorted(made) == [f"r{n:03}" for n in range(20)]
    await comparing.send(control, 2, _compared("r007"))
    second = await service.current()
    assert {name for name in first if first[name] is not second[name]} == {"r007"}
    assert second["r007"].verdicts == {"match": 80, "mismatch": 10}
    made.clear()
    await comparing.send(control, 3, _compared("r009"))
    again = (await control.get("/comparisons/routes", limit=100))["items"]
    assert made == ["r009"]
    assert again[9]["evidence"]["agreement"]["rated"] == 90


async def test_the_current_windows_are_read_once_for_all(control: Control) -> None:
    await _routes(control, 3)
    await comparing.send(control, 1, _compared("r000"))
    with statements(control.services.database, "compared_windows") as asked:
        await asyncio.gather(*(control.services.comparisons.views.current() for _ in range(10)))
    assert len(asked) == 1


async def test_fields_that_are_not_shown_are_not_written_out(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    out = fields.path_out

    def noted(sketch: Any, *more: Any) -> Any:
        written.append(sketch.path)
        return out(sketch, *more)

    monkeypatch.setattr(fields, "path_out", noted)
    await _routes(control, 1)
    many = [comparing.field(f"$.f{n:03}", 1 + n) for n in range(200)]
    await comparing.send(control, 1, comparing.route(0, 300, route="r000", fields=many))
    found = await control.get("/comparisons/routes/r000/fields", limit=10)
    assert [path["path"] for path in found["items"]] == [f"$.f{n}" for n in range(199, 189, -1)]
    assert {name: count for name, count in found["paths"].items() if count} == {"real": 200}
    assert len(written) == 10
    rest = await control.get("/comparisons/routes/r000/fields", limit=10, cursor=found["next"])
    assert [path["path"] for path in rest["items"]] == [f"$.f{n}" for n in range(189, 179, -1)]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(verdict="stale"),
        Wanted(signature="none"),
        Wanted(window="none"),
        Wanted(field="$.a"),
        Wanted(route="r000"),
        Wanted(route="r000", verdict="stale"),
        Wanted(route="r000", field="$.a"),
        Wanted(route="r000", field="$.a", verdict="mismatch"),
    ],
    ids=lambda wanted: "-".join(name for name in wanted.__slots__ if getattr(wanted, name)),
)
async def test_no_list_of_pairs_reads_all_of_them(control: Control, wanted: Wanted) -> None:
    """However it is narrowed, an index leads to what is asked for."""
    database = control.services.database
    with statements(database, "FROM compared_examples") as asked:
        async with database.read() as connection:
            await examples.page(connection, wanted, None, 26)
    if database.is_postgres:
        return  # what it plans depends on what it has counted; the benchmark looks at that
    async with database.read() as connection:
        many = asked[0].count("?")
        query = text("EXPLAIN QUERY PLAN " + asked[0].replace("?", "'1'"))
        steps = [row.detail for row in (await connection.execute(query)).all()]
    assert many
    for step in steps:
        assert "SCAN" not in step, steps
        assert "TEMP B-TREE" not in step, steps
    if wanted.route:
        assert "route=?" in steps[0], "it does not begin with the route"


async def test_of_a_huge_revision_the_audit_takes_apart_what_it_shows(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _routes(control, 450)
    async with control.services.database.read() as connection:
        stored = await publishing.revision(connection, 1)
        columns = select(RevisionRow.changes, RevisionRow.inverse)
        row = (await connection.execute(columns.where(RevisionRow.number == 1))).one()
    assert stored is not None
    whole = described(stored.changes, stored.inverse)
    assert audit_changes.first_changes(row.changes, row.inverse, 10_000) == list(whole)
    decoded = 0

    def counted(data: Any) -> Any:
        nonlocal decoded
        decoded += len(data)
        return changes_from_data(data)

    monkeypatch.setattr(audit_changes, "changes_from_data", counted)
    [entry] = (await control.get("/audit", action="table.apply"))["items"]
    assert len(entry["changes"]) == 100
    assert [change["text"] for change in entry["changes"]] == [str(c) for c in whole[:100]]
    assert decoded <= 300, "of a hundred items and what they were before"


async def test_the_audit_of_changed_items(control: Control) -> None:
    """Before and after come from the inverse, of which only the items in question are read."""
    await _routes(control, 3)
    body = {"weight": 700, "reason": "seven"}
    flipped = await control.client.post("/routes/r001/flip", json=body, headers={"if-match": "*"})
    assert flipped.status_code == 200, flipped.text
    deleted = await control.client.delete("/routes/r002", headers={"if-match": "*"})
    assert deleted.status_code == 200, deleted.text
    found = (await control.get("/audit"))["items"]
    assert [change["text"] for change in found[0]["changes"]] == ["route r002: deleted"]
    assert {(c["path"], c["before"], c["after"]) for c in found[1]["changes"]} >= {
        ("weight", 0, 700), ("stage", "shadow", "canary")
    }  # fmt: skip
