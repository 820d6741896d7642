"""Tables on their way to the workers: which one is served, which one was refused, and why.

Implements `TableListener` for the follower of the control plane.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from figway.model.codec import to_data
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.legacy_load import LegacyLoad
from proxy.processes.materials import LOOK_S, Materials
from proxy.processes.messages import (
    Applied,
    NoTable,
    Refused,
    Row,
    TableChanges,
    WatchDecisions,
    WholeTable,
    pack,
)
from proxy.processes.shadow.supervisor import ShadowSupervisor
from proxy.processes.workers import Worker, Workers
from proxy.settings import Settings
from proxy.tables.check import Checker, RefusedTable, Served, Source
from proxy.tables.cold_start import stored_table
from proxy.tables.follow import Follower
from proxy.tables.installation import Allegiance
from proxy.tables.last_good import LastGood
from proxy.tables.store import TableStore


class TableFeed:
    """The tables of one proxy. `on_change` is called when the fleet should hear of it."""

    def __init__(
        self,
        workers: Workers,
        checker: Checker,
        last_good: LastGood,
        log: EventLog,
        keeper: TaskKeeper,
        on_change: Callable[[], None],
        allegiance: Allegiance,
        materials: Materials,
    ) -> None:
        self.materials = materials
        self.refused: RefusedTable | None = None
        self.store = TableStore(last_good, log)
        self.applied_ms = 0
        self.follower: Follower | None = None
        self.load: LegacyLoad | None = None
        self.shadow: ShadowSupervisor | None = None
        self._workers = workers
        self._checker = checker
        self._last_good = last_good
        self._log = log
        self._keeper = keeper
        self._on_change = on_change
        self._allegiance = allegiance
        self._served: Served | None = None
        self._pulling = self._loading = False
        self._frame: tuple[str, bytes] | None = None
        self._published_at = time.monotonic()

    @property
    def served(self) -> Served | None:
        """What the workers are told to serve."""
        if self.follower is not None and self.follower.served is not None:
            return self.follower.served
        return self._served

    async def first(self, settings: Settings) -> None:
        """Where the first table comes from: the control plane, else the disk, else day 0."""
        follower = self.follower
        if follower is None:
            await self._day_0(settings.legacy_url)
            return
        # It goes on whatever happens here: a big table takes its time.
        pull = self._keeper.spawn(self._first_pull(follower), "first table")
        await asyncio.wait((pull,), timeout=settings.start_wait_s)
        if self._served is None:
            self._loading = True
            served = await stored_table(self._last_good, self._checker, self._log, self.refuse)
            self._loading = False
            if served is not None and self._served is None:
                follower.begin(served)
                await self.publish(served, None, "")
        self._say_if_none()

    async def _first_pull(self, follower: Follower) -> None:
        self._pulling = True
        try:
            await follower.pull()
        finally:
            self._pulling = False
        self._say_if_none()

    def _say_if_none(self) -> None:
        """Let the workers answer that there is no table, if none is on its way."""
        if why := self.why_none:
            self._workers.send(NoTable(why))

    @property
    def why_none(self) -> str:
        """Why there is no table; empty while one is served or on its way."""
        if self._served is not None or self._pulling or self._loading:
            return ""
        follower, disk = self.follower, "and there is no last good table on disk."
        if self.refused is not None:
            return f"The newest table cannot be served, {disk} The fleet page says why."
        if follower is not None and follower.foreign:
            return f"The control plane is of another installation, {disk}"
        return f"It has never reached its control plane, {disk}"

    async def _day_0(self, legacy_url: str) -> None:
        try:
            served = self._checker.day_0(legacy_url)
        except RefusedTable as refused:
            self.refuse(refused)
            self._log.error("day_0_refused", f"FIGWAY_LEGACY_URL cannot be used: {refused}.")
            return
        await self.publish(served, None, "")

    # -- TableListener -------------------------------------------------------------------------

    async def publish(self, served: Served, changes: list[Row] | None, base: str) -> None:
        """A table passed every check: send it to the workers, and keep it."""
        await self._files_of(served)
        if self.load is not None:
            self.load.table(served.table)
        self._served = served
        # No acknowledgement yet: workers acknowledge when they serve it.
        if self.refused is not None or not self._workers.live:
            self.refused = None
            self._on_change()
        self._published_at = time.monotonic()
        if changes is not None:
            message = TableChanges(served.revision, served.etag, base, changes)
            self._send(pack(message))
        elif any(worker.child.channel is not None for worker in self._workers.all):
            self._send(await self._frame_of(served))
        if self.shadow is not None:
            self.shadow.table(served.compiled)
        if served.source is Source.CONTROL_PLANE:
            self.store.keep(served)
        self._log.info(
            "table_published",
            f"Revision {served.revision} goes to the workers.",
            revision=served.revision,
            etag=served.etag,
            source=served.source.value,
        )

    async def _files_of(self, served: Served) -> None:
        """The processes get the files of a table before the table."""
        if await self.materials.read(served.table):
            self._send(pack(self.materials.message))

    async def watch_files(self) -> None:
        """Look for other contents, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.read_files()

    async def read_files(self) -> None:
        """Read every file again; the processes get them if any is another."""
        if await self.materials.read():
            self._send(pack(self.materials.message))

    def refuse(self, refused: RefusedTable) -> None:
        """A table was refused: say so."""
        self.refused = refused
        self._on_change()

    def followed(self, installation: str) -> None:
        """Keep whose table is followed."""
        try:
            self._allegiance.save()
        except OSError as error:
            self._log.error(
                "installation_not_kept",
                f"A restart would not know whose table it follows: {error.strerror or error}.",
            )
        self._on_change()

    def watch(self, routes: list[str], ms: int) -> None:
        """Somebody watches the decisions of these routes: let the workers keep some."""
        self._workers.send(WatchDecisions(routes, ms))

    # -- workers -------------------------------------------------------------------------------

    async def greet(self, worker: Worker) -> None:
        """Send a worker the whole table that is served."""
        while (served := self._served) is not None:
            frame = await self._frame_of(served)
            if served is self._served:  # else another was published meanwhile
                worker.child.send(self.materials.message)
                if self.load is not None:
                    worker.child.send(self.load.message)
                worker.child.send_packed(frame)
                return
        if why := self.why_none:
            worker.child.send(NoTable(why))

    async def present(self) -> bytes | None:
        """The message with the whole table that is served."""
        if self._served is None:
            return None
        return pack(self.materials.message) + await self._frame_of(self._served)

    def on_applied(self, message: Applied) -> None:
        """A worker serves a table."""
        if self.refused is not None and self.refused.etag == message.etag:
            self.refused = None  # what it waited for has come
        self.applied_ms = int((time.monotonic() - self._published_at) * 1000)
        self._on_change()

    def on_refused(self, worker: Worker, message: Refused) -> None:
        """A worker cannot serve a whole table."""
        text = f"Worker {worker.number} cannot serve it: {message.message}"
        finding = {
            "code": "table_worker",
            "severity": "error",
            "path": "$",
            "message": text,
            "resolution": "Look at the log of this proxy; the table before is served on.",
        }
        self._log.error("table_refused", f"Revision {message.revision} is refused. {text}.")
        self.refuse(RefusedTable(message.revision, message.etag, [finding]))

    def _send(self, data: bytes) -> None:
        self._workers.send_packed(data)
        if self.shadow is not None:
            self.shadow.child.send_packed(data)

    async def _frame_of(self, served: Served) -> bytes:
        """The message with the whole table; kept, as every worker that starts needs it."""
        key = f"{served.revision}/{served.etag}"
        if self._frame is None or self._frame[0] != key:
            frame = await asyncio.to_thread(_packed, served)
            self._frame = (key, frame)
        return self._frame[1]


def _packed(served: Served) -> bytes:
    return pack(WholeTable(served.revision, served.etag, to_data(served.table)))
