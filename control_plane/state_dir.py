"""Where state lies when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

CONSOLE_LINK = "console-link"
"""File in a state folder: the console's one-time link, where it was not printed to a terminal."""


def default_state_dir() -> Path:
    """`figway` in the user's folder for state, as the XDG base directories name it."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "figway"
