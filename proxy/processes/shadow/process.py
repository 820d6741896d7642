"""The shadow worker's process and the place where it listens.

Its listening socket belongs to the supervisor, in a directory that only this user may enter, so a
serving worker finds it at the same place whichever generation of the shadow worker listens.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.child import Child, ChildSpec, Owner

SPEC = ChildSpec(
    "proxy.processes.shadow.worker",
    "shadow_worker",
    "The shadow worker",
    hung_after=5,
    killed_after=20,
    note="Traffic is served as before.",
)
_MARGIN_S = 2.0


class ShadowProcess:
    """One shadow worker at a time."""

    def __init__(self, owner: Owner, log: EventLog, keeper: TaskKeeper) -> None:
        self.child = Child(SPEC, owner, log, keeper)
        self._directory = ""
        self._listener: socket.socket | None = None

    @property
    def path(self) -> str:
        """Where it listens; empty before it was wanted."""
        return str(Path(self._directory, "shadow")) if self._directory else ""

    def begin(self) -> None:
        """Start it, and look after it from then on. Raises OSError without a place to listen."""
        if self._listener is None:
            self.child.begin(self._listen())

    async def drain(self, timeout_s: float) -> None:
        """Let it finish what came in, then end it."""
        await self.child.drain(timeout_s, _MARGIN_S)
        self._close()

    def _close(self) -> None:
        """Leave nothing behind."""
        self.child.kill()
        if self._listener is not None:
            self._listener.close()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _listen(self) -> socket.socket:
        # Not the state directory: a path of a Unix socket has room for about a hundred bytes.
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        usable = runtime and os.access(runtime, os.W_OK) and len(runtime) < 60
        self._directory = tempfile.mkdtemp(prefix="figway-", dir=runtime if usable else None)
        self._listener = listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen(256)
        return listener
