"""The recorder of one worker: counts each request, and passes it to the writer if it is sampled."""

from __future__ import annotations

from typing import Any

from proxy.loop.record import RequestRecord
from proxy.telemetry.decisions import DecisionSample
from proxy.telemetry.log_line import LogSample
from proxy.telemetry.series import SeriesSet
from proxy.telemetry.writer import RecordWriter


class WorkerRecorder:
    """Implements `proxy.loop.record.Recorder`. What was counted is taken away by `take`."""

    __slots__ = ("_sample", "_writer", "decisions", "series")

    def __init__(self, writer: RecordWriter | None, sample: float = 1.0) -> None:
        self._writer = writer
        self._sample = LogSample(sample)
        self.series = SeriesSet()
        self.decisions = DecisionSample()

    def record(self, record: RequestRecord) -> None:
        """Take one finished request."""
        self.series.count(record)
        if self.decisions.left:
            self.decisions.offer(record)
        if self._writer is not None and self._sample.takes(record):
            self._writer.put(record)

    @property
    def log_dropped(self) -> int:
        """Records that the writer dropped."""
        return 0 if self._writer is None else self._writer.dropped

    def take(self) -> list[dict[str, Any]]:
        """Rows counted since the last call."""
        return self.series.take()
