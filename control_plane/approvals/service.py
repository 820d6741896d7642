"""Holds every change of the table to the rules: asked by the publisher, whatever endpoint it was.

A change that lacks approvals is noted with its hash, and refused. Other people approve that hash;
the change made again is then let through, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.approvals import store
from control_plane.approvals.rules import (
    ChangeRules,
    approvals_needed,
    change_hash,
    frozen_by,
)
from control_plane.approvals.store import ChangeRequest
from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, conflict, not_found
from control_plane.publishing.service import Published
from control_plane.publishing.store import NewRevision
from figway.model import change
from figway.model.change import Change, changes_from_data, changes_to_data
from figway.model.table import Table
from figway.rollout.people import person_of, same_person

Emit = Callable[[AsyncConnection, str, str, Mapping[str, Any]], Awaitable[None]]
Starter = Callable[[str], Awaitable[str]]
"""Who started a rollout, by its id: that person cannot approve its moves."""


class ApprovalService:
    """The rules in force, the changes that wait, and who approved them."""

    def __init__(self, database: Database, emit: Emit, starter: Starter) -> None:
        self._database = database
        self._emit = emit
        self._starter = starter

    # -- what the publisher asks ---------------------------------------------------------------

    async def check(self, drafted: Published, entry: AuditEntry) -> None:
        """Raises `ApiProblem` 409: `frozen`, or `approval_required`."""
        before, after = drafted.before.table, drafted.after.table
        async with self._database.read() as connection:
            rules = await store.rules(connection)
        if (freeze := frozen_by(rules, before, after, now_ms())) is not None:
            why = f": {freeze.reason}" if freeze.reason else ""
            raise ApiProblem(
                409, "frozen", "Changes are frozen",
                f"freeze {freeze.id} holds{why}. What only leads back to legacy still passes",
            )  # fmt: skip
        needed = approvals_needed(rules, before, after)
        if needed is None:
            return
        changes = change.diff(before, after)
        wanted = change_hash(before, changes)
        others = await self._others(wanted, entry.actor)
        if len(others) >= needed.need:
            return
        await self._ask(wanted, needed.need, changes, drafted, entry)
        left = needed.need - len(others)
        people = "another person's approval" if left == 1 else f"approvals of {left} other people"
        raise ApiProblem(
            409, "approval_required", "An approval is needed",
            f"{needed.why}: it needs {people}. Ask for: figway approvals approve {wanted[:12]}; "
            "then make the same change again",
        )  # fmt: skip

    async def _others(self, wanted: str, actor: str) -> list[str]:
        starter = await self._started_by(actor)
        async with self._database.read() as connection:
            found = await store.approvers(connection, wanted)
        own = {person_of(actor), person_of(starter)}
        others = {person_of(name): name for name in found}
        return [name for person, name in others.items() if person not in own]

    async def _started_by(self, actor: str) -> str:
        """Who started the rollout that asks; empty if a person asks."""
        if not actor.startswith("rollout:"):
            return ""
        return await self._starter(actor.removeprefix("rollout:"))

    async def _ask(
        self,
        wanted: str,
        need: int,
        changes: tuple[Change, ...],
        drafted: Published,
        entry: AuditEntry,
    ) -> None:
        lines = tuple(str(found) for found in drafted.described[:20])
        request = ChangeRequest(
            hash=wanted, summary=lines, changes=orjson.dumps(changes_to_data(changes)).decode(),
            needs=need, actor=entry.actor, reason=entry.reason, at_ms=now_ms(), status="open",
        )  # fmt: skip
        async with self._database.write() as connection:
            if await store.ask(self._database, connection, request):
                told = {"change": wanted, "needs": need, "summary": list(lines),
                        "actor": entry.actor, "reason": entry.reason}  # fmt: skip
                await self._emit(connection, "figway.approval.needed", wanted[:12], told)

    async def ride(self, connection: AsyncConnection, new: NewRevision) -> None:
        """A rider of the publisher: a change that was made has spent its approvals. Raises
        `ApiProblem` 409 where one was taken away since the publisher asked."""
        before, after = new.base.table, new.after.table
        wanted = change_hash(before, new.changes)
        # First: whoever rejects it at this moment is waited for.
        await store.made(connection, wanted, new.after.revision)
        needed = approvals_needed(await store.rules(connection), before, after)
        if needed is not None:
            found = await store.approvers(connection, wanted)
            people = {person_of(name) for name in found} - {person_of(new.entry.actor)}
            if len(people) < needed.need:
                raise conflict(
                    f"{needed.why}: an approval was taken away, or the rules were changed, while "
                    "the change was made; make it again to ask anew",
                    "approval_required",
                )
        await store.forget_approvals(connection, wanted)

    # -- people --------------------------------------------------------------------------------

    async def rules(self) -> ChangeRules:
        """The rules in force."""
        async with self._database.read() as connection:
            return await store.rules(connection)

    async def put_rules(self, found: ChangeRules, entry: AuditEntry) -> None:
        """Put other rules in force."""
        async with self._database.write() as connection:
            await store.put_rules(self._database, connection, found, entry.actor, now_ms())
            await audit.record(connection, entry, now=now_ms())

    async def requests(self, limit: int) -> list[ChangeRequest]:
        """Changes that wait, then those that waited."""
        async with self._database.read() as connection:
            return await store.requests(connection, limit)

    async def request(self, wanted: str) -> ChangeRequest:
        """One change. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            found = await store.request(connection, wanted)
        if found is None:
            raise not_found("change that waits", wanted)
        return found

    async def approve(self, wanted: str, entry: AuditEntry) -> ChangeRequest:
        """Approve a change. Raises `ApiProblem`: 404; 409 for one's own, or one that is over."""
        found = await self.request(wanted)
        if found.status != "open":
            raise conflict(f"this change is {found.status}", "change_not_open")
        if same_person(found.actor, entry.actor):
            raise conflict("whoever asks for a change cannot approve it", "own_change")
        if same_person(await self._started_by(found.actor), entry.actor):
            raise conflict("whoever started a rollout cannot approve its moves", "own_change")
        async with self._database.write() as connection:
            noted = await store.approve(
                self._database, connection, found.hash, entry.actor, entry.reason, now_ms()
            )
            if not noted:
                raise conflict("this change does not wait any more", "change_not_open")
            await audit.record(connection, entry, now=now_ms())
        return await self.request(found.hash)

    async def reject(self, wanted: str, entry: AuditEntry) -> ChangeRequest:
        """Reject a change; its approvals are gone."""
        found = await self.request(wanted)
        if found.status != "open":
            raise conflict(f"this change is {found.status}", "change_not_open")
        async with self._database.write() as connection:
            if not await store.reject(connection, found.hash):
                raise conflict("this change does not wait any more", "change_not_open")
            await audit.record(connection, entry, now=now_ms())
        return await self.request(found.hash)

    async def changes(self, wanted: str, table: Table) -> tuple[Change, ...]:
        """The changes of a request, to be made now. Raises `ApiProblem`: 404; 409 when the table
        is not as it was when they were asked for."""
        found = await self.request(wanted)
        made = changes_from_data(orjson.loads(found.changes))
        if found.status != "open" or change_hash(table, made) != found.hash:
            raise conflict(
                "the table is not as it was when this change was asked for; make it anew",
                "change_outdated",
            )
        return made
