"""Comparisons on their way to the control plane, in numbered batches.

As with reports, a batch keeps its number and its content until the control plane has taken it, so
that a repeat after a lost answer counts once. While the control plane is away batches pile up to a
bound in number and bytes; then the waiting ones are merged without their examples: the counts stay
exact, and what is lost is counted.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, Protocol

import orjson

from proxy.control.client import ControlError
from proxy.shadow.rows import RowSet

MAX_BATCHES = 30
MAX_BYTES = 32 * 1024 * 1024
"""Of all batches that wait."""
MAX_BATCH = 4 * 1024 * 1024
"""Of one batch; examples beyond it are left out, and counted."""
MAX_ROUTES = 1_000
"""Rows of one batch; the rest goes into the next."""


class Control(Protocol):
    """What is asked of the control plane."""

    async def comparisons(self, batch: dict[str, Any]) -> bool:
        """Take a batch; False if it had been counted before. Raises `ControlError`."""


class _Batch:
    __slots__ = ("from_ms", "rows", "sequence", "size", "to_ms")

    def __init__(self, from_ms: int, to_ms: int, rows: list[dict[str, Any]], size: int) -> None:
        self.from_ms = from_ms
        self.to_ms = to_ms
        self.rows = rows
        self.size = size
        self.sequence = 0  # given when it is first sent


class Batches:
    """Collects rows in `open`, seals and sends them."""

    def __init__(self, control: Control, instance: str, boot: str) -> None:
        self.open = RowSet()
        self.worker: dict[str, Any] = {"paused": [], "queue": {}}
        """The last word of the shadow worker on itself."""
        self.examples_lost = 0
        self.dropped_batches = 0
        self.totals: Counter[tuple[str, str]] = Counter()
        """Since the start: (`verdict`, which) and (`dropped`, why)."""
        self._control = control
        self._instance = instance
        self._boot = boot
        self._sequence = 0
        self._from_ms = _now_ms()
        self._waiting: deque[_Batch] = deque()
        self._told_paused = False

    @property
    def backlog(self) -> int:
        """Batches that wait."""
        return len(self._waiting)

    async def send(self) -> None:
        """Seal what was collected, and send all that waits. Raises `ControlError`."""
        self._seal()
        while self._waiting:
            batch = self._waiting[0]
            if not batch.sequence:
                self._sequence += 1
                batch.sequence = self._sequence
            try:
                await self._control.comparisons(self._data(batch))
            except ControlError as error:
                if not error.rejected:
                    raise
                self.dropped_batches += 1
                self._drop(batch)
                raise
            self._drop(batch)

    def _drop(self, batch: _Batch) -> None:
        if self._waiting and self._waiting[0] is batch:
            self._waiting.popleft()

    def _seal(self) -> None:
        now = _now_ms()
        found, paused = self.open.found, bool(self.worker["paused"])
        if found or paused or self._told_paused:
            # A pause, and its end, are told also while nothing is compared.
            self._told_paused = paused
            rows = [found.pop(key).to_data() for key in list(found)[:MAX_ROUTES]]
            for row in rows:
                self._count(row)
            self._append(_Batch(self._from_ms, max(now, self._from_ms), rows, 0))
        self._from_ms = now

    def _count(self, row: dict[str, Any]) -> None:
        for name, kind in (("verdicts", "verdict"), ("dropped", "dropped")):
            for which, number in row[name].items():
                self.totals[kind, which] += number

    def _append(self, batch: _Batch) -> None:
        batch.size = len(orjson.dumps(batch.rows, option=orjson.OPT_NON_STR_KEYS))
        if batch.size > MAX_BATCH:
            self._without_examples(batch, MAX_BATCH)
        self._waiting.append(batch)
        while len(self._waiting) > MAX_BATCHES or (
            len(self._waiting) > 2 and sum(item.size for item in self._waiting) > MAX_BYTES
        ):
            # The first may have been sent already, with its answer lost: it must stay as it is.
            first, second, third = (self._waiting.popleft() for _ in range(3))
            self._waiting.extendleft((self._merged(second, third), first))

    def _without_examples(self, batch: _Batch, most: int) -> None:
        for row in batch.rows:
            while row["examples"] and batch.size > most:
                example = row["examples"].pop()
                batch.size -= len(orjson.dumps(example))
                self.examples_lost += 1

    def _merged(self, one: _Batch, other: _Batch) -> _Batch:
        self._without_examples(one, 0)
        self._without_examples(other, 0)
        rows = RowSet()
        rows.merge(one.rows)
        rows.merge(other.rows)
        data = rows.to_data()
        size = len(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS))
        return _Batch(one.from_ms, other.to_ms, data, size)

    def _data(self, batch: _Batch) -> dict[str, Any]:
        return {
            "instance": self._instance,
            "boot": self._boot,
            "sequence": batch.sequence,
            "from_ms": batch.from_ms,
            "to_ms": batch.to_ms,
            "routes": batch.rows,
            "worker": self.worker,
        }


def _now_ms() -> int:
    return int(time.time() * 1000)
