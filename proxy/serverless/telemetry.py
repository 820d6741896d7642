"""One line a request: the log line, and with it CloudWatch's embedded metrics (EMF).

CloudWatch makes metrics of a JSON line that says under `_aws` which of its members are one; so a
request costs one write, no call and no agent. Counters for the control plane are kept apart, and
leave with the captures. Source: AWS, "Specification: Embedded metric format".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import orjson

from proxy.loop.operation_counts import OperationCounts
from proxy.loop.record import RequestRecord
from proxy.telemetry.log_line import LogSample, log_line
from proxy.telemetry.series import SeriesSet

_METRICS = [
    {"Name": "Requests", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Fallbacks", "Unit": "Count"},
    {"Name": "HeadTime", "Unit": "Microseconds"},
]


class LambdaRecorder:
    """Implements `proxy.loop.record.Recorder`."""

    def __init__(self, *, log: bool, sample: float, query: bool, namespace: str) -> None:
        self.series = SeriesSet()
        self.operations = OperationCounts()
        """Of the runtime that tells this recorder."""
        self._log = log
        self._sample = LogSample(sample)
        self._query = query
        self._namespace = namespace

    def record(self, record: RequestRecord) -> None:
        """Count one request, and write its line."""
        self.series.count(record)
        if self._namespace:
            write(self._line(record))
        elif self._log and self._sample.takes(record):
            write(log_line(record, query=self._query))

    def _line(self, record: RequestRecord) -> bytes:
        """The log line with the metrics of the request; metrics are never sampled."""
        line = (
            log_line(record, query=self._query)
            if self._log and self._sample.takes(record)
            else b"{}"
        )
        metrics = {
            "_aws": {
                "Timestamp": record.started_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": [["Route", "Side"]],
                        "Metrics": _METRICS,
                    }
                ],
            },
            "Route": record.route,
            "Side": record.side,
            "Requests": 1,
            "Errors": int(record.status >= 500 or bool(record.problem)),
            "Fallbacks": int(bool(record.fallback)),
            "HeadTime": record.head_us,
        }
        tail = orjson.dumps(metrics)[1:]
        head = line.rstrip(b"\n")[:-1]
        return head + (b"," if len(head) > 1 else b"") + tail + b"\n"


class Reports:
    """Batches of counters and events, as the control plane takes them."""

    def __init__(self, recorder: LambdaRecorder, instance: str, boot: str, every_s: float) -> None:
        self._recorder = recorder
        self._instance = instance
        self._boot = boot
        self._every_s = every_s
        self._sequence = 0
        self._from = 0.0
        self._events: list[dict[str, Any]] = []
        self.serves = ""
        """ETag of the table that this sandbox serves; nobody here acknowledges it otherwise."""
        self._sending: dict[str, Any] | None = None

    def event(self, event: dict[str, Any]) -> None:
        """Something happened, such as a breaker that opened."""
        self._events.append(event)
        del self._events[:-100]

    def due(
        self, now: float, shadow: Callable[[], list[dict[str, Any]]], *, urgent: bool = False
    ) -> dict[str, Any] | None:
        """A batch to be sent now, or None. `shadow` takes the rows of the shadow's counts."""
        if not self._from:
            self._from = now
        if self._sending is None:
            waited = now - self._from >= self._every_s or now < self._from
            something = bool(len(self._recorder.series) or self._events)
            if not something or not (waited or urgent or self._events):
                return None
            self._sequence += 1
            self._recorder.series.merge(self._recorder.operations.take_faults())
            self._sending = {
                "instance": self._instance,
                "boot": self._boot,
                "serves": self.serves,
                "sequence": self._sequence,
                "from_ms": int(self._from * 1_000),
                "to_ms": int(now * 1_000),
                "series": self._recorder.series.take(),
                "events": self._events,
                "operations": self._recorder.operations.take(),
                "shadow": shadow(),
            }
            self._events, self._from = [], now
        return self._sending

    def told(self, arrived: bool) -> None:
        """Whether the batch arrived; one that did not keeps its number, and goes again."""
        if arrived:
            self._sending = None


def write(line: bytes) -> None:
    """Write a whole line to what the platform reads; a closed pipe stops no request."""
    try:
        sys.stdout.write(line.decode("utf-8"))
        sys.stdout.flush()
    except (OSError, ValueError):
        return
