"""What was answered lately, within a bound in bytes and time: repeats that users make anyway."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

LONGEST_MS = 60_000
"""Two answers further apart say nothing of how legacy varies."""
MOST_BYTES = 16 * 1024 * 1024
MOST_ENTRIES = 4_096


class Kept(NamedTuple, Generic[T]):
    """One answer, or pair of answers."""

    at_ms: int
    size: int
    value: T


class RecentAnswers(Generic[T]):
    """The newest value of each key. The oldest go first; `size` is what a value holds."""

    def __init__(self, most_bytes: int = MOST_BYTES, most: int = MOST_ENTRIES) -> None:
        self.bytes = 0
        self._most_bytes = most_bytes
        self._most = most
        self._found: OrderedDict[bytes, Kept[T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: bytes, now_ms: int) -> Kept[T] | None:
        """The newest value, unless it is too old."""
        found = self._found.get(key)
        if found is None or now_ms - found.at_ms > LONGEST_MS:
            return None
        return found

    def put(self, key: bytes, value: T, size: int, now_ms: int) -> None:
        """Keep a value instead of the one before. One larger than a quarter of all is not kept."""
        before = self._found.pop(key, None)
        if before is not None:
            self.bytes -= before.size
        if 4 * size > self._most_bytes:
            return
        self._found[key] = Kept(now_ms, size, value)
        self.bytes += size
        while self.bytes > self._most_bytes or len(self._found) > self._most:
            self.bytes -= self._found.popitem(last=False)[1].size
