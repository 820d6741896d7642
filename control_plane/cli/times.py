"""Times as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def ago(milliseconds: int | None) -> str:
    """How long ago a moment (milliseconds since the epoch) was; "never" for None."""
    if milliseconds is None:
        return "never"
    seconds = int(time.time() - milliseconds / 1000)
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "now"


def clock(milliseconds: int) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
