"""What one comparison may cost: depth, size, work. Hostile answers end here, not in the caller's
time.

Work is counted in steps rather than seconds, so that the same pair always ends the same way. A
caller that also wants a bound in time passes a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOO_MUCH_WORK = "too_much_work"
"""The reason where a comparison takes more steps than it may."""


class CompareError(Exception):
    """The pair cannot be compared; `reason` is a short stable name, the text says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one comparison. Sizes are in bytes (decoded) or characters, depth in levels."""

    decoded_bytes: int = 4 * 1024 * 1024
    depth: int = 128
    steps: int = 4_000_000
    seconds: float = 2.0
    """Only looked at when the caller gives a clock."""
    groups: int = 200
    """Distinct differences kept for one pair; the rest is only counted."""
    places: int = 100
    """Places kept for each of them."""
    excerpt: int = 200
    codings: int = 3
    """Content codings applied one over the other (RFC 9110 section 8.4)."""


class Budget:
    """Counts steps down and raises `CompareError` when they, or the time, have run out."""

    __slots__ = ("_clock", "_deadline", "_next_look", "left")

    _LOOK_EVERY = 2048

    def __init__(self, limits: Limits, clock: Callable[[], float] | None = None) -> None:
        self.left = limits.steps
        self._clock = clock
        self._deadline = clock() + limits.seconds if clock else 0.0
        self._next_look = self.left - self._LOOK_EVERY

    def spend(self, steps: int) -> None:
        """Take `steps` from what is left.

        Raises:
            CompareError: `too_much_work` or `too_slow`.
        """
        self.left -= steps
        if self.left < 0:
            raise CompareError(TOO_MUCH_WORK)
        if self._clock is not None and self.left < self._next_look:
            self._next_look = self.left - self._LOOK_EVERY
            if self._clock() > self._deadline:
                raise CompareError("too_slow")
