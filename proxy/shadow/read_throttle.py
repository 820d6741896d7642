"""When a shadow worker stops reading for a moment, because most of what it reads it must drop.

Encoding, sending, reading and decoding a capture costs more than all that a serving worker does to
drop one itself. So where most captures of a tick were dropped because their backend's lane was
full, the worker reads nothing for a tick, then for two, up to `LONGEST`; a tick in which most found
a place ends it. What piled up meanwhile comes at once, so the first tick of reading is not judged.
A lane holds more than is worked on in `LONGEST` ticks, so that resting costs no comparison. A
backend that is left alone (`paused`) is no reason: its captures cost the others no turn.

Pure: a tick is whatever the caller makes one.
"""

from __future__ import annotations

LEAST = 64
"""Captures dropped in one tick that say anything."""
LONGEST = 4
"""Ticks without reading."""


class ReadThrottle:
    """Counts what came and what was dropped between two ticks."""

    __slots__ = ("_came", "_dropped", "_grace", "_left", "_rest")

    def __init__(self) -> None:
        self._came = 0
        self._dropped = 0
        self._rest = 0
        self._left = 0
        self._grace = False

    def count(self, *, dropped: bool) -> None:
        """A capture came; whether its lane was full."""
        self._came += 1
        self._dropped += dropped

    def tick(self) -> bool:
        """Whether to read until the next tick."""
        came, dropped = self._came, self._dropped
        self._came = self._dropped = 0
        if self._left:
            self._left -= 1
            self._grace = not self._left
        elif self._grace:
            self._grace = False
        elif dropped >= LEAST and 2 * dropped > came:
            self._rest = self._left = min(LONGEST, self._rest + 1)
        elif came:
            self._rest = 0
        return not self._left
