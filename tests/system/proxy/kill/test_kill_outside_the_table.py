"""The kill switch of the control plane: outside the table, so that it holds on any table."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from figway.model.codec import to_data
from figway.model.table import Stage
from tests.support.fleet import FakeControl, Proxy, World, world
from tests.support.until import until

pytestmark = pytest.mark.process

EFFECT_S = 5.0
"""A bound for a loaded machine; what is promised is a second, and nothing in between waits."""


async def kill_and_see_legacy(proxy: Proxy, control: FakeControl) -> None:
    control.press(True)

    async def all_legacy() -> bool:
        return {await proxy.served_by() for _ in range(4)} == {"legacy"}

    await until(all_legacy, "everything goes to legacy", limit_s=EFFECT_S)
    await until(lambda: control.ack["kill"]["on"], "the proxy says so")
    assert control.ack["kill"]["workers_on"] == control.ack["kill"]["workers"] == 2


async def test_kill_holds_while_the_newest_table_is_refused(tmp_path: Path) -> None:
    """B1: a table that no proxy can serve stops neither `kill on` nor `kill off`."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        assert await proxy.served_by() == "new"
        bad = to_data(w.make_table(Stage.NEW)) | {"routes": [{"id": "broken"}]}
        w.control.publish_raw(bad, "0" * 32)
        await until(lambda: w.control.ack["refused"], "refused")
        await kill_and_see_legacy(proxy, w.control)
        w.control.press(False)
        await until(lambda: not w.control.ack["kill"]["on"], "off again")
        assert await proxy.served_by() == "new"


async def test_kill_outlives_a_restart_without_control_plane(tmp_path: Path) -> None:
    """B1: the word of the control plane is kept on the proxy's disk."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        await kill_and_see_legacy(proxy, w.control)
        await until((tmp_path / "kill-control.json").exists, "kept")
        await proxy.stop()
        w.control.stop()
        again = await w.proxy(start_wait_s="0.2")
        assert await again.served_by() == "legacy"


async def test_kill_comes_with_the_heartbeat_where_the_stream_is_silent(tmp_path: Path) -> None:
    """B1: the answer to an acknowledgement carries it, without stream and without table."""
    async with world(tmp_path) as w:
        proxy = await w.proxy(poll_s="3600", heartbeat_s="0.3")
        w.control.kill = (True, 9)  # nothing is written to the stream

        async def legacy() -> bool:
            return await proxy.served_by() == "legacy"

        await until(legacy, "it came with the heartbeat", limit_s=EFFECT_S)
        assert (await proxy.table())["kill_switch"]["number"] == 9


@pytest.mark.parametrize("stream", ["refused", "silent"])
async def test_kill_comes_within_a_second_where_the_stream_is_cut(
    tmp_path: Path, stream: str
) -> None:
    """B1: the stream is cut and refused from then on, or a middlebox buffers it. Polls, heartbeats
    and reports are an hour apart: the proxy asks by itself, each second, until a stream lives."""
    hour = "3600"
    async with world(tmp_path) as w:
        proxy = await w.proxy(poll_s=hour, heartbeat_s=hour, report_s=hour)
        w.control.cut(stream)
        await asked_often(w.control)
        await kill_and_see_legacy(proxy, w.control)
        w.control.publish(w.make_table(Stage.LEGACY))
        await until(lambda: w.control.ack["etag"] == w.control.etag, "a flip as well", EFFECT_S)
        w.control.cut("lives")
        await asked_no_more(w.control)
        await kill_and_see_legacy(proxy, w.control)


async def asked_often(control: FakeControl) -> None:
    before = control.polls
    await until(lambda: control.polls > before + 3, "it asks again and again")


async def asked_no_more(control: FakeControl) -> None:
    async def quiet() -> bool:
        before = control.polls
        await asyncio.sleep(2.0)
        return control.polls == before

    await until(quiet, "a stream that lives is enough", limit_s=30)


async def two_installations(w: World) -> Proxy:
    w.control.installation = "first"
    proxy = await w.proxy()
    await until(lambda: w.control.ack.get("installation") == "first", "it follows the first")
    w.control.installation = "second"
    w.control.publish(w.make_table(Stage.LEGACY))
    await until(lambda: w.control.ack.get("foreign"), "it says that this is another one")
    return proxy


async def test_another_installation_is_not_followed_until_told(tmp_path: Path) -> None:
    """T5: an empty or foreign database behind the same address takes no routes away."""
    async with world(tmp_path) as w:
        proxy = await two_installations(w)
        assert await proxy.served_by() == "new"
        ack = w.control.ack
        assert (ack["installation"], ack["revision"]) == ("first", 1)
        assert ack["offered"]["installation"] == "second"
        assert ack["offered"]["etag"] == w.control.etag
        w.control.adopts = "first"
        await until(lambda: w.control.ack["installation"] == "second", "adopted")
        await until(lambda: w.control.ack["etag"] == w.control.etag, "served")
        assert await proxy.served_by() == "legacy"


async def test_a_cold_start_does_not_follow_another_installation(tmp_path: Path) -> None:
    """T5, L10: what lies in the state folder says whose it is."""
    async with world(tmp_path) as w:
        proxy = await two_installations(w)
        await proxy.stop()
        again = await w.proxy()
        assert await again.served_by() == "new"
        await again.stop()
        told = await w.proxy(installation="second")
        assert await told.served_by() == "legacy"


async def test_another_installation_turns_kill_on_and_not_off(tmp_path: Path) -> None:
    """B1, T5: more safety is taken from anybody, less only from whoever is followed."""
    async with world(tmp_path) as w:
        w.control.installation = "first"
        w.control.kill = (True, 5)
        proxy = await w.proxy()
        await until(lambda: w.control.ack["kill"]["on"], "on")
        w.control.installation = "second"
        w.control.kill = (False, 80)
        await until(lambda: w.control.ack.get("foreign"), "foreign")
        assert w.control.ack["kill"]["on"]
        assert await proxy.served_by() == "legacy"
