"""The kill switch: everything to legacy, whatever the table, the database or a proxy is like.

It travels beside the table: as an event of the stream, and as headers of every answer that proxies
ask for. Turned on while the database is away it is in force at once, from memory, and stored as
soon as the database answers; turning it off is never done on memory alone.

A press that a database lost, or never had, is not undone by that: proxies say which press they
heard of last, and one that is not known here is taken back. `on` is believed, `off` is not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database, DatabaseHangs, OutcomeUnknown
from control_plane.kill import store
from control_plane.kill.doubt import Press, doubt
from control_plane.kill.store import Kill
from control_plane.publishing.hub import Hub, event

_log = logging.getLogger(__name__)


PROMPT_S = 0.3
"""How long turning it on waits for a database that hangs."""
OFF_S = 5.0
"""The same for turning it off, which may be done yet."""

Rider = Callable[[AsyncConnection, Kill, str], Awaitable[None]]


class PressedMeanwhile(Exception):
    """Somebody pressed it after what the caller had seen; `kill` is that press."""

    def __init__(self, kill: Kill) -> None:
        super().__init__(kill)
        self.kill = kill


class KillService:
    """Where the switch stands, and the one way to press it."""

    def __init__(self, database: Database, tables: Hub, live: Hub) -> None:
        self._database = database
        self._tables = tables
        self._live = live
        self._lock = asyncio.Lock()
        self._unsaved: AuditEntry | None = None
        self._taken_back = False
        """What is unsaved yields to a newer press in the database."""
        self._read_at = time.monotonic()
        self._told = Press()
        self.riders: list[Rider] = []
        """Write more in the transaction of a press."""
        self.current = Kill()

    @property
    def stored(self) -> bool:
        """Is what stands in memory in the database too?"""
        return self._unsaved is None

    @property
    def doubt(self) -> str:
        """What this control plane does not know of presses elsewhere; empty where it knows."""
        return doubt(self.current, self._told, time.monotonic() - self._read_at)

    @property
    def headers(self) -> dict[str, str]:
        """What every answer to a proxy says."""
        now = self.current
        return {
            "Figway-Kill": "on" if now.on else "off",
            "Figway-Kill-Number": str(now.number),
        }

    def event(self) -> bytes:
        """What streams say."""
        return event("kill", {"on": self.current.on, "number": self.current.number})

    # -- a press -----------------------------------------------------------------------------------

    async def press(self, on: bool, entry: AuditEntry, expected: int | None = None) -> bool:
        """Turn it on or off; False if it stood like this already. With `expected`, only where that
        is the newest press. Raises `PressedMeanwhile`, and what the database raises when it is
        turned off while that is away."""
        if not on:
            try:
                return await self._database.within(OFF_S, self._press(on, entry, expected))
            except DatabaseHangs as error:
                raise OutcomeUnknown(f"kill off: {error}") from error
        try:
            return await self._database.within(PROMPT_S, self._press(on, entry, expected))
        except DatabaseHangs:
            # It hangs, and so may whoever holds the lock: nobody waits for either.
            return self._unstored(entry, "it does not answer")

    def _unstored(self, entry: AuditEntry, why: object) -> bool:
        """On, from memory; False if it was, by a press that is in memory alone as well. One that
        was stored may have been released elsewhere."""
        if self.current.on and not self.stored and self._told.number <= self.current.number:
            return False
        _log.error(
            "the kill switch is on, by %s (%s), and could not be stored yet: %s",
            *(entry.actor, entry.reason, why),
        )
        self._unsaved, self._taken_back = entry, False
        self._take(self._next(True, entry))
        return True

    def _next(self, on: bool, entry: AuditEntry) -> Kill:
        """A press above every one that this control plane, or a proxy, has heard of."""
        number = max(self.current.number, self._told.number) + 1
        return Kill(on, number, now_ms(), entry.actor, entry.reason)

    async def _press(self, on: bool, entry: AuditEntry, expected: int | None) -> bool:
        async with self._lock:
            known = True
            try:
                await self._refresh()
            except UNAVAILABLE:
                known = False
                if not on:
                    raise
            if known and self.current.on is on and self.stored:
                return False
            if expected is not None and expected != self.current.number:
                raise PressedMeanwhile(self.current)
            try:
                await self._save(self._next(on, entry), entry, expected)
            except UNAVAILABLE as error:
                if not on:
                    raise
                return self._unstored(entry, error)
            return True

    # -- what others did ---------------------------------------------------------------------------

    async def told(self, on: bool, number: int, entry: AuditEntry) -> None:
        """A proxy says which press it heard of last. `on` that is newer than what is known here is
        taken back, by `entry`: the database lost it, or it was pressed where that was away."""
        if number > self._told.number:
            self._told = Press(on, number)
        if not on or not self._misses(number):
            return
        try:
            await self._database.within(PROMPT_S, self._take_back(number, entry))
        except UNAVAILABLE:
            if self._misses(number):
                self._keep(entry, self._back(number, entry))

    def _misses(self, number: int) -> bool:
        """Is a press that turned it on not known here? One number is one press, so the same number
        for `off` is another press than the proxy heard of."""
        return not self.current.on and number >= self.current.number

    def _back(self, number: int, entry: AuditEntry) -> Kill:
        number = max(number, self.current.number + 1)
        return Kill(True, number, now_ms(), entry.actor, entry.reason)

    async def _take_back(self, number: int, entry: AuditEntry) -> None:
        async with self._lock:
            await self._refresh()
            if self._misses(number):
                await self._save_back(self._back(number, entry), entry)

    def _keep(self, entry: AuditEntry, kill: Kill) -> None:
        """In force from memory, until the database has it or a newer one."""
        _log.error("the kill switch is on: %s; it could not be stored yet", kill.reason)
        self._unsaved, self._taken_back = entry, True
        self._take(kill)

    async def refresh(self) -> None:
        """Take over what another control plane has done; store what could not be stored."""
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        if self._unsaved is not None:
            save = self._save_back if self._taken_back else self._save
            await save(self.current, self._unsaved)
        self._database.check_file()
        async with self._database.read() as connection:
            found = await store.load(connection)
        self._read_at = time.monotonic()
        # Pressed while the database was asked: that it does not know yet.
        if found == self.current or self._unsaved is not None:
            return
        if self.current.on and found.number < self.current.number:
            await self._restore()
        else:
            self._take(found)

    async def _restore(self) -> None:
        """The database lost the press that is in force: it was restored, or failed over."""
        now = self.current
        reason = f"press {now.number} is in force, and the database had lost it: {now.reason}"
        self._keep(AuditEntry(now.actor, "", "kill.on", "kill switch", reason), now)
        assert self._unsaved is not None
        await self._save_back(now, self._unsaved)

    # -- the database ------------------------------------------------------------------------------

    async def _save(self, wanted: Kill, entry: AuditEntry, expected: int | None = None) -> None:
        self._database.check_file()
        async with self._database.write() as connection:
            number = await store.put(self._database, connection, wanted, expected)
            if not number:
                raise PressedMeanwhile(await store.load(connection))
            await self._record(connection, replace(wanted, number=number), entry)
        self._saved(replace(wanted, number=number))

    async def _save_back(self, wanted: Kill, entry: AuditEntry) -> None:
        """As `_save`, unless the database has a newer press: then that one holds."""
        self._database.check_file()
        async with self._database.write() as connection:
            if await store.put_back(self._database, connection, wanted):
                await self._record(connection, wanted, entry)
            found = await store.load(connection)
        self._saved(found)

    async def _record(self, connection: AsyncConnection, kill: Kill, entry: AuditEntry) -> None:
        await audit.record(connection, entry, now=kill.changed_ms)
        for rider in self.riders:
            await rider(connection, kill, entry.action)

    def _saved(self, kill: Kill) -> None:
        self._unsaved = None
        self._read_at = time.monotonic()
        self._take(kill)

    def _take(self, kill: Kill) -> None:
        changed = (kill.on, kill.number) != (self.current.on, self.current.number)
        self.current = kill
        if changed:
            self._tables.publish(self.event())
            self._live.publish(self.event())
