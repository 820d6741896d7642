"""Lives and deaths: every stop and start ends well, whatever clients, signals and processes do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from figway.model.codec import table_hash
from figway.model.table import Stage
from proxy.processes.memory import SHADOW_WORKER, SUPERVISOR, WORKER
from tests.support.fleet import Proxy, World, world
from tests.support.load import Load, get
from tests.support.until import until

pytestmark = pytest.mark.process

SERVING, SHADOW = b"proxy.processes.worker", b"proxy.processes.shadow.worker"


def address(proxy: Proxy) -> tuple[str, int]:
    url = urlsplit(proxy.facade)
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


def worker_pids(w: World) -> list[int]:
    return [item["pid"] for item in w.control.ack["workers"]]


async def send_and_leave(proxy: Proxy, clients: int) -> None:
    """Clients that send a request, and are gone before anybody can answer."""
    for _ in range(clients):
        with socket.create_connection(address(proxy)) as client:
            client.sendall(b"GET /moved/x HTTP/1.1\r\nHost: f\r\n\r\n")
            # A reset, in the middle of the dial to the backend.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize("door", ["native", "asgi"])
async def test_clients_that_leave_early_do_not_hold_up_a_stop(tmp_path: Path, door: str) -> None:
    """L1: bookkeeping that needs one callback only; every close has a bound."""
    async with world(tmp_path) as w:
        proxy = await w.proxy(door=door, drain_timeout_s="18")
        for _ in range(3):
            await send_and_leave(proxy, 50)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(12):
            assert await proxy.stop() == 0
        assert not proxy.event("worker_not_drained")


async def test_a_worker_ends_without_supervisor_after_early_leaving_clients(tmp_path: Path) -> None:
    """L1: an orphan ends too."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        await until(lambda: len(worker_pids(w)) == 2, "both workers told")
        pids = worker_pids(w)
        await send_and_leave(proxy, 50)
        proxy.process.kill()
        for pid in pids:
            await until(lambda pid=pid: not Path(f"/proc/{pid}/stat").exists(), "ended")


async def test_a_hangup_without_a_terminal_ends_nothing(tmp_path: Path) -> None:
    """L3: SIGHUP asks a daemon to read again what may have changed."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        proxy.process.send_signal(signal.SIGHUP)
        await until(lambda: proxy.event("hangup"), "heard")
        assert await proxy.served_by() == "new"
        assert proxy.process.returncode is None
        assert await proxy.stop() == 0


async def test_a_stopped_worker_is_unready_and_replaced(tmp_path: Path) -> None:
    """L5: hung and ready is what a balancer must not be told."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        await until(lambda: len(worker_pids(w)) == 2, "both workers told")
        victim = worker_pids(w)[0]
        os.kill(victim, signal.SIGSTOP)

        async def unready() -> bool:
            return not await proxy.ready()

        await until(unready, "/ready says so", limit_s=8)
        await until(lambda: any(item["hung"] for item in w.control.ack["workers"]), "told")
        await until(lambda: victim not in worker_pids(w), "replaced", limit_s=15)
        await until(proxy.ready, "ready again")


async def test_lame_duck_serves_while_it_says_that_it_leaves(tmp_path: Path) -> None:
    """L7: a balancer has time to notice; a second signal ends the wait."""
    async with world(tmp_path) as w:
        proxy = await w.proxy(lame_duck_s="30")
        proxy.process.send_signal(signal.SIGTERM)

        async def unready() -> bool:
            return not await proxy.ready()

        await until(unready, "/ready says so")
        assert (await proxy.inside("/ready")).json()["why"] == "about to stop"
        assert await proxy.served_by() == "new"
        await asyncio.sleep(0.6)  # a second signal that comes sooner is the same wish
        assert await proxy.stop() == 0


async def test_the_port_is_handed_over_without_a_refused_connection(tmp_path: Path) -> None:
    """L7: an upgrade on one host loses no request and refuses no connection."""
    async with world(tmp_path) as w:
        old = await w.proxy()
        request = get("/moved/x", "facade.test")
        async with Load(old.facade, lambda _: request, connections=6, pause=0.002) as traffic:
            await traffic.answered(50)
            new = await w.proxy(take_over="true")
            await until(lambda: new.event("took_over"), "it has the folder")
            await asyncio.wait_for(old.process.wait(), 20)
            await traffic.answered(100)
            tally = await traffic.stop()
        assert old.process.returncode == 0
        assert new.facade == old.facade
        assert (tally.refused, dict(tally.lost), set(tally.statuses)) == (0, {}, {200})
        assert await new.ready()
        assert not w.control.ack["stopping"], "the instance goes on"


