"""Failovers of a real PostgreSQL to its standby, with and without a pooler: one table, and true
answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support import pgbouncer
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


async def flipped(control: Control, weight: int) -> httpx.Response:
    """Flip as a person would who is told that the database does not answer, and tries again."""
    answers: list[httpx.Response] = []

    async def done() -> bool:
        answers[:] = [await control.flip(weight)]
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
