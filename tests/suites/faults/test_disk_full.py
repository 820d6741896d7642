"""The disk is full when the last good table is to be written."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path

from figway.model.change import flip
from figway.model.table import Stage, Table
from tests.suites.faults.arena import Arena, play
from tests.suites.faults.rows import note
from tests.support.until import until


def flipped(table: Table, stage: Stage) -> Table:
    """The table with its moved route in another stage."""
    routes = {**table.routes, "moved": flip(table.routes["moved"], stage=stage)}
    return replace(table, routes=routes)


def test_the_disk_is_full(tmp_path: Path) -> None:
    """trap 53: the flip is served all the same, and the fault is said; the old file stays whole."""

    async def talk(arena: Arena) -> None:
        before = (tmp_path / "table.json").read_bytes()
        pid = arena.proxy.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (64, limits[1]))
        await arena.publish(flipped(arena.control.table, Stage.LEGACY))
        assert (await arena.ask()).side == "legacy"
        await until(lambda: arena.proxy.event("last_good_not_kept"), "it is said")
        assert await arena.proxy.metric("figway_table_kept") == 0
        assert (tmp_path / "table.json").read_bytes() == before
        assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        await arena.publish(flipped(arena.control.table, Stage.NEW))
        assert (await arena.ask()).side == "new"
        await until(lambda: (tmp_path / "table.json").read_bytes() != before, "kept again")
        assert await arena.proxy.metric("figway_table_kept") == 1
        note(
            "Disk full when the last good table is written",
            "nothing; the flip is served",
            "event `last_good_not_kept`, `figway_table_kept 0`",
        )

    play(talk, tmp_path)


def test_the_disk_is_full_when_the_switch_is_pressed(tmp_path: Path) -> None:
    """B1: everything goes to legacy all the same; that it would not outlast a restart is said."""

    async def talk(arena: Arena) -> None:
        pid = arena.proxy.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4, limits[1]))
        arena.control.press(True)
        await until(lambda: arena.proxy.event("kill_switch"), "it hears of it")
        seen = await arena.ask()
        assert seen.side == "legacy"
        await until(lambda: arena.proxy.event("kill_not_kept"), "it is said")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        arena.control.press(False)
        await until(lambda: _serves(arena, "new"), "the routes decide again")
        arena.control.press(True)
        await until(lambda: _serves(arena, "legacy"), "it holds")
        note(
            "Disk full when the kill switch is pressed",
            "nothing; everything goes to legacy",
            "event `kill_not_kept`",
        )

    play(talk, tmp_path)


async def _serves(arena: Arena, side: str) -> bool:
    return (await arena.ask()).side == side
