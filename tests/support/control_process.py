"""The control plane as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(tmp_path: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A control plane process; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "control_plane"],
        env={
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "FIGWAY_STATE_DIR": str(tmp_path),
            "FIGWAY_ADMIN_LISTEN": "127.0.0.1:0",
            "FIGWAY_LOG_LEVEL": "warning",
            **env,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(process: subprocess.Popen[str]) -> tuple[str, str | None]:
    """Wait until it serves: the admin API's URL, and the key that it printed."""
    assert process.stdout is not None
    key = None
    for line in process.stdout:
        if "fgw_" in line:
            key = line.split()[-1]
        if line.startswith("Admin API on "):
            return line.split()[-1], key
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())
