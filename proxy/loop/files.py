"""Files that a table names: certificates of authorities, and secrets.

A table is written by people who may set a backend, and by nobody who may read this host's files. So
a file is read from a named folder only, must be a regular one, is bounded in size, and is told
apart from a missing one only inside that folder. No open here waits for a peer (a FIFO, a device);
a disk that hangs is the business of whoever reads on a thread (`proxy.processes.materials`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MAX_FILE = 1_048_576
"""Bytes: a bundle of every public authority is a fifth of it."""

ReadFile = Callable[[str], bytes]
"""The content of a file that a table names; raises OSError or ValueError."""


def read_regular(path: str, limit: int = MAX_FILE) -> bytes:
    """The content of a regular file. Raises OSError, or ValueError with the reason."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is no regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    return data


class Folders:
    """Reads files below some folders only."""

    def __init__(self, folders: Sequence[Path], names: str) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._names = names

    def read(self, path: str) -> bytes:
        """See `ReadFile`."""
        real = Path(os.path.normpath(path)).resolve()
        if not Path(path).is_absolute() or not any(map(real.is_relative_to, self._folders)):
            raise ValueError(f"it is not below {self._names}")
        return read_regular(str(real))


class GivenFiles:
    """Files that the supervisor has read: content, or why there is none."""

    def __init__(self) -> None:
        self._contents: Mapping[str, bytes | str] = {}

    def give(self, contents: Mapping[str, bytes | str]) -> set[str]:
        """These are the files from now on; which of them are other ones than before."""
        before, self._contents = self._contents, contents
        paths = before.keys() | contents.keys()
        return {path for path in paths if before.get(path) != contents.get(path)}

    def read(self, path: str) -> bytes:
        """See `ReadFile`."""
        content = self._contents.get(path, "it has not been read yet")
        if isinstance(content, str):
            raise ValueError(content)
        return content
