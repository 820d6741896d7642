"""The database refuses nothing and answers nothing: the kill switch holds, and says what proxies
do."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import update

from control_plane.auth import service as auth
from control_plane.clock import now_ms
from control_plane.console.pages import login
from control_plane.db.models import InstanceRow
from control_plane.fleet import service as fleet
from control_plane.kill import service as kill
from control_plane.kill import store
from control_plane.publishing import service as publishing
from tests.support.console import Browser, browser
from tests.support.control import Control, control_plane
from tests.support.until import until

TABLES = "kill_switch, api_keys, instances, audit, revisions, items"
KILLED: dict[str, Any] = {"kill": {"on": True, "workers": 1, "workers_on": 1, "number": 1}}


@asynccontextmanager
async def hanging(control: Control) -> AsyncIterator[None]:
    """Somebody holds locks that every statement waits for (SQLite: every write)."""
    database = control.services.database
    if database.is_postgres:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        locker = await asyncpg.connect(url)
        await locker.execute(f"BEGIN; LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            await locker.close()
        return
    assert database.path is not None
    file = sqlite3.connect(database.path, isolation_level=None)
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        file.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in a test; and every key is looked up again at each use."""
    monkeypatch.setattr(kill, "PROMPT_S", 0.1)
    monkeypatch.setattr(fleet, "_ANSWER_S", 0.1)
    monkeypatch.setattr(auth, "_ANSWER_S", 0.1)
    monkeypatch.setattr(auth, "_FRESH_MS", -1)


async def test_it_is_on_at_once_and_says_what_proxies_do(control: Control) -> None:
    """B1 and B3: it waited for as long as the driver lets a statement wait, and then said that
    nothing was changed."""
    await control.seed()
    etag = control.services.state.current.etag
    await control.ack("p1", 1, etag)
    await control.ack("p2", 1, etag)
    assert [item["instance"] for item in (await control.get("/fleet"))["items"]] == ["p1", "p2"]
    async with hanging(control):
        press = asyncio.create_task(
            control.client.post(
                "/kill", json={"on": True, "reason": "r"}, params={"wait": "applied", "timeout": 5}
            )
        )
        await until(lambda: control.services.kill.current.on, "it is on", 10)
        ack = asyncio.create_task(control.ack("p1", 1, etag, **KILLED))
        await asyncio.sleep(0.1)
        assert not press.done(), "the other one has not said so"
        other = asyncio.create_task(control.ack("p2", 1, etag, **KILLED))
        answer = await press
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["on"], found["stored"], found["changed"]) == (True, False, True)
        assert found["propagation"]["summary"] == "2 of 2 proxies send everything to legacy"
    await asyncio.gather(ack, other, return_exceptions=True)
    await control.services.kill.refresh()
    await until(lambda: control.services.kill.stored, "stored")
    assert (await control.get("/kill"))["on"]


async def test_who_is_silent_is_named_from_memory(control: Control) -> None:
    """B3: nobody knows what it does."""
    await control.seed()
    await control.ack("p1", 1, control.services.state.current.etag)
    row = control.services.fleet._known.page("", 1)[0]
    assert row.seen_ms <= now_ms()
    control.services.fleet._live_ms = -1
    async with hanging(control):
        answer = await control.client.post(
            "/kill", json={"on": True, "reason": "r"}, params={"wait": "applied", "timeout": 1}
        )
        assert answer.status_code == 200, answer.text
        assert "silent (nobody knows what it serves): p1" in answer.json()["propagation"]["summary"]


async def test_what_the_database_still_says_does_not_let_go_of_it(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: a question that was on its way when the switch was pressed brings `off`."""
    load = store.load
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Any) -> Any:
        found = await load(connection)
        asked.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(store, "load", slow)
    refresh = asyncio.create_task(control.services.kill.refresh())
    await asked.wait()
    begun = time.monotonic()
    answer = await control.post("/kill", {"on": True, "reason": "r"})
    assert time.monotonic() - begun < 5
    assert answer.json()["on"]
    go_on.set()
    await refresh
    assert control.services.kill.current.on
    await until(lambda: control.services.kill.stored, "stored")


async def test_off_that_nobody_knows_of_is_said_so(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3 and T4: a database that hangs may still do what it was asked, when it goes on."""
    await control.seed()
    assert (await control.post("/kill", {"on": True, "reason": "r"})).json()["stored"]
    monkeypatch.setattr(kill, "OFF_S", 0.1)
    async with hanging(control):
        answer = await control.post("/kill", {"on": False, "reason": "r"})
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "urn:figway:problem:outcome_unknown"
        assert control.services.kill.current.on
    await until(lambda: not control.services.kill.current.on, "it was done")


async def test_proxies_that_only_another_heard_of_are_named(migrated_url: str) -> None:
    """B3: half of everything broken: the control plane that the proxies talk to hangs, and so does
    the database. The other one, which nobody had asked, told of those alone that came over."""
    async with control_plane(migrated_url) as one:
        await one.seed()
        etag = one.services.state.current.etag
        await one.ack("p1", 1, etag)
        await one.ack("p2", 1, etag)
        async with control_plane(migrated_url, key=one.key) as other:
            await until(lambda: len(other.services.fleet._known.page("", 9)) == 2, "it knows them")
            async with hanging(other):
                ack = asyncio.create_task(other.ack("p1", 1, etag, **KILLED))
                found = await other.client.post(
                    "/kill",
                    json={"on": True, "reason": "r"},
                    params={"wait": "applied", "timeout": 1},
                )
                said = found.json()["propagation"]["summary"]
                assert said == "1 of 2 proxies send everything to legacy; not yet: p2"
            await asyncio.gather(ack, return_exceptions=True)


async def test_silent_ones_are_named_wherever_it_says_on(control: Control) -> None:
    """B3: `kill status` and the head of every page said "1 of 1", and the other was gone."""
    await control.seed()
    etag = control.services.state.current.etag
    await control.ack("p1", 1, etag, **KILLED)
    await control.ack("p2", 1, etag)
    async with control.services.database.write() as connection:
        older = update(InstanceRow).values(seen_ms=InstanceRow.seen_ms - 600_000)
        await connection.execute(older.where(InstanceRow.instance == "p2"))
    await control.post("/kill", {"on": True, "reason": "r"})
    says = "on: 1 of 1 proxy sends everything to legacy; silent (nobody knows what it serves): p2"
    assert (await control.get("/fleet"))["kill"]["summary"] == says
    visitor = await browser(control)
    assert says in (await visitor.page("/status")).text


async def test_a_flip_does_not_wait_for_a_database_that_hangs(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: who typed it waited for half a minute, and then did not know whether it was done."""
    await control.seed()
    monkeypatch.setattr(publishing, "_HANGS_S", 0.1)
    if not control.services.database.is_postgres:
        return  # SQLite reads beside a writer
    before = control.services.state.current.revision
    async with hanging(control):
        answer = await asyncio.wait_for(control.flip(100), 10)
        assert answer.status_code == 503, answer.text
        assert "Nothing was changed" in answer.text
    assert (await control.flip(100)).is_success
    assert control.services.state.current.revision == before + 1


async def test_who_logs_in_meanwhile_is_told_what_works(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: the page stood still, and then said that nothing was changed."""
    await control.seed()
    monkeypatch.setattr(login, "_PATIENCE_S", 0.1)
    visitor = Browser(control)
    async with hanging(control):
        answer = await asyncio.wait_for(visitor.log_in(control.key), 10)
        assert answer.status_code == 503
        assert "with a key: figway kill on" in answer.text
    await visitor.client.aclose()
