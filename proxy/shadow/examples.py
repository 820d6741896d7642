"""Which pairs are kept as examples."""

from __future__ import annotations

from collections import Counter, OrderedDict

from proxy.capture.message import Captured

FIRST = 20
"""Examples of one (route, signature) in the hour in which it is first seen: enough to say what the
requests that differ have in common."""
LATER = 5
"""The same in each hour after, and of every signature once a window has `ENOUGH`."""
ENOUGH = 400
_HOUR_MS = 3_600_000
_MOST_SIGNATURES = 10_000
_MOST_WINDOWS = 10_000


class Quota:
    """Which pairs are kept as examples: a few a signature, window and hour."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], tuple[int, int, int]] = OrderedDict()
        """By signature: hour, examples in it, examples that it may have."""
        self._windows: Counter[tuple[str, str]] = Counter()

    def take(self, captured: Captured, ended: str, named: str) -> bool:
        """Take a place for a pair that ended so; `named` is its signature or reason."""
        window = (captured.route, captured.window)
        key = (*window, ended, named)
        hour = captured.at_ms // _HOUR_MS
        when, number, most = self._kept.pop(key, (hour, 0, FIRST))
        if when != hour:
            number, most = 0, LATER
        taken = number < (most if self._windows[window] < ENOUGH else LATER)
        self._kept[key] = (hour, number + taken, most)
        if len(self._kept) > _MOST_SIGNATURES:
            self._kept.popitem(last=False)
        if taken:
            self._count(window)
        return taken

    def _count(self, window: tuple[str, str]) -> None:
        if window not in self._windows and len(self._windows) >= _MOST_WINDOWS:
            self._windows.clear()
        self._windows[window] += 1
