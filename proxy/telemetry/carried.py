"""The most that each legacy backend carried in a second, remembered over days and restarts.

It is what legacy is known to bear, and so what fallback may put on it in any case: see
`figway.serving.attempts.budget`. Only requests in its own right count, so that no outage raises it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy.tables.state_file import read_json, write_json

FILE = "carried.json"
DAYS = 30
_DAY_MS = 86_400_000
_MOST_BACKENDS = 1_000


class Carried:
    """Peaks by backend and day (of UTC)."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._days: dict[str, dict[int, tuple[float, int]]] = {}
        self.changed = False
        for backend, days in read_json(self._path).items():
            self._days[backend] = _read_days(days)

    def note(self, backend: str, count: float, now_ms: int) -> None:
        """A backend carried `count` requests in a second."""
        if count <= 0:
            return
        days = self._days.setdefault(backend, {})
        day = now_ms // _DAY_MS
        if count > days.get(day, (0.0, 0))[0]:
            days[day] = (count, now_ms)
            self.changed = True

    def peak(self, backend: str, now_ms: int) -> tuple[float, int]:
        """The most in a second of the last days, and when that was; (0, 0) if it is not known."""
        since = now_ms // _DAY_MS - DAYS
        return max(
            (entry for day, entry in self._days.get(backend, {}).items() if day > since),
            default=(0.0, 0),
        )

    def save(self, now_ms: int) -> None:
        """Keep it on disk, without what is too old. Raises OSError."""
        since = now_ms // _DAY_MS - DAYS
        data: dict[str, Any] = {}
        for backend, days in list(self._days.items())[-_MOST_BACKENDS:]:
            kept = {str(day): list(entry) for day, entry in days.items() if day > since}
            if kept:
                data[backend] = kept
        write_json(self._path, data)
        self.changed = False


def _read_days(days: object) -> dict[int, tuple[float, int]]:
    found: dict[int, tuple[float, int]] = {}
    if isinstance(days, dict):
        for day, entry in days.items():
            match entry:
                case [int() | float() as count, int() as at_ms] if str(day).isdecimal():
                    found[int(day)] = (float(count), at_ms)
    return found
