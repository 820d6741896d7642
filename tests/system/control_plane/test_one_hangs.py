"""Two control planes of one installation, of which one hangs: what is pressed at the other holds.

Real processes on one PostgreSQL. A control plane that hangs accepts connections and keeps streams
open, and answers nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.planes import Planes, following, planes, served
from tests.support.until import until

pytestmark = [pytest.mark.process, pytest.mark.postgres]

EFFECT_S = 5.0
"""A bound for a loaded machine; what is promised is a second or so."""


class Balancer:
    """Gives each connection to the control plane `to`; what is open stays where it is."""

    def __init__(self, to: str) -> None:
        self.to = to
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.to)
        behind = await asyncio.open_connection(parts.hostname, parts.port)
        both = [self._copy(reader, behind[1]), self._copy(behind[0], writer)]
        try:
            await asyncio.gather(*both, return_exceptions=True)
        finally:
            for side in (writer, behind[1]):
                side.close()

    @staticmethod
    async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[Planes]:
    with planes(tmp_path, postgres_url, 2) as found:
        yield found


async def test_the_one_that_is_followed_hangs(two: Planes, tmp_path: Path) -> None:
    """B3, the way back: `kill on` at the other takes effect at once, the press says so, and the
    proxy follows the other one. The one that hung is wrong about the switch when it wakes, and is
    not believed."""
    async with following(two, tmp_path / "p", ",".join(two.urls)) as proxy:
        two.freeze(0)
        pressed = asyncio.create_task(two.press(1, on=True))
        await until(lambda: served(proxy, "legacy"), "everything goes to legacy", EFFECT_S)
        assert (await pressed)["propagation"]["applied"] is True
        flip = {"json": {"stage": "legacy", "reason": "r"}, "headers": {"if-match": "*"}}
        await two.ask(1, "POST", "/routes/moved/flip", **flip)
        await two.press(1, on=False)
        assert await served(proxy, "legacy"), "the flip has come, too"
        await two.press(1, on=True)
        two.thaw(0)
        for _ in range(20):
            assert (await proxy.table())["kill_switch"]["on"]
            await asyncio.sleep(0.1)


async def test_the_one_that_is_not_followed_hangs(two: Planes, tmp_path: Path) -> None:
    """Nothing changes, and the switch works."""
    async with following(two, tmp_path / "p", ",".join(two.urls)) as proxy:
        two.freeze(1)
        await two.press(0, on=True)
        assert await served(proxy, "legacy")
        assert proxy.event("control_plane_left") is None


async def test_behind_a_balancer(two: Planes, tmp_path: Path) -> None:
    """One address for both: connections that are open stay with the one that hangs, so what is
    pressed at the other comes by a new one."""
    balancer = Balancer(two.urls[0])
    await balancer.start()
    try:
        async with following(two, tmp_path / "p", balancer.url) as proxy:
            two.freeze(0)
            balancer.to = two.urls[1]
            pressed = asyncio.create_task(two.press(1, on=True))
            await until(lambda: served(proxy, "legacy"), "everything goes to legacy", EFFECT_S)
            await pressed
    finally:
        balancer.close()
