"""Ending a process whatever still hangs in it: a thread that waits for a disk, or a close.

The interpreter joins its threads before it ends, for as long as they take. Whoever has said all
that there was to say does not have to wait for them.
"""

from __future__ import annotations

import os
import sys
import threading


def end_within(seconds: float, code: int = 0) -> threading.Timer:
    """End this process after `seconds`, if it has not ended by then."""

    def end() -> None:
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
