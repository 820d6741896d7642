"""Failovers of a real PostgreSQL to its standby, with and without a pooler: one table, and true
answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from control_plane.db.models import InstanceRow
from tests.support import pgbouncer
from tests.support.comparing import batch, evidenced
from tests.support.control import Control, control_plane
from tests.support.postgres import Pair, pair
from tests.support.until import until

POOLED = pytest.param(
    "pooler",
    marks=pytest.mark.skipif(
        pgbouncer.PROGRAM is None, reason="no PgBouncer (Debian: apt install pgbouncer)"
    ),
)
pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("way", ["pool", POOLED])]


@pytest.fixture
def servers() -> Iterator[Pair]:
    """A server and its standby."""
    with pair() as found:
        yield found


@asynccontextmanager
async def two(servers: Pair, way: str) -> AsyncIterator[tuple[Control, Control]]:
    """Two control planes on it."""
    if way == "pool":
        async with _planes(servers.url, 10) as found:
            yield found
        return
    with pgbouncer.pooled(servers.url) as url:
        async with _planes(url, 0) as found:
            yield found


@asynccontextmanager
async def _planes(url: str, pool: int) -> AsyncIterator[tuple[Control, Control]]:
    async with control_plane(url, database_pool=pool) as one:
        await one.seed()
        async with control_plane(url, key=one.key, database_pool=pool) as other:
            yield one, other


async def flipped(control: Control, weight: int, **more: Any) -> httpx.Response:
    """Flip as a person would who is told that the database does not answer, and tries again."""
    return await answered(partial(control.flip, weight, **more))


async def answered(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask until the database answers."""
    answers: list[httpx.Response] = []

    async def done() -> bool:
        answers[:] = [await ask()]
        return answers[0].status_code != 503

    await until(done, "the database answers again", limit_s=60)
    return answers[0]


async def one_truth(*planes: Control) -> list[dict[str, Any]]:
    """All hold one table, which is what their history says, without a gap; the history, newest
    first."""
    await until(
        lambda: len({plane.services.state.current.etag for plane in planes}) == 1, "one table"
    )
    histories = [(await plane.get("/revisions"))["items"] for plane in planes]
    assert all(found == histories[0] for found in histories)
    numbers = [entry["revision"] for entry in histories[0]]
    assert numbers == list(range(len(numbers), 0, -1))
    assert {plane.services.state.current.revision for plane in planes} == {numbers[0]}
    key, url = planes[0].key, planes[0].services.settings.given_database_url()
    async with control_plane(url, key=key, database_pool=0) as fresh:
        assert fresh.services.state.current.etag == planes[0].services.state.current.etag
    found: list[dict[str, Any]] = histories[0]
    return found


async def test_a_failover_that_lacks_the_last_commits(servers: Pair, way: str) -> None:
    """T1, T2: two flips are answered 200 and are lost with the server. What comes after builds on
    what the standby holds, at both control planes."""
    async with two(servers, way) as (one, other):
        await one.flip(100)
        await asyncio.to_thread(servers.caught_up)
        await asyncio.to_thread(servers.cut)
        before = one.services.state.current
        assert (await one.flip(2_500)).status_code == 200
        assert (await other.flip(2_600)).status_code == 200
        await asyncio.to_thread(servers.fail_over)
        answer = await flipped(other, 300)
        assert answer.status_code == 200, answer.text
        assert answer.json()["revision"] == before.revision + 1
        history = await one_truth(one, other)
        assert history[0]["summary"] == ["route orders: weight 1% -> 3%"]
        assert (await one.get("/routes/orders"))["weight"] == 300


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost"])
async def test_the_answer_to_a_commit_is_lost_with_the_server(
    servers: Pair, way: str, arrived: bool
) -> None:
    """T4: the server dies while a commit waits for its standby, which has it, or has not. It is
    found out by the change's id, and the flip is there once."""
    async with two(servers, way) as (one, other):
        await one.flip(100)
        before = one.services.state.current
        await asyncio.to_thread(servers.caught_up)
        await asyncio.to_thread(servers.hold if arrived else servers.cut)
        await asyncio.to_thread(servers.wait_for_standby)
        flip = asyncio.create_task(one.flip(2_500))
        await until(lambda: asyncio.to_thread(servers.waiting), "the commit waits")
        assert not flip.done()
        await asyncio.to_thread(servers.fail_over)
        answer = await flip
        assert answer.status_code == 200, answer.text
        assert answer.json()["revision"] == before.revision + 1
        history = await one_truth(one, other)
        assert history[0]["summary"] == ["route orders: weight 1% -> 25%"]


