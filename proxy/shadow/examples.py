"""Which pairs are kept as examples."""

from __future__ import annotations

from collections import OrderedDict

from proxy.capture.message import Captured

PER_SIGNATURE = 5
"""Examples of one (route, signature) in one window and hour."""
_HOUR_MS = 3_600_000
_MOST_SIGNATURES = 10_000


class Quota:
    """Which pairs are kept as examples: a few a signature, window and hour."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()

    def take(self, captured: Captured, ended: str, named: str) -> bool:
        """Take a place for a pair that ended so; `named` is its signature or reason."""
        key = (captured.route, captured.window, ended, named)
        hour = captured.at_ms // _HOUR_MS
        when, number = self._kept.pop(key, (hour, 0))
        if when != hour:
            number = 0
        self._kept[key] = (hour, min(number + 1, PER_SIGNATURE))
        if len(self._kept) > _MOST_SIGNATURES:
            self._kept.popitem(last=False)
        return number < PER_SIGNATURE
