"""Waiting longer after each failure, with jitter, so that a fleet does not return as one."""

from __future__ import annotations

import secrets


def jittered(seconds: float) -> float:
    """Between half and the whole of `seconds`."""
    return seconds * (0.5 + secrets.randbelow(501) / 1000)


class Backoff:
    """Doubling waits between `first` and `cap` seconds, jittered."""

    def __init__(self, first: float, cap: float) -> None:
        self._first = first
        self._cap = cap
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        wait = min(self._cap, self._first * (1 << min(self._failures, 30)))
        self._failures += 1
        return jittered(wait)

    def reset(self) -> None:
        """It worked: the next failure waits shortly again."""
        self._failures = 0
