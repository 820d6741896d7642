"""Starting, killing and reading the backends of `tests.suites.faults.backend`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from control_plane.cli.addresses import free_port


class Backend:
    """One backend process: on one port for life, with one journal over all its starts."""

    def __init__(self, side: str, folder: Path, work_ms: float = 15.0) -> None:
        self.side = side
        self.port = free_port(0)
        self.url = f"http://127.0.0.1:{self.port}"
        self._journal = folder / f"{side}.txt"
        self._work_ms = work_ms
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and return when it answers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.suites.faults.backend",
            "--port", str(self.port), "--side", self.side,
            "--journal", str(self._journal), "--work-ms", str(self._work_ms),
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """SIGKILL: no farewell."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it is there."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def executed(self) -> list[tuple[int, str, str]]:
        """When (epoch milliseconds), method, and last segment of everything executed."""
        if not self._journal.exists():
            return []
        found = []
        for line in self._journal.read_text().splitlines():
            at, method, name = line.split(" ")
            found.append((int(at), method, name))
        return found
