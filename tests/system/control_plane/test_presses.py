"""A press of the kill switch that is in memory alone outlives the control plane that took it.

Real processes, on both databases; the database takes no writes while the switch is pressed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.planes import following, planes, served
from tests.support.postgres import Server, stoppable
from tests.support.until import until

pytestmark = pytest.mark.process
Away = Callable[[], Callable[[], None]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Away]]:
    """Its URL, and what takes it away; that gives what brings it back."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            path = tmp_path / "figway.sqlite3"

            def lock() -> Callable[[], None]:
                file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                file.execute("BEGIN IMMEDIATE")
                return file.close

            yield f"sqlite:///{path}", lock
            return
        server = stack.enter_context(stoppable())

        def stop() -> Callable[[], None]:
            server.stop()
            return server.start

        yield server.url, stop


@asynccontextmanager
async def away(take: Away) -> AsyncIterator[None]:
    """While the database takes nothing."""
    give = await asyncio.to_thread(take)
    try:
        yield
    finally:
        await asyncio.to_thread(give)


@pytest.fixture
def server() -> Iterator[Server]:
    with stoppable() as found:
        yield found


async def test_it_outlives_its_control_plane(database: tuple[str, Away], tmp_path: Path) -> None:
    """B1, B3: the next control plane read "off" in the database, and after it had said so twice
    the proxies went back to new, with nobody having released anything."""
    url, take = database
    with planes(tmp_path, url, 1) as made:
        async with following(made, tmp_path / "p", made.urls[0]) as proxy:
            async with away(take):
                pressed = await made.press(0, on=True)
                assert (pressed["on"], pressed["stored"]) == (True, False)
                await until(lambda: served(proxy, "legacy"), "the proxy heard of it", 10)
                await asyncio.to_thread(made.kill, 0)
            await asyncio.to_thread(made.restart, 0)

            async def back() -> bool:
                found = await made.ask(0, "GET", "/kill")
                return bool(found["on"] and found["stored"])

            await until(back, "the proxy gave it back", 20)
            assert await served(proxy, "legacy")
            entries = (await made.ask(0, "GET", "/audit"))["items"]
            assert [entry["action"] for entry in entries].count("kill.on") == 1
            released = await made.press(0, on=False)
            assert released["propagation"]["applied"], released
            await until(lambda: served(proxy, "new"), "a person released it", 10)


@pytest.mark.postgres
async def test_another_control_plane_learns_of_it_from_the_proxies(
    server: Server, tmp_path: Path
) -> None:
    """B1, B3: it could not see the press, and said "off for the fleet" for as long as the database
    was away."""
    with planes(tmp_path, server.url, 2) as made:
        async with following(made, tmp_path / "p", ",".join(made.urls)) as proxy:
            await asyncio.to_thread(server.stop)
            await made.press(0, on=True)

            async def learned() -> bool:
                return bool((await made.ask(1, "GET", "/kill"))["on"])

            await until(learned, "the other one knows", 20)
            found = await made.ask(1, "GET", "/kill")
            assert found["stored"] is False
            assert "had heard press" in found["reason"]

            async def doubts() -> bool:
                return bool((await made.ask(1, "GET", "/kill"))["doubt"])

            await until(doubts, "it says what it does not know", 10)
            await asyncio.to_thread(made.kill, 0)
            await asyncio.to_thread(server.start)

            async def stored() -> bool:
                return bool((await made.ask(1, "GET", "/kill"))["stored"])

            await until(stored, "stored", 30)
            assert await served(proxy, "legacy")
            await made.press(1, on=False)
            await until(lambda: served(proxy, "new"), "a person released it", 10)
