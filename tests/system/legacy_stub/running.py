"""The travel shop as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Running:
    """A shop that answers at `url`."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(*options: str) -> Iterator[Running]:
    """Start a shop on a free port; it is gone at the end, whatever happens."""
    command = [sys.executable, "-m", "legacy_stub", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Wayfarer 2.9 listens on http://"), line
            yield Running(line.split()[-1], process)
        finally:
            process.kill()
