"""B1: no reason that is typed keeps the kill switch from being pressed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from control_plane.plain_text import is_plain
from tests.support.command_line import command_line
from tests.support.control import Control

ODD = {
    "long": "it burns " * 100,
    "escapes": "it \x1b[2Jburns",
    "reorders": "it \u202eburns",
    "bytes": "it burns \udcff",
    "emoji": "🧑‍🚒 it burns",
}


@pytest.mark.parametrize("reason", ODD.values(), ids=ODD.keys())
async def test_an_odd_reason_is_kept_in_another_form(control: Control, reason: str) -> None:
    """It was refused with 422, and the switch stayed off."""
    await control.seed()
    async with command_line(control) as cli:
        done = await asyncio.to_thread(cli.run, "kill", "on", "-r", reason)
        assert done.exit_code == 0, (done.output, done.exception)
        assert ("kept in another form" in done.stdout) is (reason != ODD["emoji"])
    now = control.services.kill.current
    assert now.on
    assert "burns" in now.reason
    assert is_plain(now.reason)
    assert len(now.reason) <= 500


@pytest.mark.parametrize("reason", ODD.values(), ids=ODD.keys())
async def test_by_the_file_of_a_host(control: Control, reason: str, tmp_path: Path) -> None:
    """What no encoding holds ended in a traceback, behind the press."""
    async with command_line(control) as cli:
        words = ("kill", "on", "--local", "--state", str(tmp_path), "-r", reason)
        done = await asyncio.to_thread(cli.run, *words)
    assert getattr(done.exception, "code", 0) == 8, "no proxy runs there"
    assert "burns" in (tmp_path / "kill").read_text()
