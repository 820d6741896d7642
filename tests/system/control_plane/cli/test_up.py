"""`figway up`: starting, starting again, stopping, and what may stand in its way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from control_plane.cli import up
from control_plane.cli.errors import Exit
from control_plane.cli.processes import Child, Group, ProcessFailed
from control_plane.cli.up import CONTROL_PLANE, Place, watch
from tests.support.installation import Installation, installation
from tests.support.until import until
from tests.support.wire import backend


@pytest.fixture
def figway(tmp_path: Path, legacy: str) -> Iterator[Installation]:
    """An installation that is not started yet."""
    with installation(tmp_path, legacy) as found:
        yield found


def refused(figway: Installation, code: int, *words: str) -> None:
    """It ends by itself: this code, one line that holds `words`, one hint at most, nothing left."""
    assert figway.process is not None
    figway.process.wait(90)
    assert figway.stop() == code, figway.text
    told = [line for line in figway.lines if line.startswith("error: ")]
    assert len(told) == 1, figway.text
    after = figway.lines[figway.lines.index(told[0]) + 1 :]
    assert len(after) <= 1, figway.text
    assert "Traceback" not in figway.text
    for word in words:
        assert word in figway.text, (word, figway.text)
    assert gone(figway), figway.processes()


def gone(figway: Installation, seconds: float = 5.0) -> bool:
    """Is every process of the installation gone?"""
    until = time.monotonic() + seconds
    while figway.processes() and time.monotonic() < until:
        time.sleep(0.05)
    return not figway.processes()


def test_a_second_start_goes_on_where_the_first_was(figway: Installation, new: str) -> None:
    """Same data, no key printed; a third with another legacy says what to do; nothing is lost."""
    figway.start()
    assert "Starting control plane ..." in figway.text, "use 1: seconds of silence"
    assert "Starting proxy ..." in figway.text
    assert "Admin key, shown once" in figway.text
    assert requests.get(figway.facade, timeout=5).headers["answered-by"] == "legacy"
    figway.ok("backends", "set", "fn", "--side", "new", "--url", new)
    figway.ok("routes", "set", "orders", "--path", "/orders", "--new", "fn")
    figway.ok("flip", "orders", "new", "--yes", "--wait")
    assert figway.stop() == 0
    assert gone(figway)
    figway.start()
    assert "fgw_" not in figway.text
    assert "figway keys create ME --role admin --database sqlite:///" in figway.text
    assert figway.side("/orders") == "new"
    other = Installation(figway.folder, figway.legacy)
    other.begin()
    assert other.process is not None
    assert other.process.wait(60) == other.stop() == Exit.FAILED
    assert "another figway runs in" in other.text
    assert figway.side("/orders") == "new"
    assert figway.stop() == 0
    figway.begin(legacy=new)
    refused(figway, Exit.CONFLICT, f"has legacy at {figway.legacy}", "figway backends set legacy")


def test_the_kill_switch_works_with_the_control_plane_dead(figway: Installation, new: str) -> None:
    """trap 52: `figway kill on` falls back to the file of the proxy on this host."""
    figway.state = figway.folder / ".figway"  # where it is looked for, unless told otherwise
    figway.start()
    figway.ok("backends", "set", "fn", "--side", "new", "--url", new)
    figway.ok("routes", "set", "orders", "--path", "/orders", "--new", "fn")
    figway.ok("flip", "orders", "new", "--yes", "--wait")
    assert figway.side("/orders") == "new"
    down = {"FIGWAY_ADMIN_URL": "http://127.0.0.1:1"}
    done = figway.run("kill", "on", **down)
    assert done.code == Exit.NOT_APPLIED, "nobody knows what other proxies do"
    assert "does not answer" in done.out
    assert "Undo: figway kill off --local" in done.out
    assert "only the proxy on this host was switched" in done.err
    until = time.monotonic() + 10
    while figway.side("/orders") != "legacy":
        assert time.monotonic() < until
        time.sleep(0.05)
    figway.ok("kill", "off", "--local", **down)
    until = time.monotonic() + 10
    while figway.side("/orders") != "new":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert figway.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_while_starting_leaves_nothing_behind(
    figway: Installation, number: signal.Signals
) -> None:
    """Asked to stop, it stops: code 0, no process left, and the key of a first start was shown."""
    figway.begin()
    database = figway.state / "control" / "figway.sqlite3"
    until = time.monotonic() + 60
    while not database.exists():
        assert time.monotonic() < until, figway.text
        time.sleep(0.01)
    assert figway.stop(number) == 0, figway.text
    assert "Admin key, shown once" in figway.text
    assert gone(figway), figway.processes()


def test_a_second_ctrl_c_leaves_nothing_behind_either(figway: Installation) -> None:
    """Impatience does not orphan the children."""
    figway.start()
    assert figway.process is not None
    figway.process.send_signal(signal.SIGINT)
    figway.wait_for("Stopping")
    if figway.process.poll() is None:
        figway.process.send_signal(signal.SIGINT)
    assert figway.stop() == 0, figway.text
    assert gone(figway), figway.processes()


def test_legacy_that_is_away(figway: Installation) -> None:
    """Refused with what to do; --no-check starts all the same."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{probe.getsockname()[1]}"
    figway.begin(legacy=away)
    refused(figway, Exit.FAILED, f"nothing answers at {away}", "--no-check")
    assert not figway.state.exists()
    figway.begin(legacy="nonsense")
    refused(figway, Exit.USAGE, "is not a URL", "--legacy http://127.0.0.1:8000")


