"""The books of a proxy's shadow: captured = compared + skipped + dropped, to the last one.

A capture that leaves a serving worker is counted twice: by that worker as sent, and by the shadow
worker as received. Either may die before it reports, so the larger count is what was handed over.
What was handed to a shadow worker that has ended, and was not settled by it, is lost with it:
`worker_gone`. A capture is uncounted only if both workers die before reporting it.
"""

from __future__ import annotations

from typing import Any

from proxy.shadow.rows import RowSet

LOST = "worker_gone"

_Key = tuple[str, str]


class Ledger:
    """Takes what serving workers and shadow workers tell, and fills `rows`."""

    def __init__(self, rows: RowSet) -> None:
        self.rows = rows
        self._ahead: dict[tuple[str, int, _Key], int] = {}  # sent less received
        self._open: dict[int, dict[_Key, int]] = {}  # by generation: handed over less settled
        self._dead: set[int] = set()
        self._revisions: dict[_Key, int] = {}

    @property
    def open(self) -> int:
        """Captures that are on their way."""
        return sum(sum(found.values()) for found in self._open.values())

    def served(self, worker: str, rows: list[dict[str, Any]]) -> None:
        """What a serving worker counted."""
        for data in rows:
            row = self.rows.row(data["route"], data["window"], data["revision"])
            for reason, number in data["skipped"].items():
                row.captured += number
                row.skip(reason, number)
            for reason, number in data["dropped"].items():
                row.captured += number
                row.drop(reason, number)
            key = (data["route"], data["window"])
            for generation, number in data["sent"].items():
                self._handed(worker, int(generation), key, data["revision"], number)

    def shadowed(
        self, generation: int, rows: list[dict[str, Any]], received: list[list[Any]]
    ) -> None:
        """What a shadow worker received and settled."""
        for worker, route, window, revision, number in received:
            self._handed(worker, generation, (route, window), revision, -number)
        self.rows.merge(rows)
        found = self._open.setdefault(generation, {})
        for data in rows:
            key = (data["route"], data["window"])
            settled = sum(data["verdicts"].values()) + sum(data["dropped"].values())
            found[key] = found.get(key, 0) - settled
            if not found[key]:
                del found[key]

    def ended(self, generation: int) -> None:
        """A generation of the shadow worker is over, and all that it told has been taken in."""
        self._dead.add(generation)
        self.settle()

    def settle(self) -> None:
        """Count as lost what dead shadow workers had in hand."""
        for generation in self._dead:
            found = self._open.get(generation, {})
            for key, number in list(found.items()):
                if number > 0:
                    self.rows.row(*key, self._revisions.get(key, 0)).drop(LOST, number)
                    del found[key]
            if not found:
                self._open.pop(generation, None)

    def gone(self, worker: str) -> None:
        """A serving worker is gone, and all that it told has been taken in."""
        for entry in [entry for entry in self._ahead if entry[0] == worker]:
            if entry[1] in self._dead:
                del self._ahead[entry]

    def _handed(self, worker: str, generation: int, key: _Key, revision: int, number: int) -> None:
        """`number` sent, or as a negative number received."""
        entry = (worker, generation, key)
        ahead = self._ahead.get(entry, 0)
        after = ahead + number
        # handed over = max(sent, received): add only the increase.
        news = max(0, after) - max(0, ahead) if number > 0 else max(0, -after) - max(0, -ahead)
        if after:
            self._ahead[entry] = after
        else:
            self._ahead.pop(entry, None)
        self._revisions[key] = revision
        if news > 0:
            self.rows.row(*key, revision).captured += news
            found = self._open.setdefault(generation, {})
            found[key] = found.get(key, 0) + news
        if generation in self._dead:
            self.settle()
