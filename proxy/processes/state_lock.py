"""One proxy a state folder: a lock that its supervisor holds for as long as it lives.

Two proxies in one folder would overwrite each other's last good table, and a cold start would serve
the other one's. Workers do not inherit the lock, so a supervisor that was killed leaves it free.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

FILE = "proxy.lock"
_PAUSE_S = 0.05


class StateLocked(OSError):
    """Another proxy uses the folder. The text is one line that says what to do."""


class StateLock:
    """Holds the folder. Where a lock cannot be made (a read-only disk), nothing is held."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._fd = -1

    def take(self, wait_s: float = 0.0) -> None:
        """Take the lock, waiting so long for whoever hands over. Raises `StateLocked`."""
        fd = self._open()
        if fd < 0:
            return
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                    os.close(fd)
                    raise StateLocked(self._explain(holder)) from None
                time.sleep(_PAUSE_S)
            except OSError:  # a file system without locks
                os.close(fd)
                return
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError:
            return -1

    def _explain(self, holder: str) -> str:
        return (
            f"the state folder {self._path.parent} is in use by another proxy (process {holder}). "
            "Give this one a folder of its own with FIGWAY_STATE_DIR, or set FIGWAY_TAKE_OVER=true "
            "to take over from the other one."
        )
