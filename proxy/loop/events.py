"""What the proxy has to say for itself: one line an event, on standard error.

Request lines go to standard output; these are for the operator. Each is a JSON object with
`at` (milliseconds since the epoch), `level`, `event` (a stable code) and `message`, or plain text
where the log is off. Values never hold a secret: callers pass none.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import orjson


class EventLog:
    """Writes events; never raises, as a full disk or a closed pipe must not stop traffic."""

    def __init__(self, *, plain: bool = False) -> None:
        self.plain = plain
        self.lost = 0
        """Events that could not be written."""

    def info(self, event: str, message: str, **values: Any) -> None:
        """Something that was meant to happen."""
        self._write("info", event, message, values)

    def warning(self, event: str, message: str, **values: Any) -> None:
        """Something that an operator should know; traffic goes on."""
        self._write("warning", event, message, values)

    def error(self, event: str, message: str, **values: Any) -> None:
        """Something that an operator should mend."""
        self._write("error", event, message, values)

    def _write(self, level: str, event: str, message: str, values: dict[str, Any]) -> None:
        if self.plain:
            line = f"figway: {level}: {message}\n".encode()
        else:
            now = int(time.time() * 1000)
            data = {"at": now, "level": level, "event": event, "message": message, **values}
            line = orjson.dumps(data, default=str) + b"\n"
        try:
            os.write(sys.stderr.fileno(), line)
        except (OSError, ValueError):
            self.lost += 1
