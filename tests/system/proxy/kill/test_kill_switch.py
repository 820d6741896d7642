"""The kill switch of a host: it works with everything else dead."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.fleet import Proxy, world
from tests.support.until import until

EFFECT_S = 5.0
"""A bound for a loaded machine. What is promised, a second, follows from the interval of the look,
which test_kill_file holds to it."""


async def test_the_file_sends_everything_to_legacy_without_control_plane(tmp_path: Path) -> None:
    """Traps 52 and 56: the way back needs no approval and nothing that may be down."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        w.control.stop()
        proxy.process.send_signal(signal.SIGSTOP)  # the supervisor is as good as dead
        kill = tmp_path / "kill"
        try:
            assert await proxy.served_by() == "new"
            kill.touch()
            await until(lambda: _always(proxy, "legacy"), "all to legacy", EFFECT_S)
            kill.unlink()
            await until(lambda: _always(proxy, "new"), "back to new", EFFECT_S)
        finally:
            proxy.process.send_signal(signal.SIGCONT)


async def test_signals_pull_and_release_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        proxy.process.send_signal(signal.SIGUSR1)
        await until(lambda: _always(proxy, "legacy"), "all to legacy", EFFECT_S)
        assert (tmp_path / "kill").exists()
        await until(lambda: w.control.ack["kill_file"], "acknowledged")
        await until(
            lambda: all(item["kill"] for item in w.control.ack["workers"]), "by each worker"
        )
        proxy.process.send_signal(signal.SIGUSR2)
        await until(lambda: _always(proxy, "new"), "back to new", EFFECT_S)
        assert not (tmp_path / "kill").exists()


async def test_a_start_finds_the_switch_pulled(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        (tmp_path / "kill").touch()
        proxy = await w.proxy()
        assert await _always(proxy, "legacy")


async def test_signals_work_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    async with world(tmp_path / "file" / "state") as w:
        proxy = await w.proxy()
        proxy.process.send_signal(signal.SIGUSR1)
        await until(lambda: _always(proxy, "legacy"), "all to legacy", EFFECT_S)
        assert proxy.event("kill_file")


async def _always(proxy: Proxy, name: str) -> bool:
    """Is it `name` that serves, whichever worker is asked?"""
    found = {await proxy.served_by() for _ in range(8)}
    return found == {name}
