"""Live parts of pages: made once for all who look on, and for nobody who may not."""

from __future__ import annotations

import asyncio

import pytest

from control_plane.auth.roles import Role
from control_plane.console import fragment_cache as shared
from control_plane.console import render
from control_plane.console.fragment_cache import FragmentCache
from tests.support.console import Browser, browser
from tests.support.control import Control

PARTS = ("/map", "/status", "/routes?part=1", "/routes/orders/now", "/fleet?part=1")


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of parts that were rendered. Parts do not grow old meanwhile."""
    found: list[str] = []
    part = render.part

    def noted(template: str, **context: object) -> str:
        found.append(template)
        return part(template, **context)

    monkeypatch.setattr(render, "part", noted)
    monkeypatch.setattr(shared, "LEAST_S", 3_600.0)
    return found


async def test_ten_browsers_cost_what_one_costs(control: Control, made: list[str]) -> None:
    await control.seed()
    browsers = [await browser(control, Role.VIEWER) for _ in range(10)]
    made.clear()
    for path in PARTS:
        answers = await asyncio.gather(*(one.part(path) for one in browsers))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
    assert len(made) == len(PARTS)


async def test_a_part_shows_a_change_at_once(control: Control, made: list[str]) -> None:
    await control.seed()
    visitor = await browser(control)
    assert "canary" not in (await visitor.part("/routes?part=1")).text
    await control.flip(2_500)
    assert "canary" in (await visitor.part("/routes?part=1")).text
    assert "25 %" in (await visitor.part("/map")).text
    await control.post("/kill", {"on": True, "reason": "it burns"})
    for path in ("/status", "/routes/orders/now"):
        assert "Kill switch on" in (await visitor.part(path)).text


async def test_a_shared_part_leaks_nothing(control: Control, made: list[str]) -> None:
    """Nobody gets what another role sees, and nobody gets anything after the session is over."""
    await control.seed()
    operator, viewer = (
        await browser(control, Role.OPERATOR),
        await browser(control, Role.VIEWER),
    )
    for path in PARTS:
        with_power = (await operator.part(path)).text
        without = (await viewer.part(path)).text
        for text in (with_power, without):
            assert operator.csrf not in text
            assert "a operator" not in text
        assert "/flip?stage=" not in without, path
    assert "/flip?stage=" in (await operator.part("/routes/orders/now")).text
    stranger = Browser(control)
    left = operator.client.cookies["figway_session"]
    await operator.client.post("/console/logout", data={"csrf": operator.csrf})
    operator.client.cookies.set("figway_session", left)
    for path in PARTS:
        assert (await stranger.part(path)).status_code == 401, path
        assert (await operator.part(path)).status_code == 401, path


async def test_a_part_is_made_by_one_and_grows_old() -> None:
    clock = Clock()
    parts = FragmentCache(clock)
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        mine = made
        await asyncio.sleep(0)
        clock.now += 0.01
        return f"part {mine}"

    async def get(version: int = 1, key: str = "map") -> str:
        return await parts.get(key, version, make)

    assert set(await asyncio.gather(*(get() for _ in range(10)))) == {"part 1"}
    clock.now += 0.01 * shared.SHARE - 0.1
    assert await get() == "part 1", "it took a hundredth of a second, and may live for 200"
    clock.now += 0.2
    assert await get() == "part 2"
    assert await get(version=2) == "part 3"
    assert await get(version=2, key="other") == "part 4"
    assert await get(version=2) == "part 3"
    clock.now += shared.LONGEST_S + 1
    assert await get(version=2) == "part 5"


async def test_one_that_fails_fails_for_who_asked() -> None:
    parts = FragmentCache()

    async def fails() -> str:
        raise OSError("gone")

    async def works() -> str:
        return "well"

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            await parts.get("map", 1, fails)
    assert await parts.get("map", 1, works) == "well"


async def test_parts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MOST_PARTS", 5)
    monkeypatch.setattr(shared, "MOST_CHARACTERS", 1_000)
    parts = FragmentCache()
    asked = []

    async def get(key: int, size: int) -> None:
        async def make() -> str:
            asked.append(key)
            return "x" * size

        await parts.get(key, 1, make)

    for key in range(8):
        await get(key, 10)
    await get(7, 10)
    await get(0, 10)
    assert asked == [*range(8), 0], "the newest was forgotten, or the oldest was not"
    for key in range(10, 14):
        await get(key, 400)
    await get(13, 400)
    await get(10, 400)
    assert asked[-5:] == [10, 11, 12, 13, 10]
