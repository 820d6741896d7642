"""The kill switch as the supervisor holds it: everything to legacy, whatever the table says.

It is on while any of three says so: the file of this host (workers look for it by themselves, see
`proxy.kill.file`), a signal (turned into the file, and a wish that holds where the file
cannot be written), or the control plane. The last travels outside the table, by `Notice`, so it
arrives and holds whatever the newest table is like. It is kept on disk: a restart without the
control plane keeps the switch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

from proxy.control.notice import Notice, of_event, to_headers
from proxy.kill.file import LOOK_MS, KillFile
from proxy.loop.events import EventLog
from proxy.tables.state_file import read_json, write_json

FILE = "kill-control.json"
SAID_S = 3.0
"""How long a control plane's word stands against an older one of another."""


class ControlSwitch:
    """The control plane's word on the kill switch, as this proxy heard it last.

    `on` of any control plane counts at once. `off` counts from the installation that said `on`,
    with a number that is newer: who says an older one does not know of the press, which its
    database lost or never had. It is told (`known`), and takes the press back. An answer that was
    asked for before the newer number was heard may have been on its way meanwhile, and says
    nothing; nor does an older number while another control plane says the newer one.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a path it is kept in memory alone. `clock` is that of `Notice.asked`."""
        self._clock = clock
        self._since = -inf
        self._path = path
        known = read_json(path) if path is not None else {}
        self.on = known.get("on") is True
        told = of_event("kill", known)
        self.number, self.installation = told.number, told.installation
        self._said: dict[int, tuple[str, int, float]] = {}
        """By control plane: installation and number that it said last, and when."""

    def hear(self, notice: Notice) -> bool:
        """Take a notice; whether the switch, or what is known of it, is another now."""
        if notice.kill is None or self._is_late(notice):
            return False
        self._said[notice.plane] = (notice.installation, notice.number, self._clock())
        if self._is_outvoted(notice) or not self._counts(notice):
            return False
        before = (self.on, self.number, self.installation)
        self.on, self.number, self.installation = notice.kill, notice.number, notice.installation
        if before == (self.on, self.number, self.installation):
            return False
        self._since = self._clock()
        return True

    def _is_late(self, notice: Notice) -> bool:
        older = notice.installation == self.installation and notice.number < self.number
        return older and notice.asked <= self._since

    def _is_outvoted(self, notice: Notice) -> bool:
        """Does another control plane, heard of just now, say what is newer? Then this one was cut
        off, or hung, and does not know it yet."""
        newest = (self.installation, self.number)
        if notice.installation != self.installation or notice.number >= self.number:
            return False
        since = self._clock() - SAID_S
        return any(
            (installation, number) == newest and at >= since
            for plane, (installation, number, at) in self._said.items()
            if plane != notice.plane
        )

    def _counts(self, notice: Notice) -> bool:
        if notice.kill or not self.on:
            return True
        if self.installation and notice.installation != self.installation:
            return False
        return notice.number > self.number

    @property
    def known(self) -> dict[str, str]:
        """What is told to every control plane; nothing before anything was heard."""
        if not self.number:
            return {}
        return to_headers(self.on, self.number, self.installation)

    def save(self) -> None:
        """Keep it on disk. Raises OSError."""
        data = {"on": self.on, "number": self.number, "installation": self.installation}
        if self._path is not None:
            write_json(self._path, data)


class KillSwitch:
    """`to_workers` tells each worker whether this process wants everything sent to legacy;
    `on_change` is called when anything of it changed."""

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
        self._keep = asyncio.Event()
        self.control = ControlSwitch(file.path.with_name(FILE))
        self.signal = False
        """Pulled by this process, whether or not the file could be written."""
        self.on_disk = False
        """The file was there when it was looked for last."""

    @property
    def wish(self) -> bool:
        """What the workers are told; they look for the file besides."""
        return self.signal or self.control.on

    def pull(self, why: str) -> None:
        """Everything to legacy: tell the workers at once, and create the file."""
        self.signal = True
        self._to_workers(self.wish)
        try:
            self._file.pull(why)
        except OSError as error:
            self._log.error(
                "kill_file",
                f"{self._file.path} cannot be written ({error.strerror}); the kill "
                "switch holds until this proxy ends.",
            )
        self.look()

    def release(self) -> None:
        """Let go of what this host holds; the control plane's word stays."""
        self.signal = False
        try:
            self._file.release()
        except OSError as error:
            self._log.error("kill_file", f"{self._file.path} cannot be removed: {error.strerror}.")
        self._to_workers(self.wish)
        self.look()

    def hear(self, notice: Notice) -> None:
        """The control plane said something."""
        before = self.control.on
        if not self.control.hear(notice):
            return
        on = self.control.on
        if on is not before:
            self._to_workers(self.wish)
            what = "everything goes to legacy" if on else "the control plane lets go of it"
            self._log.warning("kill_switch", f"Kill switch {self.control.number}: {what}.", on=on)
        self._keep.set()
        self._on_change()

    def look(self) -> None:
        """See whether the file is there."""
        found = self._file.look()
        if found is self.on_disk:
            return
        self.on_disk = found
        where = self._file.path
        what = f"{where} is there: everything goes to legacy." if found else f"{where} is gone."
        self._log.warning("kill_switch", what, on=found)
        if not found and self.signal:  # whoever removed the file meant all of it
            self.signal = False
            self._to_workers(self.wish)
        self._on_change()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_MS / 1000)

    async def keep(self) -> None:
        """Keep the control plane's word on disk, for ever."""
        while True:
            await self._keep.wait()
            self._keep.clear()
            try:
                await asyncio.to_thread(self.control.save)
            except OSError as error:
                self._log.error(
                    "kill_not_kept",
                    f"The kill switch holds, but not over a restart: {error.strerror or error}.",
                )
