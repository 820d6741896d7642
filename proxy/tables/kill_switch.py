"""The kill switch as the supervisor holds it: the file of this host, and the wish of an operator.

The workers look for the file by themselves (`proxy.tables.kill_file`). What the supervisor adds is
the signal, which it turns into the file, and a wish that holds where the file cannot be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.loop.events import EventLog
from proxy.tables.kill_file import LOOK_MS, KillFile


class KillSwitch:
    """Pulled by a signal or by the file. `to_workers` tells each worker the wish; `on_change` is
    called when the file came or went."""

    def __init__(
        self,
        file: KillFile,
        log: EventLog,
        to_workers: Callable[[bool], None],
        on_change: Callable[[], None],
    ) -> None:
        self._file = file
        self._log = log
        self._to_workers = to_workers
        self._on_change = on_change
        self.wish = False
        """Pulled by this process, whether or not the file could be written."""
        self.on_disk = False
        """The file was there when it was looked for last."""

    def pull(self, why: str) -> None:
        """Everything to legacy: create the file, and tell the workers at once."""
        self.wish = True
        try:
            self._file.pull(why)
        except OSError as error:
            self._log.error(
                "kill_file",
                f"{self._file.path} cannot be written ({error.strerror}); the kill "
                "switch holds until this proxy ends.",
            )
        self._tell()

    def release(self) -> None:
        """Let go of it."""
        self.wish = False
        try:
            self._file.release()
        except OSError as error:
            self._log.error("kill_file", f"{self._file.path} cannot be removed: {error.strerror}.")
        self._tell()

    def look(self) -> None:
        """See whether the file is there."""
        found = self._file.look()
        if found is self.on_disk:
            return
        self.on_disk = found
        where = self._file.path
        what = f"{where} is there: everything goes to legacy." if found else f"{where} is gone."
        self._log.warning("kill_switch", what, on=found)
        if not found and self.wish:  # whoever removed the file meant all of it
            self.wish = False
            self._to_workers(False)
        self._on_change()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_MS / 1000)

    def _tell(self) -> None:
        self._to_workers(self.wish)
        self.look()
