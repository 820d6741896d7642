"""Counters and events on their way to the control plane, in numbered batches.

A batch keeps its number and its content until the control plane has taken it, so that a repeat
after a lost answer counts once. While the control plane is away batches pile up to a bound; then
the oldest waiting ones are merged: time gets coarser, counts stay exact. Whatever is lost in spite
of that is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from proxy.control.client import ControlError
from proxy.telemetry.series import SeriesSet

MAX_BATCHES = 60
"""Batches kept apart; two minutes at the default interval."""
MAX_EVENTS = 1_000
"""Events kept in all."""


class _Control(Protocol):
    async def report(self, batch: dict[str, Any]) -> bool:
        """Send a batch."""


class Batch:
    """What was counted between two moments, in milliseconds since the epoch."""

    __slots__ = ("events", "from_ms", "sequence", "series", "to_ms")

    def __init__(self, from_ms: int) -> None:
        self.from_ms = from_ms
        self.to_ms = from_ms
        self.sequence = 0  # given when it is first sent
        self.series = SeriesSet()
        self.events: list[dict[str, Any]] = []

    @property
    def empty(self) -> bool:
        return not len(self.series) and not self.events

    def absorb(self, later: Batch) -> None:
        """Take in the batch that follows this one."""
        self.to_ms = later.to_ms
        self.series.merge(later.series.to_data())
        self.events += later.events


class Reporter:
    """Collects, seals and sends. `dropped_batches` and `dropped_events` count what was lost."""

    def __init__(self, control: _Control, instance: str, boot: str) -> None:
        self._control = control
        self._instance = instance
        self._boot = boot
        self._sequence = 0
        self._open = Batch(_now_ms())
        self._waiting: deque[Batch] = deque()
        self.dropped_batches = 0
        self.dropped_events = 0
        self.sent_batches = 0

    @property
    def backlog(self) -> int:
        """Batches that wait."""
        return len(self._waiting)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in rows that a worker counted."""
        self._open.series.merge(rows)

    def event(self, event: dict[str, Any]) -> None:
        """Take in something that happened, such as a breaker that opened."""
        if len(self._open.events) + sum(len(item.events) for item in self._waiting) >= MAX_EVENTS:
            self.dropped_events += 1
        else:
            self._open.events.append(event)

    async def send(self) -> None:
        """Seal what was collected, and send all that waits. Raises `ControlError`."""
        self._seal()
        while self._waiting:
            batch = self._waiting[0]
            if not batch.sequence:
                self._sequence += 1
                batch.sequence = self._sequence
            try:
                await self._control.report(self._data(batch))
            except ControlError as error:
                if not error.rejected:
                    raise
                self.dropped_batches += 1
                self._drop(batch)
                raise
            self.sent_batches += 1
            self._drop(batch)

    def _drop(self, batch: Batch) -> None:
        if self._waiting and self._waiting[0] is batch:
            self._waiting.popleft()

    def _seal(self) -> None:
        now = _now_ms()
        if self._open.empty:
            self._open.from_ms = now
            return
        self._open.to_ms = max(now, self._open.from_ms)
        self._waiting.append(self._open)
        self._open = Batch(now)
        if len(self._waiting) > MAX_BATCHES:
            # The first may have been sent already, with its answer lost: it must stay as it is.
            first, second, third = (self._waiting.popleft() for _ in range(3))
            second.absorb(third)
            self._waiting.extendleft((second, first))

    def _data(self, batch: Batch) -> dict[str, Any]:
        return {
            "instance": self._instance,
            "boot": self._boot,
            "sequence": batch.sequence,
            "from_ms": batch.from_ms,
            "to_ms": batch.to_ms,
            "series": batch.series.to_data(),
            "events": batch.events,
        }


def _now_ms() -> int:
    return int(time.time() * 1000)
