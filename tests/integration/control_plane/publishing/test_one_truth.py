"""Several control planes, restores and failovers: one table under one number, and true answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from control_plane.db.engine import DatabaseAway, OutcomeUnknown
from control_plane.publishing import store
from figway.model.table import Stage
from tests.support.control import Control, control_plane

NEVER = 3_600.0
POOLS = pytest.mark.parametrize("pool", [10, 0], ids=["pool", "pooler"])


@asynccontextmanager
async def two(url: str, pool: int) -> AsyncIterator[tuple[Control, Control]]:
    """Two control planes over one database that hear of each other only by asking."""
    async with control_plane(url, poll_seconds=NEVER, database_pool=pool) as one:
        await one.seed()
        key = one.key
        async with control_plane(url, key=key, poll_seconds=NEVER, database_pool=pool) as other:
            for control in (one, other):
                _deaf(control)
            yield one, other


def _deaf(control: Control) -> None:
    """No notification arrives: what a pooler that lends sessions by the transaction makes of
    LISTEN."""
    refresh = control.services.publisher.refresh

    async def nothing() -> None:
        return None

    control.services.publisher.refresh = nothing  # type: ignore[method-assign]
    control.refresh = refresh  # type: ignore[attr-defined]


async def saved(control: Control) -> list[tuple[str, list[dict[str, Any]]]]:
    """What a dump of the table and its history holds."""
    kept = []
    async with control.services.database.read() as connection:
        for name in ("items", "revisions", "audit"):
            rows = await connection.execute(text(f"SELECT * FROM {name}"))
            kept.append((name, [dict(row._mapping) for row in rows]))
    return kept


async def restore(control: Control, dump: list[tuple[str, list[dict[str, Any]]]]) -> None:
    """Put the dump back: a restore, or a failover to a replica that lacks the last commits."""
    async with control.services.database.write() as connection:
        for name, rows in dump:
            await connection.execute(text(f"DELETE FROM {name}"))
            for row in rows:
                columns = ", ".join(row)
                values = ", ".join(f":{column}" for column in row)
                await connection.execute(
                    text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), row
                )


async def stands(control: Control) -> tuple[int, str, str]:
    now = control.services.state.current
    return now.revision, now.etag, now.table.routes["orders"].stage.value


@POOLS
def test_the_same_number_is_not_the_same_table(database_url: str, pool: int) -> None:
    """T1: an older dump comes back while A is cut off, and B makes as many revisions."""

    async def story() -> None:
        async with two(database_url, pool) as (one, other):
            dump = await saved(one)
            await one.flip(2_500)
            await restore(other, dump)
            await other.client.post(
                "/routes/orders/flip", json={"stage": "shadow", "reason": "r"},
                headers={"if-match": "*"},
            )  # fmt: skip
            a, b = await stands(one), await stands(other)
            assert a[0] == b[0]
            assert a != b
            await one.refresh()  # type: ignore[attr-defined]
            assert await stands(one) == b

    asyncio.run(story())


def test_a_proxy_with_the_number_and_another_table_is_not_done(database_url: str) -> None:
    """T1: `--wait` counts by number and hash."""

    async def story() -> None:
        async with control_plane(database_url) as control:
            await control.seed()
            now = control.services.state.current
            await control.ack("right", now.revision + 1, "to-come")
            await control.ack("wrong", now.revision + 5, "e" * 32)
            answer = (await control.flip(2_500, wait="applied", timeout=0.2)).json()
            states = {p["instance"]: p["state"] for p in answer["propagation"]["proxies"]}
            assert states == {"right": "waiting", "wrong": "waiting"}
            assert answer["propagation"]["applied"] is False
            await control.ack("right", answer["revision"], answer["table_etag"])
            later = (await control.flip(2_600)).json()
            await control.ack("wrong", later["revision"], later["table_etag"])
            spread = await control.get(f"/revisions/{answer['revision']}/propagation")
            assert [p["state"] for p in spread["proxies"]] == ["applied", "applied"]

    asyncio.run(story())


@POOLS
def test_a_change_builds_on_what_the_database_holds(database_url: str, pool: int) -> None:
    """T2: after a failover that lacks the last commit a flip leaves no gap, and moves nothing that
    its revision does not say."""

    async def story() -> None:
        async with control_plane(database_url, poll_seconds=NEVER, database_pool=pool) as control:
            await control.seed()
            _deaf(control)
            await control.flip(100)
            dump = await saved(control)
            await control.client.patch(
                "/routes/orders", json={"description": "lost in the failover"},
                headers={"if-match": "*", "content-type": "application/merge-patch+json"},
            )  # fmt: skip
            await restore(control, dump)
            answer = await control.flip(200)
            assert answer.status_code == 200, answer.text
            numbers = [entry["revision"] for entry in (await control.get("/revisions"))["items"]]
            assert numbers == list(range(numbers[0], 0, -1))
            route = await control.get("/routes/orders")
            assert (route["weight"], route["description"]) == (200, "")
            before = control.services.state.current
            key = control.key
        async with control_plane(database_url, key=key) as control:
            assert control.services.state.current == before

    asyncio.run(story())


def test_the_base_is_checked_in_the_transaction(database_url: str) -> None:
    """T2: a base that goes away between the look and the write takes the write with it."""

    async def story() -> None:
        async with control_plane(database_url, poll_seconds=NEVER) as control:
            await control.seed()
            await control.flip(100)
            dump = await saved(control)
            await control.flip(150)
            publisher = control.services.publisher
            commit = publisher._commit
            done: list[int] = []

            async def late(new: store.NewRevision, also: Any) -> bool:
                if not done:
                    done.append(new.after.revision)
                    await restore(control, dump)
                return await commit(new, also)

            publisher._commit = late  # type: ignore[method-assign]
            answer = (await control.flip(200)).json()
            assert answer["revision"] == done[0] - 1
            numbers = [entry["revision"] for entry in (await control.get("/revisions"))["items"]]
            assert numbers == list(range(answer["revision"], 0, -1))

    asyncio.run(story())


def test_whoever_is_late_again_and_again_gets_through(database_url: str) -> None:
    """T2: another control plane is faster eight times in a row. Each time its change was made, so
    this one is late, and refused for nothing that it could do better."""

    async def story() -> None:
        async with two(database_url, 10) as (one, other):
            faster = iter(range(8))

            async def overtaken(*_: object) -> None:
                if (number := next(faster, None)) is not None:
                    assert (await other.flip(2_000 + number)).status_code == 200

            one.services.publisher.checks.append(overtaken)
            answer = await one.flip(2_500)
            assert answer.status_code == 200, answer.text
            entries = (await one.get("/revisions"))["items"]
            assert len(entries) == entries[0]["revision"], "a number is missing"
            assert (await one.get("/routes/orders"))["weight"] == 2_500

    asyncio.run(story())


def test_items_that_are_not_their_history_do_not_count(database_url: str) -> None:
    """T2: a start holds the table to its stored hash."""

    async def story() -> None:
        async with control_plane(database_url) as control:
            await control.seed()
            await control.flip(100)
            before, key = control.services.state.current, control.key
            async with control.services.database.write() as connection:
                await connection.execute(
                    text("UPDATE items SET document = replace(document, '100', '9900') "
                         "WHERE kind = 'route'")
                )  # fmt: skip
        async with control_plane(database_url, key=key) as control:
            now = control.services.state.current
            assert now.table.routes["orders"].weight == 100
            assert now.etag == before.etag

    asyncio.run(story())


@POOLS
def test_nothing_differs_is_said_of_what_the_database_holds(database_url: str, pool: int) -> None:
    """T3: flip on A, back on B at once: B has not heard of A's, and does it all the same."""

    async def story() -> None:
        async with two(database_url, pool) as (one, other):
            for _ in range(5):
                assert (await one.flip(10_000)).json()["changed"] is True
                back = await other.client.post(
                    "/routes/orders/flip", json={"stage": "legacy", "reason": "back"},
                    headers={"if-match": "*"},
                )  # fmt: skip
                assert back.json()["changed"] is True
                await one.refresh()  # type: ignore[attr-defined]
                assert one.services.state.current.table.routes["orders"].stage is Stage.LEGACY

    asyncio.run(story())


