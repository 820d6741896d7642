"""The small supervisor of `figway up`: what it keeps of what its processes print."""

from __future__ import annotations

from pathlib import Path

from control_plane.cli.processes import BoundedLog


def test_a_log_is_private_and_bounded(tmp_path: Path) -> None:
    """S1: a proxy writes a line for each request; a month of them must not fill the disk."""
    path = tmp_path / "proxy.log"
    log = BoundedLog(path, limit=1_000)
    for number in range(500):
        log.write(f"line {number}")
    log.close()
    old = tmp_path / "proxy.log.1"
    kept = (old.read_text() + path.read_text()).splitlines()
    assert kept[-1] == "line 499"
    assert kept == [f"line {number}" for number in range(500 - len(kept), 500)]
    assert path.stat().st_size <= old.stat().st_size <= 1_020
    assert {item.stat().st_mode & 0o777 for item in (path, old)} == {0o600}
    BoundedLog(path).close()
    assert path.read_text().endswith("line 499\n"), "a restart goes on"


def test_a_full_disk_stops_nobody() -> None:
    """S1: lines are lost, and the process that prints them is read on."""
    log = BoundedLog(Path("/dev/full"))
    log.write("line")
    log.close()
