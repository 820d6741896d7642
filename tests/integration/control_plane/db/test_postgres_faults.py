"""PostgreSQL is locked, killed, and restored from an older copy, under a control plane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.support import postgres
from tests.support.control import Control, control_plane
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres.stoppable() as one:
        yield one


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with postgres.database(server.url) as one:
        yield one


@pytest.fixture
async def control(url: str) -> AsyncIterator[Control]:
    async with control_plane(url, poll_seconds=0.2) as seeded:
        await seeded.seed()
        yield seeded


async def flipped(control: Control, weight: int, patience: float = 20.0) -> None:
    """Flip, and try again for as long as the database does not answer."""
    until = time.monotonic() + patience
    while True:
        answer = await control.flip(weight)
        if answer.status_code == 200:
            return
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < until, "the database is back, and flips are still refused"
        await asyncio.sleep(0.1)


async def weight(control: Control) -> int:
    found: int = (await control.get("/routes/orders"))["weight"]
    return found


async def test_locked(control: Control) -> None:
    """trap 52: reading goes on; a change waits for the lock, and is made once."""
    before = (await control.get("/table"))["revision"]
    url = control.services.database.url.set(drivername="postgresql")
    other = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE items, revisions IN ACCESS EXCLUSIVE MODE")
        flip = asyncio.create_task(control.flip(2_500))
        done, _ = await asyncio.wait({flip}, timeout=0.5)
        assert not done
        assert (await control.get("/table"))["revision"] == before
        assert await weight(control) == 0
        await transaction.rollback()
        answer = await flip
    finally:
        await other.close()
    assert answer.status_code == 200, answer.text
    assert (await control.get("/table"))["revision"] == before + 1


async def test_killed(control: Control, server: Server) -> None:
    """trap 52: reading goes on, a change is refused whole, and works once the database is back."""
    await flipped(control, 1_000)
    before = (await control.get("/table"))["revision"]
    await asyncio.to_thread(server.kill)
    try:
        answer = await control.flip(2_500)
        assert answer.status_code == 503
        problem = answer.json()
        assert problem["type"] == "urn:figway:problem:database_unavailable"
        assert answer.headers["retry-after"] == "2"
        assert (await control.get("/table"))["revision"] == before
        assert await weight(control) == 1_000
    finally:
        await asyncio.to_thread(server.start)
    await flipped(control, 2_500)
    assert (await control.get("/table"))["revision"] == before + 1
    history = [entry["revision"] for entry in (await control.get("/revisions"))["items"]]
    assert history == list(range(before + 1, 0, -1))


async def test_restored(control: Control, server: Server) -> None:
    """trap 52: what an older copy says is taken over, and the next change follows it."""
    await flipped(control, 1_000)
    copied = await control.get("/table")
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.copy)
    await asyncio.to_thread(server.start)
    await flipped(control, 2_500)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.restore)
    await asyncio.to_thread(server.start)
    until = time.monotonic() + 20
    while (await control.get("/table"))["revision"] != copied["revision"]:
        assert time.monotonic() < until, "the older copy was not taken over"
        await asyncio.sleep(0.1)
    assert await control.get("/table") == copied
    await flipped(control, 5_000)
    assert (await control.get("/table"))["revision"] == copied["revision"] + 1
    assert await weight(control) == 5_000
