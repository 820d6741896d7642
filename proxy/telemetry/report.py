"""Counters and events on their way to the control plane.

They are collected, sealed into batches at each report, and sent by an `Outbox`. Whatever is lost is
counted.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from proxy.control.outbox import Outbox, Row
from proxy.loop.operation_counts import OperationCounts
from proxy.telemetry.series import SeriesSet

MAX_BATCHES = 60
"""Batches kept apart; two minutes at the default interval."""
MAX_EVENTS = 1_000
"""Events kept in all."""


class ReportBatch:
    """What was counted between two moments, in milliseconds since the epoch."""

    __slots__ = ("events", "from_ms", "operations", "series", "to_ms")

    def __init__(self, from_ms: int) -> None:
        self.from_ms = from_ms
        self.to_ms = from_ms
        self.series = SeriesSet()
        self.operations = OperationCounts()
        self.events: list[Row] = []

    @property
    def empty(self) -> bool:
        return not len(self.series) and not self.events

    @property
    def size(self) -> int:
        """Bounded by the table, `MAX_EVENTS` and the bound of operations."""
        return 0

    def to_data(self) -> Row:
        data: Row = {"series": self.series.to_data(), "events": self.events}
        if operations := self.operations.to_data():
            data["operations"] = operations
        return data


def merged(one: ReportBatch, later: ReportBatch) -> ReportBatch:
    """One batch of two neighbours."""
    one.to_ms = later.to_ms
    one.series.merge(later.series.to_data())
    one.operations.merge(later.operations.to_data())
    one.events += later.events
    return one


class Reporter:
    """Collects, seals and sends."""

    def __init__(
        self,
        post: Callable[[Row], Awaitable[bool]],
        instance: str,
        boot: str,
        store: Path | None = None,
    ) -> None:
        self.outbox = Outbox(post, merged, instance, boot, most=MAX_BATCHES, store=store)
        self.dropped_events = 0
        self._open = ReportBatch(_now_ms())

    def add(
        self, rows: Iterable[Mapping[str, Any]], operations: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Take in rows that a worker counted: series, and operations."""
        self._open.series.merge(rows)
        self._open.operations.merge(operations)

    def event(self, event: Row) -> None:
        """Take in something that happened, such as a breaker that opened."""
        waiting = sum(len(item.events) for item in self.outbox.batches)
        if len(self._open.events) + waiting >= MAX_EVENTS:
            self.dropped_events += 1
        else:
            self._open.events.append(event)

    async def send(self) -> None:
        """Seal what was collected, and send all that waits. Raises `ControlError`."""
        self.seal()
        await self.outbox.send()

    def seal(self) -> None:
        """What was collected becomes a batch that waits."""
        now = _now_ms()
        if self._open.empty:
            self._open.from_ms = now
            return
        self._open.to_ms = max(now, self._open.from_ms)
        self.outbox.add(self._open)
        self._open = ReportBatch(now)


def _now_ms() -> int:
    return int(time.time() * 1000)
