"""A log that says an error once, and how often it came again, instead of a thousand times."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

EVERY_S = 60.0
MAX_KEYS = 1_000
_VARIES = re.compile(r"0x[0-9a-f]+|\d+")


class RepeatedLines(logging.Filter):
    """Lets a warning or an error pass once a minute. Messages that differ in numbers and addresses
    alone are the same; the next one that passes says how many did not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        text, now = record.getMessage(), self._clock()
        key = (record.name, record.levelno, _VARIES.sub("#", text)[:200])
        since, held_back = self._seen.get(key, (now - EVERY_S, 0))
        if now - since < EVERY_S:
            self._seen[key] = (since, held_back + 1)
            return False
        if len(self._seen) >= MAX_KEYS:
            self._seen.clear()
        self._seen[key] = (now, 0)
        if held_back:
            record.msg, record.args = f"{text} (and {held_back} times more before)", ()
        return True