@pytest.mark.parametrize("option", ["--listen", "--admin", "--private"])
def test_a_used_port_is_named(figway: Installation, option: str) -> None:
    """Whichever of the three it is, the option to change is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        figway.begin(option, address)
        refused(figway, Exit.FAILED, f"{option} {address} cannot be used", "in use")
    figway.begin(option, "nonsense")
    refused(figway, Exit.USAGE, "is not host:port")


def test_a_database_that_is_none_is_told_with_its_folder(figway: Installation) -> None:
    """The message named a setting alone that nobody who types `figway up` has."""
    control = figway.state / "control"
    control.mkdir(parents=True)
    (control / "figway.sqlite3").write_bytes(b"no database " * 500)
    figway.begin()
    refused(figway, Exit.FAILED, "file is not a database", "--state FOLDER")


def test_a_database_of_a_newer_release_is_left_alone(figway: Installation) -> None:
    """One line, and everything in it is as it was."""
    database = figway.state / "control" / "figway.sqlite3"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999_from_the_future')")
    connection.close()
    figway.begin()
    refused(figway, Exit.FAILED, "newer release", "nothing was touched")
    with sqlite3.connect(database) as connection:
        assert [*connection.iterdump()][1:-1] == [
            "CREATE TABLE alembic_version (version_num TEXT);",
            "INSERT INTO \"alembic_version\" VALUES('9999_from_the_future');",
        ]
    connection.close()


def test_an_applications_own_database_is_not_touched(figway: Installation, tmp_path: Path) -> None:
    """DATABASE_URL is likely to be the application's: up keeps its own."""
    theirs = tmp_path / "theirs.sqlite3"
    figway.start(DATABASE_URL=f"sqlite:///{theirs}")
    assert not theirs.exists()
    assert (figway.state / "control" / "figway.sqlite3").exists()
    assert figway.stop() == 0


def control_plane_of(figway: Installation) -> set[int]:
    """The control plane's process."""
    words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in figway.processes()}
    return {pid for pid, line in words.items() if b"\0control_plane\0" in line}


