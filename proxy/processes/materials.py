"""The files that a table names, read by the supervisor and handed to the processes as data.

Each file is read on a thread of its own with a bound in time, so that a disk that hangs harms only
the backends that name a file on it. The threads are daemons: a read that never returns holds up
neither a table nor the end of the proxy.
"""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from figway.model.backend import Backend, secret_references
from figway.model.table import Table
from proxy.loop.files import Folders, ReadFile
from proxy.processes.messages import Files

READ_S = 1.0
"""How long one file may take. All are read at once, so a table waits no longer than this."""
MOST_HANGING = 64
"""Reads that may hang at once; beyond it no further file is tried until one returns."""
LOOK_S = 5.0

_SCHEME = "file:"


def named_files(table: Table) -> dict[str, bool]:
    """Paths of the files that a table names; True for secrets, False for certificates."""
    named: dict[str, bool] = {}
    for backend in table.backends.values():
        named.update(_of_backend(backend))
    return named


def _of_backend(backend: Backend) -> Iterable[tuple[str, bool]]:
    if backend.ca_file:
        yield backend.ca_file, False
    for reference in secret_references(backend):
        if reference.startswith(_SCHEME):
            yield reference.removeprefix(_SCHEME), True


class Materials:
    """The files of the served table. `contents` has bytes, or why there are none."""

    def __init__(self, secrets_dir: Path, ca_dir: Path) -> None:
        self.contents: Mapping[str, bytes | str] = {}
        folders = [secrets_dir], f"FIGWAY_SECRETS_DIR, which is {secrets_dir}"
        self._secrets = Folders(*folders)
        both = f"FIGWAY_CA_DIR, which is {ca_dir}, nor below FIGWAY_SECRETS_DIR"
        self._authorities = Folders([ca_dir, secrets_dir], both)
        self._hanging: dict[str, asyncio.Future[bytes | str]] = {}
        self._named: dict[str, bool] = {}

    async def read(self, table: Table | None = None) -> bool:
        """Read the files of a table, or those of the one before again; whether any is another."""
        if table is not None:
            self._named = named_files(table)
        named = self._named
        if not named and not self.contents:
            return False
        values = await asyncio.gather(*(self._one(path, named[path]) for path in named))
        before = self.contents
        self.contents = dict(zip(named, values, strict=True))
        return before != self.contents

    @property
    def message(self) -> Files:
        """What the processes are sent."""
        ready = {k: b64encode(v).decode() for k, v in self.contents.items() if isinstance(v, bytes)}
        missing = {path: why for path, why in self.contents.items() if isinstance(why, str)}
        return Files(ready, missing)

    async def _one(self, path: str, secret: bool) -> bytes | str:
        future = self._hanging.get(path)
        if future is None:
            if len(self._hanging) >= MOST_HANGING:
                return "too many files of this proxy do not answer"
            read = self._secrets.read if secret else self._authorities.read
            future = self._hanging[path] = _on_a_thread(path, read)
            future.add_done_callback(partial(self._returned, path))
        done, _ = await asyncio.wait((future,), timeout=READ_S)
        return future.result() if done else f"it was not read within {READ_S:g} s"

    def _returned(self, path: str, _: object) -> None:
        self._hanging.pop(path, None)


def _on_a_thread(path: str, read: ReadFile) -> asyncio.Future[bytes | str]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes | str] = loop.create_future()

    def told(result: bytes | str) -> None:
        if not future.done():
            future.set_result(result)

    def work() -> None:
        result = _content(path, read)
        if not loop.is_closed():
            loop.call_soon_threadsafe(told, result)

    threading.Thread(target=work, name="figway-file", daemon=True).start()
    return future


def _content(path: str, read: ReadFile) -> bytes | str:
    try:
        return read(path)
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError as error:
        return str(error)