async def test_nothing_differs_is_said_of_the_standby(servers: Pair, way: str) -> None:
    """T3: what both remember of a flip that was lost with the server decides neither "nothing
    differs" nor If-Match."""
    async with two(servers, way) as (one, other):
        await one.flip(100)
        await asyncio.to_thread(servers.caught_up)
        await asyncio.to_thread(servers.cut)
        before = one.services.state.current
        lost = await one.flip(2_500)
        await until(lambda: _at(other, before.revision + 1), "the other has it, too")
        await asyncio.to_thread(servers.fail_over)
        answer = await flipped(other, 2_500, if_match=lost.headers["etag"])
        assert answer.status_code == 412, answer.text
        answer = await flipped(one, 2_500)
        assert (answer.status_code, answer.json()["changed"]) == (200, True), answer.text
        assert answer.json()["revision"] == before.revision + 1
        # And at once back at the other one, which may not have heard of it.
        answer = await flipped(other, 100)
        assert (answer.status_code, answer.json()["changed"]) == (200, True), answer.text
        history = await one_truth(one, other)
        assert [entry["summary"] for entry in history[:2]] == [
            ["route orders: weight 25% -> 1%"],
            ["route orders: weight 1% -> 25%"],
        ]


async def _at(control: Control, revision: int) -> bool:
    await control.services.publisher.refresh()
    return control.services.state.current.revision == revision


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost"])
async def test_a_batch_whose_answer_is_lost_with_the_server(
    servers: Pair, way: str, arrived: bool
) -> None:
    """T6: the server dies while a batch is being committed, which its standby has, or has not. It
    is handed in again, at the other one, until it is taken, and counts once."""
    async with two(servers, way) as (one, other):
        await asyncio.to_thread(servers.caught_up)
        await asyncio.to_thread(servers.hold if arrived else servers.cut)
        await asyncio.to_thread(servers.wait_for_standby)
        sent = batch(1, evidenced(90, {"$.price|changed": 10}))
        handed_in = asyncio.create_task(one.post("/comparisons/batches", sent))
        await until(lambda: asyncio.to_thread(servers.waiting), "the commit waits")
        await asyncio.to_thread(servers.fail_over)
        assert (await handed_in).status_code in (200, 503)
        for plane in (other, one, other):
            answer = await answered(partial(plane.post, "/comparisons/batches", sent))
            assert answer.status_code == 200, answer.text
        found = (await one.get("/comparisons/routes/orders"))["evidence"]
        assert found["verdicts"] == {"match": 90, "mismatch": 10}
        assert found["captured"] == 100


async def test_clocks_that_differ(servers: Pair, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T7: the clock is an hour ahead until the server fails, and right afterwards. What comes later
    stands later, and a proxy that fell silent before is not live for an hour."""
    clock = Clock()
    for module in ("publishing.service", "fleet.service", "kill.service"):
        monkeypatch.setattr(f"control_plane.{module}.now_ms", clock)
    clock.ahead_ms = 3_600_000
    async with two(servers, way) as (one, other):
        await one.flip(100)
        await one.ack("dead", 1, "x")
        async with one.services.database.write() as connection:  # the server's clock, too
            ahead = InstanceRow.seen_ms + clock.ahead_ms
            await connection.execute(update(InstanceRow).values(seen_ms=ahead))
        await one.post("/kill", {"on": True, "reason": "a test"})
        await asyncio.to_thread(servers.caught_up)
        await asyncio.to_thread(servers.fail_over)
        clock.ahead_ms = 0
        made = (await flipped(other, 300)).json()["revision"]
        history = await one_truth(one, other)
        assert history[0]["revision"] == made
        assert history[0]["created_ms"] <= clock() < history[1]["created_ms"]
        for plane in (one, other):
            assert (await plane.get("/audit"))["items"][0]["revision"] == made
            assert [item["live"] for item in (await plane.get("/fleet"))["items"]] == [False]
        answer = await other.post("/kill", {"on": False, "reason": "a test"})
        assert (answer.status_code, answer.json()["on"]) == (200, False), answer.text
        await until(lambda: not one.services.kill.current.on, "off at both", limit_s=20)


class Clock:
    """A clock that is ahead of the right one."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms
