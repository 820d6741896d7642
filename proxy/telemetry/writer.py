"""Off the path: a thread that takes finished records, and writes log lines or spans.

The request's own thread appends to a bounded queue and goes on; a reader of standard output that
hangs costs lines, which are counted, and never a request.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

from proxy.loop.record import RequestRecord
from proxy.telemetry.log_line import log_line

CAPACITY = 20_000
"""Records that wait for the writer; more are dropped and counted."""
INTERVAL_S = 0.1
_CHUNK = 4_096  # PIPE_BUF on Linux: a write of this size is never interleaved

Export = Callable[[RequestRecord], None]
"""Takes a record on the writer's thread; used by the OpenTelemetry export."""


class RecordWriter:
    """Owns the thread. `dropped` counts records that were neither written nor exported."""

    def __init__(
        self,
        *,
        fd: int | None,
        query: bool = False,
        export: Export | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self._fd = fd
        self._query = query
        self._export = export
        self._capacity = capacity
        self._queue: deque[RequestRecord] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="figway-records", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, record: RequestRecord) -> None:
        """Queue a record, or drop it when the writer cannot keep up."""
        if len(self._queue) >= self._capacity:
            self.dropped += 1
        else:
            self._queue.append(record)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is queued and end, within a bound: a reader may hang."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        lines: list[bytes] = []
        size = 0
        for _ in range(len(self._queue)):
            record = self._queue.popleft()
            if self._export is not None:
                with contextlib.suppress(Exception):  # an exporter's fault is not the request's
                    self._export(record)
            if self._fd is None:
                continue
            line = log_line(record, query=self._query)
            if size + len(line) > _CHUNK and lines:
                self._write(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        assert self._fd is not None
        data = memoryview(b"".join(lines))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self.dropped += len(lines)
