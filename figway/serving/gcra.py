"""Rate limits by the generic cell rate algorithm: one number a key, and no window that jumps.

The number is the theoretical arrival time (TAT): when the requests so far would have come, had they
been spaced evenly. A request conforms while the TAT is at most the tolerance ahead of the clock.
Times are microseconds of a monotonic clock, given by the caller (ITU-T I.371, annex A, as virtual
scheduling).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

SECOND = 1_000_000


class Verdict(NamedTuple):
    """What a limit says of one request. Times are whole seconds, rounded up."""

    allowed: bool
    remaining: int
    """Requests that could follow at once."""
    retry_after_s: int
    """Until the next one would conform; 0 when it does now."""
    reset_s: int
    """Until the whole burst is there again."""


class Gcra:
    """One limit and the state of its keys, of which it keeps the `max_keys` used last.

    A key that was forgotten begins anew; that needs so many others that no limit by key would
    hold against who has them.
    """

    __slots__ = ("_interval", "_keys", "_max_keys", "_tolerance")

    def __init__(self, requests: float, window_s: float, burst: int, max_keys: int = 65_536):
        """`requests` in `window_s` seconds, `burst` of them at once; all above 0."""
        self._interval = max(1, round(window_s * SECOND / requests))
        self._tolerance = self._interval * max(1, burst)
        self._max_keys = max_keys
        self._keys: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, key: bytes, now: int) -> Verdict:
        """Count one request of `key`, unless it is over the limit."""
        keys, interval = self._keys, self._interval
        tat = max(keys.get(key, 0), now)
        after = tat + interval
        ahead = after - now
        if ahead > self._tolerance:
            return Verdict(False, 0, _seconds_up(ahead - self._tolerance), _seconds_up(tat - now))
        keys[key] = after
        keys.move_to_end(key)
        if len(keys) > self._max_keys:
            keys.popitem(last=False)
        return Verdict(True, (self._tolerance - ahead) // interval, 0, _seconds_up(ahead))


def _seconds_up(microseconds: int) -> int:
    return -(-microseconds // SECOND)
