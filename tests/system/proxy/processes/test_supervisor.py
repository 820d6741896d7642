"""Processes that die, are told to stop, or find their port taken."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from figway.model.table import Stage
from tests.support.fleet import Proxy, World, world
from tests.support.load import Load, get
from tests.support.until import until


def load(proxy: Proxy, **options: float) -> Load:
    """Reads of the route that new serves."""
    request = get("/moved/x", "facade.test")
    return Load(proxy.facade, lambda _: request, connections=6, pause=0.002, **options)


def worker_pids(w: World) -> set[int]:
    return {item["pid"] for item in w.control.ack["workers"]}


@pytest.mark.parametrize("door", ["native", "asgi"])
async def test_sigterm_under_load_loses_no_request(tmp_path: Path, door: str) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy(door=door)
        w.new.delay_s = 0.05
        async with load(proxy) as traffic:
            await traffic.answered(60)
            stopping = asyncio.create_task(proxy.stop())
            await until(lambda: traffic.tally.refused, "the port closes")
            tally = await traffic.stop()
        assert await stopping == 0, (proxy.events, proxy.errors)
        assert not tally.lost, tally
        assert set(tally.statuses) == {200}
        assert w.control.ack["stopping"], "the last acknowledgement says so"


async def test_a_request_in_flight_outlasts_sigterm(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        w.new.delay_s = 1.0
        request = asyncio.create_task(proxy.get("/moved/x"))
        await until(lambda: w.new.requests, "the request reached new")
        assert await proxy.stop() == 0
        assert (await request).text == "new"


async def test_a_drain_ends_at_its_limit_and_says_what_it_cut_off(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy(drain_timeout_s="0.2")
        w.new.delay_s = 30.0
        request = asyncio.create_task(proxy.get("/moved/x"))
        await until(lambda: w.new.requests, "the request reached new")
        assert await proxy.stop() == 1
        await asyncio.gather(request, return_exceptions=True)


async def test_a_worker_killed_under_load_is_replaced(tmp_path: Path) -> None:
    """Its connections break, as nothing can help them; new ones are answered, and counters of
    the fleet do not go backwards."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        await until(lambda: len(worker_pids(w)) == 2, "both workers told")
        before = worker_pids(w)
        async with load(proxy) as traffic:
            await traffic.answered(100)
            await asyncio.sleep(1.1)  # one beat of the counters
            counted = await proxy.metric("figway_requests_total")
            os.kill(min(before), signal.SIGKILL)
            await until(lambda: len(worker_pids(w)) == 2 and worker_pids(w) != before, "replaced")
            await until(proxy.ready, "ready again")
            await traffic.answered(100)
            tally = await traffic.stop()
        assert set(tally.statuses) == {200}
        assert tally.refused == 0, "the port stayed open"
        assert sum(tally.lost.values()) <= 6, "at most one a connection"
        assert await proxy.metric("figway_requests_total") >= counted
        assert await proxy.metric("figway_worker_restarts_total") == 1
        assert proxy.event("worker_died")


async def test_a_replacement_serves_the_table_of_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        w.control.publish(w.make_table(Stage.LEGACY))
        await until(lambda: w.control.ack["revision"] == 2, "flipped")
        before = worker_pids(w)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not before & worker_pids(w) and len(worker_pids(w)) == 2, "new")
        await until(proxy.ready, "ready again")
        for _ in range(8):
            assert await proxy.served_by() == "legacy"


async def test_workers_drain_when_the_supervisor_dies(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        await until(lambda: len(worker_pids(w)) == 2, "both workers told")
        w.new.delay_s = 0.5
        request = asyncio.create_task(proxy.get("/moved/x"))
        await until(lambda: w.new.requests, "the request reached new")
        proxy.process.kill()
        assert (await request).text == "new"
        for pid in worker_pids(w):
            await until(lambda pid=pid: not Path(f"/proc/{pid}/stat").exists(), "ended")


async def test_a_used_port_is_one_clear_line(tmp_path: Path) -> None:
    """Also when the other one shares its port, as workers do: no silent half of the traffic."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("listen", "private_listen"):
            code, lines = await outcome(
                tmp_path, legacy_url="http://127.0.0.1:9", **{name: f"127.0.0.1:{port}"}
            )
            assert code == 3
            assert len(lines) == 1
            assert f"127.0.0.1:{port}" in lines[0]
            assert f"FIGWAY_{name.upper()}" in lines[0]


async def test_wrong_settings_are_one_line_each(tmp_path: Path) -> None:
    code, lines = await outcome(tmp_path, legacy_url="nonsense", workers="many")
    assert code == 2
    assert len(lines) == 2
    assert "FIGWAY_LEGACY_URL" in lines[0]
    assert "FIGWAY_WORKERS" in lines[1]


async def outcome(state_dir: Path, **settings: str) -> tuple[int, list[str]]:
    """Exit code and lines of a proxy that cannot start."""
    proxy = Proxy(state_dir, **settings)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proxy",
        env={**os.environ, **proxy.settings},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode().splitlines()
