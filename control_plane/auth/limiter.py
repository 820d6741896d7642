"""Counts failed attempts by address.

Only failures are ever answered 429: a valid key passes from a limited address too. An operator who
shares an address with a misconfigured proxy (loopback, NAT) must still be able to go back to
legacy, and a secret of 192 bits is not found by trying.
"""

from __future__ import annotations

from collections import OrderedDict

_WINDOW_MS = 60_000
_MOST = 10_000  # addresses remembered; the oldest is forgotten first


class FailureLimiter:
    """Failed attempts in windows of a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def failed(self, address: str, now_ms: int) -> int:
        """Count a failure; the seconds to wait if there were too many, else 0."""
        start, count = self._seen.pop(address, (now_ms, 0))
        if now_ms - start >= _WINDOW_MS:
            start, count = now_ms, 0
        self._seen[address] = (start, count + 1)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        if count < self._most:
            return 0
        return max(1, -((now_ms - start - _WINDOW_MS) // 1_000))
