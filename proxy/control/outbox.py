"""Numbered batches on their way to the control plane, whatever they carry.

A batch keeps its number and its content until the control plane has taken it, so that a repeat
after a lost answer counts once. While the control plane is away batches pile up to a bound in
number and bytes; then the oldest waiting ones are merged, so that time gets coarser and counts stay
exact. A proxy that stops keeps what still waits on disk, and sends it first at its next start.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import orjson

from proxy.control.client import ControlError

Row = dict[str, Any]
_MOST_STORED = 64 * 1024 * 1024


class Batch(Protocol):
    """What an outbox carries: counts of the time from `from_ms` to `to_ms` (since the epoch)."""

    from_ms: int
    to_ms: int

    @property
    def size(self) -> int:
        """About how many bytes it takes; 0 where that is bounded by the table."""

    def to_data(self) -> Row:
        """Its JSON form, without numbers and times."""


B = TypeVar("B", bound=Batch)


class _Waiting(Generic[B]):
    __slots__ = ("batch", "sequence")

    def __init__(self, batch: B) -> None:
        self.batch = batch
        self.sequence = 0  # given when it is first sent


class Outbox(Generic[B]):
    """Sends batches in their order. `merge` makes one of two neighbours."""

    def __init__(
        self,
        post: Callable[[Row], Awaitable[bool]],
        merge: Callable[[B, B], B],
        instance: str,
        boot: str,
        *,
        most: int,
        most_bytes: int = 0,
        store: Path | None = None,
    ) -> None:
        self.sent = 0
        """Batches that the control plane took."""
        self.dropped = 0
        """Batches that it will never take."""
        self._post = post
        self._merge = merge
        self._instance = instance
        self._boot = boot
        self._most = most
        self._most_bytes = most_bytes
        self._sequence = 0
        self._waiting: deque[_Waiting[B]] = deque()
        self._store = store
        self._stored: deque[Row] = deque(_load(store))

    def __len__(self) -> int:
        """Batches that wait."""
        return len(self._stored) + len(self._waiting)

    @property
    def batches(self) -> list[B]:
        """Those of this start that wait."""
        return [item.batch for item in self._waiting]

    def add(self, batch: B) -> None:
        """Let a batch wait."""
        waiting = self._waiting
        waiting.append(_Waiting(batch))
        while len(waiting) > self._most or (len(waiting) > 2 and self._too_big):
            # The first may have been sent already, with its answer lost: it must stay as it is.
            first, second, third = (waiting.popleft() for _ in range(3))
            waiting.extendleft((_Waiting(self._merge(second.batch, third.batch)), first))

    @property
    def _too_big(self) -> bool:
        most = self._most_bytes
        return bool(most) and sum(item.batch.size for item in self._waiting) > most

    async def send(self) -> None:
        """Send all that waits. Raises `ControlError`; what was not taken waits on."""
        while self._stored:
            await self._try(self._stored[0], self._forget_stored)
        while self._waiting:
            item = self._waiting[0]
            await self._try(self._numbered(item), partial(self._forget, item))

    async def _try(self, data: Row, forget: Callable[[], None]) -> None:
        try:
            await self._post(data)
        except ControlError as error:
            if error.rejected:
                self.dropped += 1
                forget()
            raise
        self.sent += 1
        forget()

    def _numbered(self, item: _Waiting[B]) -> Row:
        if not item.sequence:
            self._sequence += 1
            item.sequence = self._sequence
        batch = item.batch
        return {
            "instance": self._instance,
            "boot": self._boot,
            "sequence": item.sequence,
            "from_ms": batch.from_ms,
            "to_ms": batch.to_ms,
            **batch.to_data(),
        }

    def _forget(self, item: _Waiting[B]) -> None:
        if self._waiting and self._waiting[0] is item:
            self._waiting.popleft()

    def _forget_stored(self) -> None:
        self._stored.popleft()
        if not self._stored and self._store is not None:
            with contextlib.suppress(OSError):
                self._store.unlink()

    def save(self) -> None:
        """Keep on disk what waits, for the next start. Raises OSError."""
        if self._store is None or not len(self):
            return
        rows = [*self._stored, *map(self._numbered, self._waiting)]
        content, size = [], 0
        for row in rows:
            line = orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS)
            size += len(line)
            if size > _MOST_STORED:
                self.dropped += 1
                continue
            content.append(line)
        self._store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._store.with_suffix(".tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(b"\n".join(content))
        temporary.replace(self._store)


def _load(store: Path | None) -> list[Row]:
    """What was kept; lines that cannot be read are left out, as a proxy must start whatever."""
    if store is None:
        return []
    try:
        with store.open("rb") as file:
            lines = file.read(2 * _MOST_STORED).splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        with contextlib.suppress(orjson.JSONDecodeError):
            row = orjson.loads(line)
            if isinstance(row, dict):
                rows.append(row)
    return rows
