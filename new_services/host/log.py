"""The host's own output: one line to standard error, one ready line to standard output."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def announce(line: str) -> None:
    """A line that a program may be waiting for, so it leaves at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
