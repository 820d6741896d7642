"""What a command prints may go anywhere: to a full disk, to a pipe that is closed, to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIGWAY = [sys.executable, "-c", "from control_plane.cli.main import main; main()"]


def run(line: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which `$F` is the command line."""
    command = " ".join(f"'{word}'" for word in FIGWAY)
    env = {**os.environ, "FIGWAY_CONTEXTS": f"{tmp_path}/c.json", "COLUMNS": "10"}
    return subprocess.run(
        ["bash", "-c", line.replace("$F", command)],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["schema", "keys generate", "completion bash"])
def test_a_full_disk_is_one_line(tmp_path: Path, words: str) -> None:
    """A report that cannot be written is said in a line, and ends with 1."""
    done = run(f"$F {words} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "2>&-", "<&-"])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    """A command run with its output closed does what it was asked for."""
    done = run(f"$F schema {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    """`| head`: no traceback."""
    done = run("$F schema | head -c 10", tmp_path)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
