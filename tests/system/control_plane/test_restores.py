"""The database under a running installation is put back, or is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.planes import following, planes, served
from tests.support.postgres import Server, stoppable
from tests.support.until import until

pytestmark = [pytest.mark.process, pytest.mark.postgres]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with a copy of its data from before Figway."""
    with stoppable() as found:
        found.stop()
        found.copy()
        found.start()
        yield found


async def put_back(server: Server) -> None:
    """As an administrator does: stop it, put the files back, start it."""
    for step in (server.stop, server.restore, server.start):
        await asyncio.to_thread(step)


async def test_an_empty_database_takes_no_routes_away(server: Server, tmp_path: Path) -> None:
    """T5: the database is put back to before Figway. What runs answers no flip, is not ready, and
    the kill switch works."""
    with planes(tmp_path, server.url, 1) as made:
        async with following(made, tmp_path / "p", made.urls[0]) as proxy:
            await put_back(server)
            flip = {"json": {"stage": "legacy", "reason": "r"}, "headers": {"if-match": "*"}}

            async def told() -> bool:
                answer = await made.sent(0, "POST", "/routes/moved/flip", **flip)
                return answer.status_code == 503

            await until(told, "no flip is answered", limit_s=30)
            assert (await made.sent(0, "GET", "/ready")).status_code == 503
            assert await served(proxy, "new")
            assert (await made.ask(0, "POST", "/kill", json={"on": True, "reason": "r"}))["on"]
            await until(lambda: served(proxy, "legacy"), "the switch holds", limit_s=10)


async def test_another_installation_is_not_followed(server: Server, tmp_path: Path) -> None:
    """T5: the same, and the control plane is started again: it is another installation now, and no
    proxy that holds routes follows it until told."""
    with planes(tmp_path, server.url, 1) as made:
        other = made.urls[0]
        async with following(made, tmp_path / "p", other) as proxy:
            made.processes[0].kill()
            made.processes[0].wait()
            await put_back(server)
            port = other.rpartition(":")[2]
            made.add(FIGWAY_ADMIN_LISTEN=f"127.0.0.1:{port}")
            await until(lambda: proxy.event("foreign_installation"), "it is noticed", 30)
            assert await served(proxy, "new")
            fleet = (await made.ask(1, "GET", "/fleet"))["items"]
            assert [item["foreign"] for item in fleet] == [True]
            mine = fleet[0]["installation"]
            body = {"installation": mine, "reason": "it is meant"}
            await made.ask(1, "POST", "/installation/adopt", json=body)
            etag = (await made.ask(1, "GET", "/table"))["etag"]

            async def follows() -> bool:
                return bool((await proxy.table())["etag"] == etag)

            await until(follows, "it follows", limit_s=20)


async def test_an_older_database_is_one_truth(server: Server, tmp_path: Path) -> None:
    """T1 and T5: a copy of the same installation is put back under two control planes that hold
    what came later. Both hold what it says, number and hash, and the proxy serves that."""
    with planes(tmp_path, server.url, 2) as made:
        async with following(made, tmp_path / "p", ",".join(made.urls)) as proxy:
            for step in (server.stop, server.forget, server.copy, server.start):
                await asyncio.to_thread(step)
            flip = {"json": {"stage": "legacy", "reason": "r"}, "headers": {"if-match": "*"}}

            async def flipped() -> bool:
                found = await made.sent(1, "POST", "/routes/moved/flip?wait=applied", **flip)
                return found.status_code == 200

            await until(flipped, "the database answers again", limit_s=30)
            assert await served(proxy, "legacy")
            await put_back(server)
            await until(lambda: served(proxy, "new"), "as the copy says", limit_s=30)
            tables = [await made.ask(number, "GET", "/table") for number in (0, 1)]
            assert tables[0] == tables[1]
            assert [(await made.sent(n, "GET", "/ready")).status_code for n in (0, 1)] == [204, 204]
            assert (await proxy.table())["etag"] == tables[0]["etag"]
