"""Several control planes: which one is called, and who is asked for the kill switch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from proxy.control.client import ControlError, ControlPlane
from proxy.control.notice import Notice
from proxy.kill import watch as kill_watch
from proxy.kill.watch import KillWatch
from proxy.settings import SettingsError, load
from tests.support.until import until

BASE = {"FIGWAY_CONTROL_KEY": "fgw_key", "FIGWAY_LEGACY_URL": "http://legacy.example"}
EMPTY = {"revision": 1, "etag": "e", "table": {}}


class Plane:
    """A control plane that answers, hangs, fails or is not there."""

    def __init__(self, name: str) -> None:
        self.does = "answers"
        self.asked: Counter[str] = Counter()
        self.client = httpx.AsyncClient(
            base_url=f"http://{name}/api/v1", transport=httpx.MockTransport(self._answer)
        )

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.url.path.removeprefix("/api/v1")] += 1
        if self.does == "hangs":
            await asyncio.Event().wait()
        if self.does == "is gone":
            raise httpx.ConnectError("refused")
        status = 500 if self.does == "fails" else 200
        return httpx.Response(status, json=EMPTY, headers={"figway-kill": "on"})


@pytest.fixture
def planes() -> list[Plane]:
    return [Plane("a"), Plane("b")]


@pytest.mark.parametrize("does", ["is gone", "fails"])
async def test_the_next_one_is_called(planes: list[Plane], does: str) -> None:
    one, other = planes
    left: list[str] = []
    control = ControlPlane(one.client, other.client)
    control.on_left = left.append
    one.does = does
    with pytest.raises(ControlError):
        await control.table([])
    assert (await control.table([])).revision == 1
    assert left == ["http://b"]
    other.does = does
    with pytest.raises(ControlError):
        await control.table([])
    assert left == ["http://b", "http://a"]


async def test_what_waits_for_one_that_is_given_up_waits_no_longer(planes: list[Plane]) -> None:
    """An acknowledgement would wait for a control plane that hangs, and the fleet for it."""
    one, other = planes
    control = ControlPlane(one.client, other.client)
    one.does = "hangs"
    waiting = [asyncio.create_task(control.acknowledge({})) for _ in range(3)]
    await until(lambda: one.asked["/fleet/acks"] == 3)
    one.does = "is gone"
    with pytest.raises(ControlError):
        await control.table([])
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in found] == [ControlError] * 3
    await control.acknowledge({})
    assert other.asked["/fleet/acks"] == 1


async def test_one_alone_is_never_left(planes: list[Plane]) -> None:
    control = ControlPlane(planes[0].client)
    control.on_left = pytest.fail
    planes[0].does = "is gone"
    for _ in range(2):
        with pytest.raises(ControlError):
            await control.table([])


async def watched(
    planes: list[Plane], monkeypatch: pytest.MonkeyPatch, done: Callable[[list[Notice]], bool]
) -> None:
    monkeypatch.setattr(kill_watch, "ASK_S", 0.01)
    heard: list[Notice] = []
    watch = KillWatch([plane.client for plane in planes])
    watch.on_notice = heard.append
    task = asyncio.create_task(watch.run())
    try:
        await until(lambda: done(heard))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watch.close()


async def test_each_is_asked_whatever_the_others_do(
    planes: list[Plane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hangs, another is gone: the third is heard, and few questions wait."""
    planes.append(Plane("c"))
    planes[0].does, planes[1].does = "hangs", "is gone"
    await watched(planes, monkeypatch, lambda heard: len(heard) > 10)
    assert planes[0].asked["/kill/notice"] == kill_watch.MOST


async def test_one_that_hangs_is_asked_again_meanwhile(
    planes: list[Plane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a balancer the next question may reach another control plane."""
    one = planes[0]
    one.does = "hangs"

    def heard_of_another(heard: list[Notice]) -> bool:
        if one.asked["/kill/notice"] == 2:
            one.does = "answers"
        return any(notice.kill for notice in heard)

    await watched([one], monkeypatch, heard_of_another)


async def test_one_whose_stream_lives_is_not_asked(planes: list[Plane]) -> None:
    watch = KillWatch([planes[0].client])
    watch.is_needless = lambda: True
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not planes[0].asked


def test_urls_are_a_list() -> None:
    url = "https://a.example:8070/, https://b.example"
    found = load({**BASE, "FIGWAY_CONTROL_URL": url})
    assert found.control_urls == ["https://a.example:8070", "https://b.example"]
    assert load({"FIGWAY_LEGACY_URL": "http://a"}).control_urls == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://a.example,", "before and after each comma"),
        (",", "before and after each comma"),
        ("https://a.example, ftp://b", "must be a URL"),
        ("https://a.example,https://a.example/", "each URL once"),
        ("http://127.0.0.1:1,http://b.example", "FIGWAY_CONTROL_INSECURE"),
    ],
)
def test_a_list_that_cannot_be(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load({**BASE, "FIGWAY_CONTROL_URL": url})
