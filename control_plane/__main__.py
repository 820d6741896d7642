"""Starts a control plane: `python -m control_plane`. `new-key` prints an API key and ends."""

from __future__ import annotations

import sys

from control_plane.auth.keys import generate
from control_plane.server import main

if __name__ == "__main__":
    if sys.argv[1:] == ["new-key"]:
        sys.stdout.write(f"{generate()}\n")
    else:
        sys.exit(main())
