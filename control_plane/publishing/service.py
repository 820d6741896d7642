"""The one way a table changes: check, validate, store, publish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import FindingOut, conflict, not_found, refused
from control_plane.publishing import store
from control_plane.publishing.check import check
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import Snapshot, TableState
from figway.model import change
from figway.model.change import Change, FieldChange, UnknownItem, changes_to_data

_log = logging.getLogger(__name__)
_ATTEMPTS = 5
_STREAMED = 500
"""A larger revision is announced without its changes: proxies pull the whole table."""

Make = Callable[[Snapshot], Iterable[Change]]
"""Makes the changes for the snapshot that they will be applied to, or raises `ApiProblem`. It is
called again when another control plane was faster, so that its preconditions hold for what is
there."""


class Confirm(StrEnum):
    """What somebody has said besides the change itself."""

    NOTHING = ""
    EXPOSURE = "exposure"
    """New may serve more than it did, without proof: said after seeing the evidence."""
    FORCE = "force"
    """Also against what the evidence says, or what a live proxy can open."""


@dataclass(frozen=True, slots=True)
class Published:
    """What came of a change. When nothing differed, `changed` is False and there is no revision."""

    before: Snapshot
    after: Snapshot
    changed: bool
    described: tuple[FieldChange, ...] = ()
    warnings: list[FindingOut] = field(default_factory=list)


Rider = Callable[[AsyncConnection, store.NewRevision], Awaitable[None]]
"""Writes more in the transaction of a revision; what it raises leaves nothing of the revision."""

Check = Callable[[Published, AuditEntry], Awaitable[None]]
"""May refuse a change that is otherwise right: raises `ApiProblem`."""


class Publisher:
    """Changes the table, and follows the changes of other control planes."""

    def __init__(self, database: Database, state: TableState, tables: Hub, live: Hub) -> None:
        self._database = database
        self._state = state
        self._tables = tables
        self._live = live
        self._lock = asyncio.Lock()
        self.checks: list[Check] = []
        """Asked before every change, so that no endpoint goes around them."""
        self.riders: list[Rider] = []
        """Ride along with every change."""

    async def change(
        self,
        make: Make,
        entry: AuditEntry,
        *,
        source: str = "api",
        back: bool = False,
        confirm: Confirm = Confirm.NOTHING,
        also: Rider | None = None,
    ) -> Published:
        """Make a revision. Raises `ApiProblem`: what `make` or a check raises, 422 with findings,
        409.

        `back` says that it leads back to what was: evidence then goes on where it stood. `also`
        rides along with this change alone.
        """
        async with self._lock:
            for _ in range(_ATTEMPTS):
                drafted = self.draft(make, back=back)
                if not drafted.changed:
                    return drafted
                for asked in self.checks:
                    await asked(drafted, entry)
                if await self._commit(drafted, entry, source, also):
                    return drafted
                await self._refresh()
        raise conflict("others changed the table at the same time, again and again; try again")

    async def allowed(self, make: Make, entry: AuditEntry) -> None:
        """Ask the checks about a change, without making it. Raises `ApiProblem`."""
        drafted = self.draft(make)
        if drafted.changed:
            for asked in self.checks:
                await asked(drafted, entry)

    def draft(self, make: Make, *, back: bool = False) -> Published:
        """What `change` would do, without doing it. Raises `ApiProblem`."""
        before = self._state.current
        made = make(before)
        if not back:
            made = change.dated(before.table, made, before.revision + 1)
        changes = tuple(
            entry
            for entry in made
            if entry.value is None or change.get(before.table, entry.kind, entry.id) != entry.value
        )
        if not changes:
            return Published(before, before, changed=False)
        try:
            table = change.apply(before.table, changes)
        except UnknownItem as error:
            raise not_found(error.kind.value, error.id) from None
        wrong, warnings = check(before.table, table)
        if wrong:
            raise refused(wrong + warnings)
        now = max(now_ms(), before.created_ms)
        after = Snapshot(before.revision + 1, self._state.hasher.table(table), table, now)
        described = change.describe(before.table, changes)
        return Published(before, after, True, described, warnings)

    async def _commit(
        self, drafted: Published, entry: AuditEntry, source: str, also: Rider | None
    ) -> bool:
        before, after = drafted.before, drafted.after
        changes = change.diff(before.table, after.table)
        new = store.NewRevision(
            base=before,
            after=after,
            changes=changes,
            inverse=change.invert(before.table, changes),
            summary=summary(drafted.described),
            source=source,
            entry=entry,
        )
        try:
            async with self._database.write() as connection:
                await store.append(self._database, connection, self._state, new)
                for rider in (*self.riders, *([] if also is None else [also])):
                    await rider(connection, new)
        except IntegrityError:
            return False
        self._advance(after, changes, entry.actor, entry.reason, new.summary)
        return True

    def _advance(
        self,
        after: Snapshot,
        changes: tuple[Change, ...],
        actor: str,
        reason: str,
        lines: list[str],
    ) -> None:
        base = self._state.current
        self._state.advance(after, changes)
        whole = len(changes) > _STREAMED
        told = {"revision": after.revision, "etag": after.etag}
        self._tables.publish(
            event(
                "revision",
                {
                    **told,
                    "base": "" if whole else base.etag,
                    "changes": [] if whole else changes_to_data(changes),
                },
            )
        )
        self._live.publish(
            event(
                "revision",
                {
                    **told,
                    "at_ms": after.created_ms,
                    "actor": actor,
                    "reason": reason,
                    "summary": lines,
                },
            )
        )

    # -- following the database ----------------------------------------------------------------

    async def load(self) -> None:
        """Take over the table that the database holds."""
        async with self._lock:
            await self._reload()

    async def refresh(self) -> None:
        """Take over what other control planes have published since."""
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        while True:
            current = self._state.current
            async with self._database.read() as connection:
                newest = await store.head(connection)
                rows = await store.since(connection, current.revision, 100)
            if newest < current.revision:
                _log.warning("the database went back from %s to %s", current.revision, newest)
                await self._reload()
                return
            for row in rows:
                changes = store.changes(row.changes)
                if row.base_etag != self._state.current.etag:
                    await self._reload()
                    return
                table = change.apply(self._state.current.table, changes)
                etag = self._state.hasher.table(table)
                if etag != row.etag:
                    await self._reload()
                    return
                after = Snapshot(row.number, etag, table, row.created_ms)
                lines = store.lines(row.summary)
                self._advance(after, changes, row.actor, row.reason, lines)
            if len(rows) < 100:
                return

    async def _reload(self) -> None:
        async with self._database.read() as connection:
            snapshot, written = await store.load(connection, self._state)
        before = self._state.current
        self._state.replace(snapshot, written)
        if (snapshot.revision, snapshot.etag) != (before.revision, before.etag):
            told = {"revision": snapshot.revision, "etag": snapshot.etag}
            self._tables.publish(event("revision", {**told, "base": "", "changes": []}))
            self._live.publish(
                event("revision", {**told, "at_ms": snapshot.created_ms, "summary": []})
            )


def summary(described: Iterable[FieldChange]) -> list[str]:
    """A few lines that say what a revision did."""
    lines = [str(entry) for entry in described]
    return lines if len(lines) <= 20 else [*lines[:19], f"and {len(lines) - 19} more"]
