"""The control plane's database is locked, its process killed, and an older copy restored."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from control_plane import outbound
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.processes import Group, answers
from control_plane.cli.up import Place, start_figway
from tests.suites.faults.arena import Party
from tests.suites.faults.rows import note
from tests.support.until import until


class Whole:
    """A real control plane and proxy before two parties."""

    def __init__(self, group: Group, state: Path) -> None:
        facade, admin, private = (f"{LOOPBACK}:{free_port(0)}" for _ in range(3))
        self.group = group
        self.place = Place(state, facade, admin, private)
        self.legacy, self.new = Party("legacy"), Party("new")
        self.key = ""

    async def start(self) -> None:
        """All of it, with a route in stage legacy."""
        await self.legacy.start()
        await self.new.start()
        self.key = await start_figway(self.group, self.place, self.legacy.url, 1)
        await self.call("POST", "/backends", {"id": "new", "side": "new", "url": self.new.url})
        await self.call(
            "POST", "/routes", {"id": "moved", "match": {"path": "/moved/{x}"}, "new": "new"}
        )

    async def call(self, method: str, path: str, body: Any, **query: Any) -> Any:
        """Call the admin API; anything but a success fails the test."""
        async with outbound.AsyncClient(trust_env=False, timeout=40) as client:
            headers = {"authorization": f"Bearer {self.key}", "if-match": "*"}
            if not path.endswith("/flip"):
                del headers["if-match"]
            answer = await client.request(
                method,
                f"{self.place.admin}/api/v1{path}",
                json=body,
                headers=headers,
                params=query | {"confirm": "exposure"},
            )
            assert answer.status_code < 300, answer.text
            return answer.json()

    async def flip(self, stage: str) -> Any:
        """Flip, and wait until it is served."""
        body = {"stage": stage, "reason": "test"}
        return await self.call("POST", "/routes/moved/flip", body, wait="applied", timeout=15)

    async def raw_flip(self, stage: str) -> int:
        """Flip, and return the status, whatever it is."""
        async with outbound.AsyncClient(trust_env=False, timeout=40) as client:
            answer = await client.post(
                f"{self.place.admin}/api/v1/routes/moved/flip",
                json={"stage": stage, "reason": "test"},
                params={"confirm": "exposure"},
                headers={"authorization": f"Bearer {self.key}", "if-match": "*"},
            )
            return int(answer.status_code)

    async def side(self) -> str:
        """Who serves the route."""
        async with outbound.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.place.facade}/moved/x")
            assert answer.status_code == 200
            return str(answer.text)

    async def on_new(self) -> bool:
        """Whether new serves the route."""
        return await self.side() == "new"

    async def control(self) -> None:
        """Start the control plane again."""
        child = self.group.child("control plane")
        await self.group.start(
            "control plane",
            child.command,
            env=child.env,
            ready=answers(f"{self.place.admin}/ready"),
        )

    async def kill_control(self) -> None:
        """SIGKILL."""
        process = self.group.child("control plane").process
        assert process is not None
        process.send_signal(signal.SIGKILL)
        await process.wait()


# What starts the system keeps a client of its own open until it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_the_database_is_locked_killed_and_restored(tmp_path: Path) -> None:
    """trap 52, trap 51: traffic goes on through all of it, and ends on what the database says."""

    async def talk() -> None:
        async with Group(tmp_path / "logs") as group:
            whole = Whole(group, tmp_path)
            try:
                await whole.start()
                await _locked(whole)
                await _killed(whole)
                await _restored(whole, tmp_path / "copy.sqlite")
            finally:
                await whole.new.stop()
                await whole.legacy.stop()

    async with asyncio.timeout(100):
        await talk()


async def _locked(whole: Whole) -> None:
    await whole.flip("new")
    lock = sqlite3.connect(whole.place.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    pending = asyncio.create_task(whole.raw_flip("legacy"))
    await asyncio.sleep(1.0)
    assert await whole.side() == "new", "traffic goes on while a flip waits"
    lock.execute("ROLLBACK")
    lock.close()
    status = await pending
    assert status in (200, 503)
    begun = time.perf_counter()
    await whole.flip("legacy")
    took = (time.perf_counter() - begun) * 1_000
    assert await whole.side() == "legacy"
    words = f"nothing; a flip waits, then {status}"
    note("The database is locked for a second", words, "an audit entry once it is free", took)


async def _killed(whole: Whole) -> None:
    await whole.kill_control()
    assert await whole.side() == "legacy"
    begun = time.perf_counter()
    await whole.control()
    await whole.flip("new")
    assert await whole.on_new(), "the flip waited for a proxy that it had not heard of yet"
    took = (time.perf_counter() - begun) * 1_000
    note(
        "The control plane is killed and started again",
        "nothing",
        "events `control_plane_lost`, `control_plane_back`",
        took,
    )


async def _restored(whole: Whole, copy: Path) -> None:
    source = sqlite3.connect(whole.place.database)
    target = sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    await whole.flip("legacy")
    assert await whole.side() == "legacy"
    await whole.kill_control()
    await asyncio.to_thread(_put_back, copy, whole.place.database)
    begun = time.perf_counter()
    await whole.control()
    await until(whole.on_new, "the restored table is served", 30)
    took = (time.perf_counter() - begun) * 1_000
    note(
        "An older copy of the database is restored",
        "nothing; the restored table is served",
        "event `table_went_back`",
        took,
    )


def _put_back(copy: Path, database: Path) -> None:
    for name in ("-wal", "-shm"):
        Path(f"{database}{name}").unlink(missing_ok=True)
    shutil.copy(copy, database)
