"""The kill switch: everything to legacy, whatever the table, the database or a proxy is like.

It travels beside the table: as an event of the stream, and as headers of every answer that proxies
ask for. Turned on while the database is away it is in force at once, from memory, and stored as
soon as the database answers; turning it off is never done on memory alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database, DatabaseHangs, OutcomeUnknown
from control_plane.kill import store
from control_plane.kill.store import Kill
from control_plane.publishing.hub import Hub, event

_log = logging.getLogger(__name__)


PROMPT_S = 0.3
"""How long turning it on waits for a database that hangs."""
OFF_S = 5.0
"""The same for turning it off, which may be done yet."""

Rider = Callable[[AsyncConnection, Kill, str], Awaitable[None]]


class KillService:
    """Where the switch stands, and the one way to press it."""

    def __init__(self, database: Database, tables: Hub, live: Hub) -> None:
        self._database = database
        self._tables = tables
        self._live = live
        self._lock = asyncio.Lock()
        self._unsaved: AuditEntry | None = None
        self.riders: list[Rider] = []
        """Write more in the transaction of a press."""
        self.current = Kill()

    @property
    def stored(self) -> bool:
        """Is what stands in memory in the database too?"""
        return self._unsaved is None

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

    async def press(self, on: bool, entry: AuditEntry) -> bool:
        """Turn it on or off; False if it stood like this already. Raises what the database raises
        when it is turned off while that is away."""
        if not on:
            try:
                return await self._database.within(OFF_S, self._press(on, entry))
            except DatabaseHangs as error:
                raise OutcomeUnknown(f"kill off: {error}") from error
        try:
            return await self._database.within(PROMPT_S, self._press(on, entry))
        except DatabaseHangs:
            # It hangs, and so may whoever holds the lock: nobody waits for either.
            return self._unstored(entry, "it does not answer")

    def _unstored(self, entry: AuditEntry, why: object) -> bool:
        """On, from memory; False if it was."""
        if self.current.on:
            return False
        _log.error("the kill switch is on, and could not be stored yet: %s", why)
        self._unsaved = entry
        self._take(Kill(True, self.current.number + 1, now_ms(), entry.actor, entry.reason))
        return True

    async def _press(self, on: bool, entry: AuditEntry) -> bool:
        async with self._lock:
            try:
                await self._refresh()
            except UNAVAILABLE:
                if not on:
                    raise
            if self.current.on is on and self.stored:
                return False
            wanted = Kill(on, self.current.number + 1, now_ms(), entry.actor, entry.reason)
            try:
                await self._save(wanted, entry)
            except UNAVAILABLE as error:
                if not on:
                    raise
                return self._unstored(entry, error)
            return True

    async def refresh(self) -> None:
        """Take over what another control plane has done; store what could not be stored."""
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        if self._unsaved is not None:
            await self._save(self.current, self._unsaved)
        self._database.check_file()
        async with self._database.read() as connection:
            found = await store.load(connection)
        # Pressed while the database was asked: that it does not know yet.
        if found != self.current and self._unsaved is None:
            self._take(found)

    async def _save(self, wanted: Kill, entry: AuditEntry) -> None:
        self._database.check_file()
        async with self._database.write() as connection:
            number = await store.put(self._database, connection, wanted)
            await audit.record(connection, entry, now=wanted.changed_ms)
            for rider in self.riders:
                await rider(connection, replace(wanted, number=number), entry.action)
        self._unsaved = None
        self._take(replace(wanted, number=number))

    def _take(self, kill: Kill) -> None:
        changed = (kill.on, kill.number) != (self.current.on, self.current.number)
        self.current = kill
        if changed:
            self._tables.publish(self.event())
            self._live.publish(self.event())
