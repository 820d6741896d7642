"""The one way a table changes: check, validate, store, publish."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database, DatabaseReplaced, OutcomeUnknown
from control_plane.http.problems import FindingOut, conflict, not_found, outcome_unknown, refused
from control_plane.publishing import store
from control_plane.publishing.check import check
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import Snapshot, TableState
from figway.model import change
from figway.model.change import Change, FieldChange, Kind, UnknownItem, changes_to_data
from figway.model.table import Table

_log = logging.getLogger(__name__)
_PATIENCE_S = 10.0
"""So long a change is tried again while others are faster. Each time one of theirs was made, so in
the end all are; a number of attempts would leave out whoever has bad luck."""
_FIND_OUT_S = 10.0  # how long the database is asked what became of an unanswered commit
_HANGS_S = 5.0
"""So long a change waits for a database before it says that it hangs."""
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


class Policy(Protocol):
    """Asks for a word before a change that exposes users to new."""

    async def __call__(
        self, drafted: Published, entry: AuditEntry, confirm: Confirm, *, gated: bool = False
    ) -> None:
        """Raises `ApiProblem` where it was not said."""

    async def findings(
        self, before: Table, after: Table
    ) -> tuple[list[FindingOut], list[FindingOut]]:
        """What has to be confirmed, and what has to be forced."""


class Publisher:
    """Changes the table, and follows the changes of other control planes."""

    def __init__(self, database: Database, state: TableState, tables: Hub, live: Hub) -> None:
        self._database = database
        self._state = state
        self._tables = tables
        self._live = live
        self._lock = asyncio.Lock()
        self.plugins: tuple[str, ...] = ()
        """The comparison plugins that shadow workers run."""
        self.policy: Policy | None = None
        """Asks for a word where new would serve more without proof."""
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
        gated: bool = False,
        undoes: int | None = None,
        also: Rider | None = None,
    ) -> Published:
        """Make a revision. Raises `ApiProblem`: what `make` or a check raises, 422 with findings,
        409.

        `back` says that it leads back to what was: evidence then goes on where it stood. `also`
        rides along with this change alone. `undoes` is the revision that it takes back. `gated`:
        gates of its own judged the evidence, as those of a rollout do.
        """
        # Whoever waits for a database that hangs holds the lock: nobody begins to wait for either.
        await self._database.within(_HANGS_S, self.check())
        change_id = uuid4().hex
        made: dict[int, Published] = {}
        async with self._lock:
            until = time.monotonic() + _PATIENCE_S
            while not made or time.monotonic() < until:
                # Nothing is decided on memory: the newest revision is read first, so that neither
                # "nothing differs" nor a precondition is told of a table that is gone.
                await self._refresh()
                if made and (number := await self._number_of(change_id)) in made:
                    return made[number]
                drafted = self.draft(make, back=back)
                if not drafted.changed:
                    return drafted
                await self._ask(drafted, entry, confirm, gated)
                made[drafted.after.revision] = drafted
                new = self._new(drafted, entry, source, change_id, undoes)
                try:
                    if await self._commit(new, also):
                        return drafted
                except OutcomeUnknown as error:
                    await self._answers_again(change_id, error)
                    # Nobody was faster: the database was away.
                    until = time.monotonic() + _PATIENCE_S
        raise conflict("others changed the table at the same time, again and again; try again")

    async def allowed(self, make: Make, entry: AuditEntry) -> None:
        """Ask about a change whose gates judged the evidence, without making it. Raises
        `ApiProblem`."""
        drafted = self.draft(make)
        if drafted.changed:
            await self._ask(drafted, entry, Confirm.NOTHING, gated=True)

    async def _ask(
        self, drafted: Published, entry: AuditEntry, confirm: Confirm, gated: bool
    ) -> None:
        if self.policy is not None:
            await self.policy(drafted, entry, confirm, gated=gated)
        for asked in self.checks:
            await asked(drafted, entry)

    async def _number_of(self, change_id: str) -> int | None:
        async with self._database.read() as connection:
            found = await store.by_change(connection, change_id)
        return None if found is None else found.number

    async def _answers_again(self, change_id: str, error: Exception) -> None:
        """Wait until the database answers, to be asked what became of a commit. Raises
        `ApiProblem` 503 after a while: then nobody knows."""
        _log.warning("the answer to a commit was lost: %s", error)
        until = time.monotonic() + _FIND_OUT_S
        while True:
            try:
                await self._number_of(change_id)
                return
            except UNAVAILABLE:
                if time.monotonic() > until:
                    raise outcome_unknown(change_id) from None
                await asyncio.sleep(0.2)

    def draft(self, make: Make, *, back: bool = False) -> Published:
        """What `change` would do, without doing it. Raises `ApiProblem`."""
        before = self._state.current
        made = make(before)
        if not back:
            made = change.dated(before.table, made, before.revision + 1)
        changes = tuple(
            entry
            for entry in made
            if not _is_kill(entry)
            if entry.value is None or change.get(before.table, entry.kind, entry.id) != entry.value
        )
        if not changes:
            return Published(before, before, changed=False)
        try:
            table = change.apply(before.table, changes)
        except UnknownItem as error:
            raise not_found(error.kind.value, error.id) from None
        wrong, warnings = check(before.table, table, self.plugins)
        if wrong:
            raise refused(wrong + warnings)
        etag = self._state.hasher.table(table)
        after = Snapshot(before.revision + 1, etag, table, now_ms())
        described = change.describe(before.table, changes)
        return Published(before, after, True, described, warnings)

    def _new(
        self,
        drafted: Published,
        entry: AuditEntry,
        source: str,
        change_id: str,
        undoes: int | None,
    ) -> store.NewRevision:
        before, after = drafted.before, drafted.after
        changes = change.diff(before.table, after.table)
        return store.NewRevision(
            base=before,
            after=after,
            changes=changes,
            inverse=change.invert(before.table, changes),
            summary=summary(drafted.described),
            source=source,
            entry=entry,
            change_id=change_id,
            undoes=undoes,
        )

    async def _commit(self, new: store.NewRevision, also: Rider | None) -> bool:
        """Write a revision; False if its base is not the newest any more."""
        try:
            async with self._database.write() as connection:
                await store.append(self._database, connection, self._state, new)
                for rider in (*self.riders, *([] if also is None else [also])):
                    await rider(connection, new)
        except (IntegrityError, store.BaseMoved):
            return False
        entry = new.entry
        self._advance(new.after, new.changes, entry.actor, entry.reason, new.summary)
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
        told = self._told(after)
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

    async def check(self) -> store.Head:
        """What the database holds as the newest. Raises what it raises when it is away, and
        `DatabaseReplaced` where another database answers."""
        self._database.check_file()
        async with self._database.read() as connection:
            newest = await store.head(connection)
        if newest.installation != self._state.installation:
            raise DatabaseReplaced(
                f"the database is another installation ({newest.installation or 'an empty one'}, "
                f"not {self._state.installation}); restart to follow it"
            )
        return newest

    async def _refresh(self) -> None:
        newest = await self.check()
        current = self._state.current
        if newest.revision == current.revision and newest.etag in ("", self._stored_etag):
            return
        if newest.revision <= current.revision:
            _log.warning(
                "the database holds revision %s (hash %s), and this process held %s (hash %s)",
                newest.revision, newest.etag, current.revision, current.etag,
            )  # fmt: skip
            await self._reload()
            return
        await self._catch_up()

    @property
    def _stored_etag(self) -> str:
        return self._state.stored_etag or self._state.current.etag

    async def _catch_up(self) -> None:
        while True:
            async with self._database.read() as connection:
                rows = await store.since(connection, self._state.current.revision, 100)
            for row in rows:
                table = self._next(row)
                if table is None:
                    await self._reload()
                    return
                after = Snapshot(row.number, row.etag, table, row.created_ms)
                self._advance(after, row.changes, row.actor, row.reason, row.summary)
            if len(rows) < 100:
                return

    def _next(self, row: store.StoredRevision) -> Table | None:
        """The table after a revision; None if it does not build on the current one."""
        if row.base_etag != self._stored_etag or row.number != self._state.current.revision + 1:
            return None
        try:
            table = change.apply(self._state.current.table, row.changes)
        except UnknownItem:
            return None
        return table if self._state.hasher.table(table) == row.etag else None

    async def _reload(self) -> None:
        async with self._database.read() as connection:
            found = await store.load(connection, self._state)
        before, snapshot = self._state.current, found.snapshot
        self._state.installation = found.head.installation
        stored = found.head.etag if found.head.etag != snapshot.etag else ""
        self._state.replace(snapshot, found.written, stored)
        if (snapshot.revision, snapshot.etag) != (before.revision, before.etag):
            told = self._told(snapshot)
            self._tables.publish(event("revision", {**told, "base": "", "changes": []}))
            self._live.publish(
                event("revision", {**told, "at_ms": snapshot.created_ms, "summary": []})
            )

    def _told(self, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "revision": snapshot.revision,
            "etag": snapshot.etag,
            "installation": self._state.installation,
        }


def _is_kill(entry: Change) -> bool:
    """Would it turn the kill switch on? That is no part of a table any more: an old revision or an
    old file does not turn it."""
    return entry.kind is Kind.SETTING and entry.id == "kill_switch" and entry.value is True


def summary(described: Iterable[FieldChange]) -> list[str]:
    """A few lines that say what a revision did."""
    lines = [str(entry) for entry in described]
    return lines if len(lines) <= 20 else [*lines[:19], f"and {len(lines) - 19} more"]