@pytest.mark.timeout(300)
def test_a_dead_control_plane_is_started_again(figway: Installation) -> None:
    """B7: the facade serves on, and the next change goes through."""
    figway.start()
    (before,) = control_plane_of(figway)
    os.kill(before, signal.SIGKILL)
    assert figway.side("/orders") == "legacy"
    until = time.monotonic() + 150
    while "The control plane is back." not in figway.text:
        assert figway.side("/orders") == "legacy"
        assert time.monotonic() < until, figway.text
        time.sleep(0.1)
    assert "The facade serves on" in figway.text
    assert control_plane_of(figway) != {before}
    figway.ok("backends", "set", "fn", "--side", "new", "--url", "http://127.0.0.1:1")
    assert figway.stop() == 0
    assert gone(figway)


def _child(words: str) -> list[str]:
    return [sys.executable, "-c", words]


async def test_a_slow_control_plane_is_waited_for_and_a_dead_proxy_noticed(tmp_path: Path) -> None:
    """B7: on a busy machine a start takes minutes; nobody gives up on it, and meanwhile a proxy
    that ends is no secret."""
    begun = tmp_path / "begun"

    async def at_once(_: Child) -> bool:
        return True

    async with Group(tmp_path / "logs") as group:
        plane = await group.start(CONTROL_PLANE, _child("pass"), ready=at_once)
        plane.command = _child(f"open({str(begun)!r}, 'w'); import time; time.sleep(60)")
        proxy = await group.start("proxy", _child("import time; time.sleep(60)"), ready=at_once)
        keeping = asyncio.Task(watch(group, Place(tmp_path, *["127.0.0.1:1"] * 3)))
        await until(begun.exists, "the control plane is started again, and never ready")
        assert not keeping.done()
        assert proxy.process is not None
        proxy.process.kill()
        with pytest.raises(ProcessFailed, match="proxy ended"):
            await asyncio.wait_for(keeping, 10)


async def test_a_control_plane_that_cannot_be_started_ends_nothing_else(tmp_path: Path) -> None:
    """B7: no memory or no processes left for it; it is tried again, and stops in its place."""

    async def at_once(_: Child) -> bool:
        return True

    async with Group(tmp_path / "logs") as group:
        plane = await group.start(CONTROL_PLANE, _child("pass"), ready=at_once)
        await group.start("proxy", _child("import time; time.sleep(60)"), ready=at_once)
        plane.command = [str(tmp_path / "not-there")]
        for _ in range(2):
            with pytest.raises(ProcessFailed, match="cannot be started"):
                await group.again(plane, at_once)
        plane.command = _child("import time; time.sleep(60)")
        await group.again(plane, at_once)
        assert [child.name for child in group._children] == [CONTROL_PLANE, "proxy"]


async def test_a_control_plane_that_hangs_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B7: stopped or deadlocked it answers nothing, and does not end by itself."""
    monkeypatch.setattr(up, "LOOK_S", 0.05)

    async def at_once(_: Child) -> bool:
        return True

    async with Group(tmp_path / "logs") as group:
        plane = await group.start(
            CONTROL_PLANE, _child("import time; time.sleep(60)"), ready=at_once
        )
        await group.start("proxy", _child("import time; time.sleep(60)"), ready=at_once)
        assert plane.process is not None
        first = plane.process
        first.send_signal(signal.SIGSTOP)
        keeping = asyncio.Task(watch(group, Place(tmp_path, *["127.0.0.1:1"] * 3)))
        try:
            await until(lambda: plane.process is not first, "another one is started")
            assert first.returncode == -signal.SIGKILL
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


def test_a_dry_look_starts_nothing(figway: Installation) -> None:
    """W14: what would be refused is told beforehand, and the exit code says so."""
    with backend(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as legacy:
        figway.begin("--check", legacy=f"http://127.0.0.1:{legacy.port}")
        assert figway.process is not None
        figway.process.wait(90)
        assert figway.stop() == 0, figway.text
        assert "Nothing was started" in figway.text
    with backend(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") as legacy:
        figway.begin("--check", legacy=f"http://127.0.0.1:{legacy.port}")
        refused(figway, Exit.REFUSED, "would be refused with 502", "routing.md")
    assert not figway.state.exists()
