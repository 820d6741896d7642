"""Comparisons on their way to the control plane.

Rows are collected, sealed into batches, and sent by an `Outbox`. Batches that are merged lose their
examples: the counts stay exact, and what is lost is counted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from proxy.control.outbox import Outbox, Row
from proxy.shadow.rows import RowSet

MAX_BATCHES = 30
MAX_BYTES = 32 * 1024 * 1024
"""Of all batches that wait."""
MAX_BATCH = 4 * 1024 * 1024
"""Of one batch; examples beyond it are left out, and counted."""
MAX_ROUTES = 1_000
"""Rows of one batch; the rest goes into the next."""


class ComparisonBatch:
    """The rows of a span of time. `worker` is the shadow worker's last word on itself."""

    __slots__ = ("from_ms", "rows", "size", "to_ms", "worker")

    def __init__(self, from_ms: int, to_ms: int, rows: list[Row], worker: Row) -> None:
        self.from_ms = from_ms
        self.to_ms = to_ms
        self.rows = rows
        self.worker = worker
        self.size = len(orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS))

    def to_data(self) -> Row:
        return {"routes": self.rows, "worker": self.worker}

    def shorten(self, most: int) -> int:
        """Leave out examples until it takes `most` bytes; how many were lost."""
        lost = 0
        for row in self.rows:
            while row["examples"] and self.size > most:
                example = row["examples"].pop()
                self.size -= len(orjson.dumps(example))
                lost += 1
        return lost


class Batches:
    """Collects rows in `open`, seals and sends them. `post` hands a batch to the control plane."""

    def __init__(
        self,
        post: Callable[[Row], Awaitable[bool]],
        instance: str,
        boot: str,
        store: Path | None = None,
    ) -> None:
        self.open = RowSet()
        self.worker: Row = {"paused": [], "queue": {}}
        """The last word of the shadow worker on itself."""
        self.examples_lost = 0
        self.totals: Counter[tuple[str, str]] = Counter()
        """Since the start: (`verdict`, which) and (`dropped`, why)."""
        self.outbox = Outbox(
            *(post, self._merged, instance, boot),
            most=MAX_BATCHES,
            most_bytes=MAX_BYTES,
            store=store,
        )
        self._from_ms = _now_ms()
        self._told_paused = False

    async def send(self) -> None:
        """Seal what was collected, and send all that waits. Raises `ControlError`."""
        self.seal()
        await self.outbox.send()

    def seal(self) -> None:
        """What was collected becomes a batch that waits."""
        now = _now_ms()
        rows_by_key, paused = self.open.found, bool(self.worker["paused"])
        if rows_by_key or paused or self._told_paused:
            # A pause, and its end, are told also while nothing is compared.
            self._told_paused = paused
            rows = [rows_by_key.pop(key).to_data() for key in list(rows_by_key)[:MAX_ROUTES]]
            for row in rows:
                self._count(row)
            batch = ComparisonBatch(self._from_ms, max(now, self._from_ms), rows, self.worker)
            self.examples_lost += batch.shorten(MAX_BATCH)
            self.outbox.add(batch)
        self._from_ms = now

    def _count(self, row: Row) -> None:
        for name, kind in (("verdicts", "verdict"), ("dropped", "dropped")):
            for which, number in row[name].items():
                self.totals[kind, which] += number

    def _merged(self, one: ComparisonBatch, other: ComparisonBatch) -> ComparisonBatch:
        self.examples_lost += one.shorten(0) + other.shorten(0)
        rows = RowSet()
        rows.merge(one.rows)
        rows.merge(other.rows)
        return ComparisonBatch(one.from_ms, other.to_ms, rows.to_data(), other.worker)


def _now_ms() -> int:
    return int(time.time() * 1000)
