"""The memory in which the workers of a proxy count what each legacy backend carries.

The supervisor makes it, and gives each backend of side legacy a place in it; workers inherit it as
a file without a name. Counts outlive a worker that dies, as they are about the backend.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from collections.abc import Iterable

from figway.serving.attempts.load import ROW, Load

BACKENDS = 256
"""Places; a backend beyond them counts for each worker alone."""
_NUMBER = 8  # bytes


def make_memory(workers: int) -> int:
    """A file descriptor of memory for so many workers. Raises OSError."""
    if sys.platform == "linux":
        fd = os.memfd_create("figway-load")
    else:
        fd, path = tempfile.mkstemp()
        os.unlink(path)
    os.ftruncate(fd, BACKENDS * workers * ROW * _NUMBER)
    return fd


class LoadMemory:
    """One process's view of the memory. A supervisor is `worker` 0, and writes nothing."""

    def __init__(self, fd: int, workers: int, worker: int = 0) -> None:
        self._map = mmap.mmap(fd, BACKENDS * workers * ROW * _NUMBER)
        self._cells = memoryview(self._map).cast("q")
        self._workers = workers
        self._worker = worker
        self.places: dict[str, int] = {}

    def assign(self, backends: Iterable[str]) -> bool:
        """Give places to backends, taking those of others that are gone; whether any is new."""
        wanted = set(backends)
        kept = {key: place for key, place in self.places.items() if key in wanted}
        free = sorted(set(range(BACKENDS)) - set(kept.values()), reverse=True)
        for key in sorted(wanted - kept.keys()):
            if free:
                kept[key] = free.pop()
        before, self.places = self.places, kept
        return before != kept

    def load(self, backend_id: str) -> Load | None:
        """The counts of a backend; None for one without a place."""
        place = self.places.get(backend_id)
        if place is None:
            return None
        return Load(self._cells, place * self._workers * ROW, self._workers, self._worker)

    def close(self) -> None:
        """Let go of it."""
        self._cells.release()
        with contextlib.suppress(BufferError):
            self._map.close()
