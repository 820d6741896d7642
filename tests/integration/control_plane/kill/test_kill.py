"""The kill switch stands beside the table, and what is said of it is what is so."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from control_plane.db.models import InstanceRow
from tests.support.control import Control

ON = {"on": True, "reason": "it burns"}
OFF = {"on": False, "reason": "it is out"}


def killed(on: bool, workers: int = 2) -> dict[str, Any]:
    """What a proxy says of the switch."""
    return {"on": on, "workers": workers, "workers_on": workers if on else 0, "control": on}


async def test_it_is_no_revision(control: Control) -> None:
    """B4: `undo` after `kill on` takes back the flip before, and the switch stays on."""
    await control.seed()
    flip = (await control.flip(2_500)).json()["revision"]
    assert (await control.post("/kill", ON)).status_code == 200
    assert control.services.state.current.revision == flip
    undone = (await control.post("/revisions/undo", {})).json()
    assert [change["path"] for change in undone["changes"]] == ["stage", "weight"]
    assert (await control.get("/kill"))["on"] is True


async def test_every_press_is_numbered_audited_and_told(control: Control) -> None:
    """B4: by an event, and by headers of whatever proxies ask for."""
    await control.seed()
    queue = control.services.tables.subscribe()
    for number, body in enumerate((ON, OFF, ON), start=1):
        made = (await control.post("/kill", body)).json()
        assert (made["on"], made["number"], made["changed"]) == (body["on"], number, True)
        said = queue.get_nowait()
        assert said == b'event: kill\ndata: {"on":%s,"number":%d}\n\n' % (
            b"true" if body["on"] else b"false", number,
        )  # fmt: skip
    assert (await control.post("/kill", ON)).json()["changed"] is False
    table = await control.client.get("/table")
    same = await control.client.get("/table", headers={"if-none-match": table.headers["etag"]})
    ack = {"instance": "p", "boot": "b", "revision": 1, "etag": ""}
    for answer in (table, same, await control.post("/fleet/acks", ack)):
        assert answer.headers["figway-kill"] == "on"
        assert answer.headers["figway-kill-number"] == "3"
    audit = (await control.get("/audit"))["items"][:3]
    assert [entry["action"] for entry in audit] == ["kill.on", "kill.off", "kill.on"]


async def test_what_is_said_is_what_proxies_do(control: Control) -> None:
    """B3: by their own words; one that went silent is named, and keeps it from being done."""
    await control.seed()
    await control.ack("does", 1, "x", kill=killed(True))
    await control.ack("does-not", 1, "x", kill=killed(False))
    await control.ack("stopped", 1, "x", kill=killed(False), stopping=True)
    made = await control.client.post("/kill", json=ON, params={"wait": "applied", "timeout": 0.1})
    spread = made.json()["propagation"]
    assert spread["applied"] is False
    assert spread["summary"].startswith("1 of 2 proxies send everything to legacy")
    assert "not yet: does-not" in spread["summary"]
    control.services.fleet._live_ms = -1  # from here on nobody was heard of lately
    made = await control.client.post("/kill", json=ON, params={"wait": "applied", "timeout": 5})
    states = {proxy["instance"]: proxy["state"] for proxy in made.json()["propagation"]["proxies"]}
    assert set(states.values()) <= {"silent", "waiting", "applied"}


async def test_a_silent_proxy_is_named(control: Control) -> None:
    """B3: whatever it said last: nobody knows what it does now."""
    await control.seed()
    now = control.services.state.current
    await control.ack("here", now.revision, now.etag, kill=killed(True))
    await control.ack("gone", now.revision, now.etag, kill=killed(True))
    control.services.fleet._began_ms -= 3_600_000
    older = update(InstanceRow).values(seen_ms=InstanceRow.seen_ms - 3_600_000)
    async with control.services.database.write() as connection:
        await connection.execute(older)
    await control.ack("here", now.revision, now.etag, kill=killed(True))
    made = await control.client.post("/kill", json=ON, params={"wait": "applied", "timeout": 0})
    spread = made.json()["propagation"]
    assert spread["applied"] is False
    assert "silent (nobody knows what it serves): gone" in spread["summary"]
    flip = (await control.flip(100, wait="applied", timeout=0)).json()["propagation"]
    assert "gone" in flip["summary"]
    assert flip["applied"] is False
    assert "gone" in (await control.get("/fleet"))["silent"]
    assert (await control.client.delete("/fleet/gone")).status_code == 204
    assert (await control.get("/fleet"))["silent"] == []


async def test_on_while_the_database_is_away(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3: in force at once, said to be not stored, and stored as soon as the database answers."""
    await control.seed()
    database = control.services.database
    read, write = database.read, database.write

    def away() -> Any:
        raise OperationalError("", None, OSError("away"))

    monkeypatch.setattr(database, "read", away)
    monkeypatch.setattr(database, "write", away)
    made = await control.post("/kill", ON)
    assert made.status_code == 200, made.text
    assert (made.json()["on"], made.json()["stored"]) == (True, False)
    assert (await control.client.get("/table")).headers["figway-kill"] == "on"
    assert (await control.post("/kill", OFF)).status_code == 503
    monkeypatch.setattr(database, "read", read)
    monkeypatch.setattr(database, "write", write)
    await control.services.kill.refresh()
    assert (await control.get("/kill"))["stored"] is True
    assert (await control.get("/audit"))["items"][0]["action"] == "kill.on"


async def test_an_old_table_does_not_turn_it(control: Control) -> None:
    """B4: neither a file nor a restore of an older release's revision presses the switch."""
    await control.seed()
    answer = await control.client.post(
        "/table/apply", content="kill_switch: true", headers={"content-type": "application/yaml"}
    )
    assert answer.status_code == 422
    assert "figway kill" in answer.text


async def test_undo_goes_back_step_by_step(control: Control) -> None:
    """B4: it passes over undos; redo is a way of its own, and ends with the next change."""
    await control.seed()
    before = (await control.get("/routes/orders"))["weight"]
    for weight in (100, 200, 300):
        await control.flip(weight)

    async def step(way: str) -> int:
        expected = (await control.get("/revisions/next"))[way]["revision"]
        body = {"expected": expected}
        answer = await control.post(f"/revisions/{way}", body)
        assert answer.status_code == 200, answer.text
        weight: int = (await control.get("/routes/orders"))["weight"]
        return weight

    assert [await step("undo") for _ in range(3)] == [200, 100, before]
    assert [await step("redo") for _ in range(3)] == [100, 200, 300]
    assert (await control.get("/revisions/next"))["redo"] is None
    assert await step("undo") == 200
    await control.flip(250)
    assert (await control.get("/revisions/next"))["redo"] is None
    assert (await control.post("/revisions/redo", {})).status_code == 404
    assert await step("undo") == 200
    assert await step("undo") == 100
    stale = await control.post("/revisions/undo", {"expected": 1})
    assert stale.status_code == 409