def test_if_match_is_held_against_the_database(database_url: str) -> None:
    """T3: an ETag that another control plane has outdated is refused, one that it made is taken."""

    async def story() -> None:
        async with two(database_url, 10) as (one, other):
            old = (await other.client.get("/routes/orders")).headers["etag"]
            new = (await one.flip(100)).headers["etag"]
            assert (await other.flip(200, if_match=old)).status_code == 412
            assert (await other.flip(200, if_match=new)).status_code == 200

    asyncio.run(story())


def _losing(control: Control, *, stored: bool, times: int = 1) -> list[int]:
    """Have the answer of the next commits lost: after the database did it, or before."""
    database = control.services.database
    commit = database._commit
    lost: list[int] = []

    async def losing(transaction: Any) -> None:
        if len(lost) >= times:
            await commit(transaction)
            return
        lost.append(1)
        if stored:
            await commit(transaction)
        else:
            await transaction.rollback()
        raise OutcomeUnknown("the connection broke during a commit")

    database._commit = losing  # type: ignore[method-assign]
    return lost


@pytest.mark.parametrize("stored", [True, False])
def test_a_lost_answer_to_a_commit_is_found_out(database_url: str, stored: bool) -> None:
    """T4: by the change's own id, whether the database had done it or not; it is made once."""

    async def story() -> None:
        async with control_plane(database_url, poll_seconds=NEVER) as control:
            await control.seed()
            before = control.services.state.current.revision
            lost = _losing(control, stored=stored)
            answer = await control.flip(100)
            assert lost == [1]
            assert answer.status_code == 200, answer.text
            assert answer.json()["changed"] is True
            assert answer.json()["revision"] == before + 1
            audit = (await control.get("/audit", action="route.flip"))["items"]
            assert len(audit) == 1

    asyncio.run(story())


