"""Two control planes through PgBouncer, which lends sessions by the transaction: one truth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support import pgbouncer
from tests.support.control import Control, control_plane
from tests.support.until import until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        pgbouncer.PROGRAM is None, reason="no PgBouncer (Debian: apt install pgbouncer)"
    ),
]


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    """An empty database, through the pooler."""
    with pgbouncer.pooled(postgres_url) as url:
        yield url


async def stage(control: Control) -> str:
    return str((await control.get("/routes/orders"))["stage"])


async def to(control: Control, name: str) -> None:
    """Flip the route, whatever its ETag."""
    answer = await control.client.post(
        "/routes/orders/flip", json={"stage": name, "reason": "r"}, headers={"if-match": "*"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] is True


async def test_a_flip_and_its_way_back_at_another_control_plane(pooled_url: str) -> None:
    """T3: LISTEN does not pass a transaction pooler: B has not heard of A's flip, and takes it back
    all the same, fifteen times of fifteen."""
    async with control_plane(pooled_url, database_pool=0) as one:
        await one.seed()
        async with control_plane(pooled_url, key=one.key, database_pool=0) as other:
            for _ in range(15):
                await to(one, "new")
                await to(other, "legacy")
                assert await stage(other) == "legacy"
            await until(lambda: one.services.state.current == other.services.state.current)
            assert await stage(one) == "legacy"


async def test_writers_at_once_and_the_switch(pooled_url: str) -> None:
    """T2, B4: twenty changes at once make twenty numbers without a gap; the kill switch pressed at
    one is known at the other within a second, without LISTEN."""
    async with control_plane(pooled_url, database_pool=0) as one:
        await one.seed()
        async with control_plane(pooled_url, key=one.key, database_pool=0) as other:
            before = (await one.get("/table"))["revision"]
            answers = await asyncio.gather(
                *((one, other)[number % 2].flip(100 + number) for number in range(20))
            )
            assert {answer.status_code for answer in answers} == {200}
            numbers = sorted(answer.json()["revision"] for answer in answers)
            assert numbers == list(range(before + 1, before + 21))
            await one.post("/kill", {"on": True, "reason": "r"})
            await until(lambda: other.services.kill.current.on, "B knows", limit_s=5)
