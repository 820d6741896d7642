"""Small JSON files of a proxy's state folder: written whole and synced, 0600, read with care."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import orjson

_MOST = 4 * 1024 * 1024


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a file, so that a crash leaves the old one or the new one. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(orjson.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """What the file holds; empty if it is not there, or is not what was written."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            data = orjson.loads(file.read(_MOST))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
