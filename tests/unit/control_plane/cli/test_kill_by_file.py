"""The kill file says what it does: whether a proxy that runs will see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.cli import kill
from control_plane.cli.errors import CliError, Exit
from proxy.processes.state_lock import FILE, StateLock


def test_a_folder_that_a_proxy_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """B3: a proxy that runs takes it up."""
    assert kill._LOCK == FILE
    lock = StateLock(tmp_path)
    lock.take()
    try:
        kill._by_file(tmp_path, "r")
        assert "sends everything to legacy" in capsys.readouterr().out
    finally:
        lock.release()


def test_a_folder_that_nobody_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """B3: the file of another folder is no success: it is set, and the command ends with 8."""
    with pytest.raises(CliError, match="no running proxy holds") as raised:
        kill._by_file(tmp_path, "r")
    assert raised.value.code is Exit.NOT_APPLIED
    assert (tmp_path / "kill").read_text() == "r\n"
    assert "sends everything to legacy" not in capsys.readouterr().out
    StateLock(tmp_path).take()  # looking holds nothing