def test_what_nobody_knows_is_said_so(database_url: str, monkeypatch: Any) -> None:
    """T4: while the database is away, "Nothing was changed" would be a guess."""
    monkeypatch.setattr("control_plane.publishing.service._FIND_OUT_S", 0.1)

    async def story() -> None:
        async with control_plane(database_url, poll_seconds=NEVER) as control:
            await control.seed()
            _losing(control, stored=True)
            publisher = control.services.publisher

            async def away(change_id: str) -> int | None:
                raise DatabaseAway("away")

            publisher._number_of = away  # type: ignore[method-assign]
            answer = await control.flip(100)
            assert answer.status_code == 503
            problem = answer.json()
            assert problem["type"] == "urn:figway:problem:outcome_unknown"
            assert "Nothing was changed" not in answer.text
            assert "not known" in problem["title"]

    asyncio.run(story())


def test_every_write_that_may_have_been_stored_says_so(database_url: str) -> None:
    """T4: not only revisions: a key, for one."""

    async def story() -> None:
        async with control_plane(database_url) as control:
            # More than one: when a key was last used is written, too, and may be lost.
            _losing(control, stored=True, times=9)
            answer = await control.post("/keys", {"name": "n", "role": "viewer"})
            assert answer.json()["type"] == "urn:figway:problem:outcome_unknown"

    asyncio.run(story())


async def _ready(control: Control) -> httpx.Response:
    return await control.client.get("http://control/ready")


def test_another_database_is_not_believed(database_url: str) -> None:
    """T5: an empty database, or another's, is told from this installation's."""

    async def story() -> None:
        async with control_plane(database_url, poll_seconds=NEVER) as control:
            await control.seed()
            assert (await _ready(control)).status_code == 204
            table = await control.client.get("/table")
            assert len(table.headers["figway-installation"]) == 32
            async with control.services.database.write() as connection:
                await connection.execute(text("UPDATE installation SET id = 'another'"))
            assert (await _ready(control)).status_code == 503
            answer = await control.flip(100)
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:figway:problem:database_replaced"
            now = await control.client.get("/table")
            assert now.headers["figway-installation"] == table.headers["figway-installation"]
            assert "orders" in now.text

    asyncio.run(story())


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_sqlite_file_that_is_gone_is_noticed(tmp_path: Any, how: str) -> None:
    """T5: its file deleted, SQLite goes on answering, and all of it is lost in the end."""

    async def story() -> None:
        path = tmp_path / "figway.sqlite3"
        async with control_plane(f"sqlite:///{path}", poll_seconds=NEVER) as control:
            await control.seed()
            if how == "deleted":
                path.unlink()
            else:
                os.replace(path, tmp_path / "old")
                path.write_bytes(b"")
            assert (await _ready(control)).status_code == 503
            answer = await control.flip(100)
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:figway:problem:database_replaced"

    asyncio.run(story())


def test_the_installation_stays_over_restarts(database_url: str) -> None:
    """T5: it names the database, not the process."""

    async def story() -> None:
        async with control_plane(database_url) as control:
            first, key = control.services.state.installation, control.key
        async with control_plane(database_url, key=key) as control:
            assert control.services.state.installation == first

    asyncio.run(story())


class Clock:
    """A clock of the control plane that steps."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    found = Clock()
    for module in ("publishing.service", "fleet.service", "kill.service"):
        monkeypatch.setattr(f"control_plane.{module}.now_ms", found)
    return found


HOUR = 3_600_000


async def test_a_clock_that_is_put_back(control: Control, clock: Clock) -> None:
    """T7: the audit does not stay in the future, and a dead proxy is not live for an hour."""
    await control.seed()
    clock.offset = HOUR
    await control.flip(100)
    await control.ack("dead", 1, "x")
    clock.offset = 0
    made = (await control.flip(200)).json()["revision"]
    row = await control.get(f"/revisions/{made}")
    assert row["created_ms"] <= clock() + 1
    newest = (await control.get("/revisions"))["items"][0]
    assert newest["revision"] == made, "by number, not by time"
    audit = (await control.get("/audit"))["items"]
    assert audit[0]["revision"] == made
    async with control.services.database.write() as connection:
        # Heard of when the clock that all share was ahead, and never since.
        await connection.execute(text(f"UPDATE instances SET seen_ms = seen_ms + {HOUR}"))
    proxy = (await control.get("/fleet"))["items"][0]
    assert proxy["live"] is False
