"""A database that takes no writes: a full disk, or a replica after a failover."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.auth import service
from control_plane.kill.service import KillService
from tests.support.control import Control

OTHERS_END = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@asynccontextmanager
async def full() -> AsyncIterator[AsyncConnection]:
    raise OperationalError("INSERT", {}, Exception("database or disk is full"))
    yield


async def test_a_full_disk_keeps_nobody_from_the_switch(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3, T2: noting that a key was used is a write; with it every call failed, the kill switch and
    the proxies' table among them."""
    await control.seed()
    monkeypatch.setattr(service, "_TOUCH_MS", 0)
    control.services.auth._checked.clear()
    monkeypatch.setattr(control.services.database, "write", full)
    assert (await control.client.get("/table")).status_code == 200
    answer = await control.post("/kill", {"on": True, "reason": "r"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["stored"] is False
    assert (await control.client.get("/table")).headers["figway-kill"] == "on"
    refused = await control.flip(100)
    assert refused.status_code == 503
    assert "Its disk is full" in refused.text
    monkeypatch.undo()
    assert isinstance(control.services.kill, KillService)
    assert (await control.flip(100)).status_code == 200


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_replica_that_takes_no_writes(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T4: PostgreSQL says so itself: 503 for what has to be written, all else goes on."""
    await control.seed()
    database = control.services.database
    name = database.url.database
    async with database.write() as connection:
        await connection.execute(
            text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        )
    # Sessions hear of it when they begin. What is checked out at this moment is closed in its turn.
    async with database.read() as connection:
        await connection.execute(text(OTHERS_END))
    monkeypatch.setattr(service, "_TOUCH_MS", 0)
    control.services.auth._checked.clear()
    assert (await control.client.get("/routes/orders")).status_code == 200
    refused = await control.flip(100)
    assert refused.status_code == 503, refused.text
    assert "The database takes no writes" in refused.text
    assert "It is read-only" in refused.text
    answer = await control.post("/kill", {"on": True, "reason": "r"})
    assert (answer.status_code, answer.json()["stored"]) == (200, False)
