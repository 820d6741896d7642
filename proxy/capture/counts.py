"""What became of the requests that a serving worker chose for the shadow."""

from __future__ import annotations

from typing import Any


class Counts:
    """Of one route in one evidence window, since they were last taken."""

    __slots__ = ("dropped", "revision", "route", "sent", "skipped", "window")

    def __init__(self, route: str, window: str, revision: int) -> None:
        self.route = route
        self.window = window
        self.revision = revision
        self.skipped: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.sent: dict[int, int] = {}  # by the generation of the shadow worker

    def take(self) -> dict[str, Any]:
        """The counts as a row for the supervisor; they begin anew."""
        row = {
            "route": self.route,
            "window": self.window,
            "revision": self.revision,
            "skipped": self.skipped,
            "dropped": self.dropped,
            "sent": self.sent,
        }
        self.skipped, self.dropped, self.sent = {}, {}, {}
        return row


class CountBook:
    """The counts that have something to tell. A set of changed ones, not a map of all routes."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        self._changed: set[Counts] = set()

    def skipped(self, counts: Counts, reason: str) -> None:
        """A request was chosen, and is not copied."""
        counts.skipped[reason] = counts.skipped.get(reason, 0) + 1
        self._changed.add(counts)

    def dropped(self, counts: Counts, reason: str, number: int = 1) -> None:
        """Captures were lost for want of room or time."""
        counts.dropped[reason] = counts.dropped.get(reason, 0) + number
        self._changed.add(counts)

    def sent(self, counts: Counts, generation: int, number: int) -> None:
        """Captures were handed to that generation of the shadow worker."""
        counts.sent[generation] = counts.sent.get(generation, 0) + number
        self._changed.add(counts)

    def take(self) -> list[dict[str, Any]]:
        """A row for each that changed since the last time."""
        changed, self._changed = self._changed, set()
        return [counts.take() for counts in changed]