async def test_two_proxies_do_not_share_a_state_folder(tmp_path: Path) -> None:
    """L10: a cold start would serve the other one's table."""
    async with world(tmp_path) as w:
        first = await w.proxy()
        second = Proxy(tmp_path, control_url=w.control.url, control_key="proxy-key")
        w.proxies.append(second)
        with pytest.raises(AssertionError):
            await second.start(limit_s=5)
        assert await second.process.wait() == 3
        assert "FIGWAY_STATE_DIR" in second.errors[0]
        first.process.kill()  # whatever the first one comes to: the lock goes with it
        await first.process.wait()
        third = await w.proxy()
        assert await third.ready()


async def test_what_waits_at_a_stop_is_reported_after_the_next_start(tmp_path: Path) -> None:
    """L8: counts of a proxy that stops while its control plane is away are kept."""
    async with world(tmp_path) as w:
        proxy = await w.proxy(report_s="30")
        for _ in range(7):
            assert await proxy.served_by() == "new"
        w.control.stop()
        await proxy.stop()
        assert (tmp_path / "reports.jsonl").stat().st_mode & 0o777 == 0o600
        w.control.reports.clear()
        await w.control.start()
        await w.proxy()

        def counted() -> int:
            rows = [row for report in w.control.reports for row in report["series"]]
            return sum(row["requests"] for row in rows if row["route"] == "moved")

        await until(lambda: counted() == 7, "reported once")


async def test_connections_wait_for_a_table_that_is_on_its_way(tmp_path: Path) -> None:
    """L9: a start during a slow answer of the control plane is no `never reached`."""
    async with world(tmp_path) as w:
        w.control.delay_s = 3.0
        proxy = await w.proxy(ready=False, start_wait_s="0.3")
        answer = await proxy.get("/moved/x")
        assert (answer.status_code, answer.text) == (200, "new")


async def test_what_is_missing_is_said_as_it_is(tmp_path: Path) -> None:
    """L9: a table that was refused is no control plane that was never reached."""
    async with world(tmp_path) as w:
        w.control.raw, w.control.etag = {"routes": [{"id": "broken"}]}, "0" * 32
        proxy = await w.proxy(ready=False, start_wait_s="5")
        answer = await proxy.get("/moved/x")
        assert answer.status_code == 503
        assert "cannot be served" in answer.json()["detail"]


def oom_scores(state_dir: Path) -> dict[bytes, int]:
    """What each kind of process of a proxy offers itself to the OOM killer for."""
    scores = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = set(entry.read_bytes().split(b"\0"))
            environ = entry.with_name("environ").read_bytes()
            for name in {SERVING, SHADOW} & words:
                if str(state_dir).encode() in environ:
                    scores[name] = int(entry.with_name("oom_score_adj").read_text())
    return scores


async def test_the_shadow_worker_is_the_first_to_go(tmp_path: Path) -> None:
    """L6: when memory runs out the kernel takes what serves nobody."""
    async with world(tmp_path) as w:
        w.control.table = w.make_table(Stage.SHADOW)
        w.control.etag = table_hash(w.control.table)
        await w.proxy()
        await until(lambda: oom_scores(tmp_path).get(SHADOW, 0) > 0, "it offers itself")
        scores = oom_scores(tmp_path)
        assert scores[SERVING] < scores[SHADOW]


def resident(state_dir: Path) -> dict[bytes, int]:
    """Resident bytes of the largest process of each kind of the proxy of this state folder."""
    sizes: dict[bytes, int] = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if str(state_dir).encode() not in entry.with_name("environ").read_bytes():
                continue
            kind = next((name for name in (SERVING, SHADOW, b"proxy") if name in words), b"")
            pages = int(entry.with_name("statm").read_text().split()[1])
            sizes[kind] = max(sizes.get(kind, 0), pages * os.sysconf("SC_PAGE_SIZE"))
    return sizes


async def test_processes_are_as_large_as_the_sizing_says(tmp_path: Path) -> None:
    """L6: measured after traffic that was shadowed whole, not written down from a guess."""
    async with world(tmp_path) as w:
        w.control.table = w.make_table(Stage.SHADOW)
        w.control.etag = table_hash(w.control.table)
        proxy = await w.proxy()
        await until(lambda: oom_scores(tmp_path).get(SHADOW, 0) > 0, "the shadow worker is there")
        request = get("/moved/x", "f")
        async with Load(proxy.facade, lambda _: request, connections=4, pause=0.0) as load:
            await load.answered(1_000)
        sizes = resident(tmp_path)
        assert sizes[b"proxy"] <= SUPERVISOR, sizes
        assert sizes[SERVING] <= WORKER, sizes
        assert sizes[SHADOW] <= SHADOW_WORKER, sizes
