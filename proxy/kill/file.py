"""The kill switch of this host: while the file exists, every request goes to legacy.

It needs neither the control plane, nor its database, nor the supervisor: each worker looks by
itself, every `LOOK_MS`. `touch <state dir>/kill` pulls it; `rm` lets go. What the file holds
is for people: a reason, if they write one.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE = "kill"
LOOK_MS = 250
"""How often a worker looks; a pulled switch takes effect within a second."""


class KillFile:
    """The file of one proxy."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._name = os.fspath(self.path)
        self._last = False

    def look(self) -> bool:
        """Does it exist now? One system call.

        Where that cannot be told (a failing disk), what was true before stays true: an outage
        of the disk must neither pull the switch nor let go of it.
        """
        try:
            os.stat(self._name)
        except (FileNotFoundError, NotADirectoryError):
            self._last = False
        except OSError:
            return self._last
        else:
            self._last = True
        return self._last

    def pull(self, reason: str) -> None:
        """Create it. Raises `OSError`."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.write_text(reason + "\n", "utf-8")

    def release(self) -> None:
        """Remove it. Raises `OSError`."""
        self.path.unlink(missing_ok=True)
