"""A key that expires, or is revoked, in the middle of a command: what was done is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_plane.audit.entry import AuditEntry
from control_plane.auth.keys import ApiKey
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from control_plane.clock import now_ms
from control_plane.kill.service import KillService
from tests.support.command_line import Cli, command_line
from tests.support.control import Control
from tests.support.until import until


async def _waits(control: Control) -> None:
    """A proxy that is live, and takes no newer table."""
    now = control.services.state.current
    await control.ack("p1", now.revision, now.etag)


async def _made(control: Control, expires_ms: int | None = None) -> ApiKey:
    entry = AuditEntry("test", "", "key.create", "key")
    return await create_key(
        control.services.database,
        name="eve",
        role=Role.OPERATOR,
        entry=entry,
        expires_ms=expires_ms,
    )


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_flip_that_was_saved_is_told_of(control: Control, how: str) -> None:
    """It ended with 6, "Not allowed", as if nothing had been done: the flip was saved."""
    await control.seed()
    await _waits(control)
    key = await _made(control, now_ms() + 1_500 if how == "expired" else None)
    async with command_line(control) as admin:
        eve = Cli(admin.env["FIGWAY_ADMIN_URL"] + "/api/v1", str(key))
        words = ("flip", "orders", "shadow", "--wait", "--timeout", "8")
        told = asyncio.create_task(asyncio.to_thread(eve.run, *words))
        before = control.services.state.current.revision
        await until(lambda: control.services.state.current.revision > before, "the flip is saved")
        if how == "revoked":
            assert (await control.client.delete(f"/keys/{key.prefix}")).is_success
        error: Any = (await told).exception
        eve.api.close()
    saved = control.services.state.current.revision
    assert error.code == 8, error
    assert f"revision {saved} is saved; whether it is served everywhere is not known" in str(error)
    assert "key" in str(error).lower()


async def test_a_press_that_was_taken_is_told_of(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3: the same of the kill switch: it is on, and nobody is told that it was not allowed."""
    await control.seed()
    await _waits(control)
    key = await _made(control)
    press = KillService.press

    async def pressed(self: KillService, *args: Any, **more: Any) -> bool:
        done = await press(self, *args, **more)
        assert (await control.client.delete(f"/keys/{key.prefix}")).is_success
        return done

    monkeypatch.setattr(KillService, "press", pressed)
    async with command_line(control) as admin:
        eve = Cli(admin.env["FIGWAY_ADMIN_URL"] + "/api/v1", str(key))
        told = await asyncio.to_thread(eve.run, "kill", "on")
        eve.api.close()
    error: Any = told.exception
    assert error.code == 8, error
    assert "Kill switch on: the control plane took it" in told.stdout
    assert control.services.kill.current.on
