"""Processes that freeze, clients that leave, items that cannot be opened: what users notice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from figway.model.backend import Backend, CredentialHeader, Timeouts, timeouts_of
from figway.model.table import FallbackPolicy
from figway.model.words import Side
from tests.suites.faults.arena import HOST, Arena, play
from tests.suites.faults.rows import note
from tests.support.load import Load, get
from tests.support.until import until


def workers(arena: Arena) -> list[int]:
    """Process ids of the workers."""
    return [item["pid"] for item in arena.control.ack["workers"]]


def test_a_proxy_is_frozen_for_longer_than_its_watchdogs_wait(tmp_path: Path) -> None:
    """L2: a supervisor that stood still itself takes no healthy worker for a hung one."""

    async def talk(arena: Arena) -> None:
        await until(lambda: len(workers(arena)) == 2, "both workers told")
        before = set(workers(arena))
        os.kill(arena.proxy.process.pid, signal.SIGSTOP)
        await asyncio.sleep(11.5)
        os.kill(arena.proxy.process.pid, signal.SIGCONT)
        woke = time.perf_counter()
        seen = await arena.ask()
        await asyncio.sleep(1.5)  # the watchdog has looked
        assert not arena.proxy.event("worker_hung")
        assert set(workers(arena)) == before
        assert (seen.status, seen.side) == (200, "new")
        note(
            "The supervisor is frozen for 11.5 s (longer than it lets a worker be silent)",
            seen.words(),
            "nothing unusual; every worker lives on",
            (time.perf_counter() - woke - 1.5) * 1_000,
        )

    play(talk, tmp_path, workers="2")


def test_a_worker_is_frozen(tmp_path: Path) -> None:
    """L5: the proxy is unready after three beats, and the worker is replaced after ten."""

    async def talk(arena: Arena) -> None:
        await until(lambda: len(workers(arena)) == 2, "both workers told")
        victim = workers(arena)[0]
        os.kill(victim, signal.SIGSTOP)
        frozen = time.perf_counter()

        async def unready() -> bool:
            return not await arena.proxy.ready()

        await until(unready, "/ready says so")
        await until(lambda: victim not in workers(arena), "replaced")
        await until(arena.proxy.ready, "ready again")
        took = (time.perf_counter() - frozen) * 1_000
        note(
            "A worker is frozen",
            "its connections hang until it is replaced; a balancer sees `/ready` 503 meanwhile",
            "events `worker_silent`, `worker_hung`, `worker_died`",
            took,
        )

    play(talk, tmp_path, workers="2")


def test_new_hangs(tmp_path: Path) -> None:
    """B8: a row of time-outs opens the breaker; from then on legacy answers at once."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = _never
        seen = [await arena.ask() for _ in range(7)]
        assert {(item.status, item.side) for item in seen} == {(200, "legacy")}
        assert [item.record["fallback"] for item in seen] == ["timeout"] * 5 + ["breaker_open"] * 2
        arena.new.fault = None
        await arena.tell("New hangs (stopped, deadlocked): reads one after another", *seen)

    play(talk, tmp_path)


async def _never(*_: object) -> bool:
    await asyncio.sleep(60)
    return False


def test_new_cannot_be_opened(tmp_path: Path) -> None:
    """B1: its secret is missing: the table is served, and the route by legacy."""

    async def talk(arena: Arena) -> None:
        good = arena.control.table
        header = CredentialHeader(header="Authorization", value="env:FIGWAY_SECRET_GONE")
        bad = replace(good.backends["new"], credentials=(header,))
        backends = MappingProxyType({**good.backends, "new": bad})
        await arena.publish(replace(good, backends=backends))
        await until(lambda: arena.control.ack["quarantine"], "left out")
        read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
        alone = await arena.ask(path="/alone/x")
        assert {item.side for item in (read, write)} == {"legacy"}
        assert (alone.status, alone.problem) == (503, "backend_quarantined")
        await arena.publish(good)
        await arena.tell("New cannot be opened: its secret is missing", read, write, alone)

    play(talk, tmp_path)


def test_clients_leave_early_and_the_proxy_stops(tmp_path: Path) -> None:
    """L1: they hold up no stop."""

    async def talk(arena: Arena) -> None:
        url = urlsplit(arena.proxy.facade)
        for _ in range(50):
            with socket.create_connection((url.hostname or "", url.port or 0)) as client:
                client.sendall(f"GET /moved/x HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        code = await arena.proxy.stop()
        assert code == 0
        assert not arena.proxy.event("worker_not_drained")
        note(
            "50 clients send a request and leave; then SIGTERM",
            "nobody waits",
            "`client_gone`; exit code 0, no process was killed",
        )

    play(talk, tmp_path)


def test_the_port_is_handed_over_under_load(tmp_path: Path) -> None:
    """L7: an upgrade on one host."""

    async def talk(arena: Arena) -> None:
        request = get("/moved/x", HOST)
        async with Load(arena.proxy.facade, lambda _: request, connections=6, pause=0.003) as load:
            await load.answered(50)
            successor = arena.another_proxy()
            successor.settings["FIGWAY_TAKE_OVER"] = "true"
            try:
                await successor.start()
                await asyncio.wait_for(arena.proxy.process.wait(), 20)
                await load.answered(100)
                tally = await load.stop()
            finally:
                await successor.destroy()
        assert (tally.refused, dict(tally.lost), set(tally.statuses)) == (0, {}, {200})
        note(
            "A new release takes the port over under load (`FIGWAY_TAKE_OVER`)",
            f"{tally.statuses[200]} answers 200, none refused or cut off",
            "events `handed_over`, `took_over`",
        )

    play(talk, tmp_path)


def test_defaults_leave_legacy_its_time() -> None:
    """B8: the default time of new for a head is a fraction of the deadline over both attempts."""
    new = Backend(id="new", side=Side.NEW, url="http://127.0.0.1:1")
    assert 3 * timeouts_of(new).head_ms <= FallbackPolicy().deadline_ms
    assert timeouts_of(replace(new, timeouts=Timeouts(head_ms=7))).head_ms == 7
    assert timeouts_of(replace(new, side=Side.LEGACY)).head_ms == 30_000
