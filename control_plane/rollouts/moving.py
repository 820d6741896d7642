"""Makes what a step of the machine came to happen, through the one write path.

A move, the state, its timeline and the event that tells of it are one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import conflict
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.service import Confirm, Publisher
from control_plane.publishing.state import Snapshot, TableState
from control_plane.publishing.store import NewRevision
from control_plane.rollouts import store
from control_plane.rollouts.store import Outrun, StoredRollout, TimelineEntry
from control_plane.rollouts.telling import (
    event_data,
    event_type,
    is_news,
    look_of,
    told_reasons,
)
from figway.model import change
from figway.model.change import Change, Kind
from figway.rollout.lint import routes_of
from figway.rollout.machine import Outcome
from figway.rollout.observation import Observation
from figway.rollout.plan import Placement, RolloutPlan, placement_of
from figway.rollout.state import Move

POINT_MS = 30_000
"""Time between two figures that are kept for drawing."""

Emit = Callable[[AsyncConnection, str, str, Mapping[str, Any]], Awaitable[None]]
"""Queues an event for others in a transaction: its type, its subject, its data."""


class Mover:
    """Keeps where rollouts stand, and moves their routes."""

    def __init__(
        self,
        database: Database,
        state: TableState,
        publisher: Publisher,
        live: Hub,
        emit: Emit,
    ) -> None:
        self._database = database
        self._state = state
        self._publisher = publisher
        self._live = live
        self._emit = emit
        self._pointed: dict[str, int] = {}

    async def apply(
        self,
        found: StoredRollout,
        outcome: Outcome,
        seen: Observation,
        kind: str,
        entry: AuditEntry,
        *,
        forced: bool = False,
    ) -> StoredRollout:
        """Make the move and keep the state: both in one transaction, or neither. Raises
        `ApiProblem` 409 where a live proxy cannot open what would serve more, unless `forced`."""
        move = outcome.move
        if move is None:
            return await self.keep(found, outcome, seen, kind, entry)
        kept: list[StoredRollout] = []

        async def also(connection: AsyncConnection, new: NewRevision) -> None:
            kept[:] = [await self._write(connection, found, outcome, seen, kind, entry, new)]

        reason = entry.reason or "; ".join(reason.text for reason in outcome.reasons)
        if not reason:
            reason = f"every gate of step {found.state.step + 1 if found.state else 0} passed"
        audited = replace(entry, reason=reason[:500], action="rollout.move")
        if kind == "tick":
            audited = replace(audited, actor=f"rollout:{found.plan.id}")
        published = await self._publisher.change(
            move_of(found.plan, move, seen.placement),
            audited,
            source="rollout",
            confirm=Confirm.FORCE if forced else Confirm.NOTHING,
            gated=True,
            also=also,
        )
        if not published.changed:
            return await self.keep(found, outcome, seen, kind, entry)
        self._tell_live(found, outcome)
        return kept[0]

    async def keep(
        self,
        found: StoredRollout,
        outcome: Outcome,
        seen: Observation | None,
        kind: str,
        entry: AuditEntry,
    ) -> StoredRollout:
        """Keep a state that moves nothing."""
        async with self._database.write() as connection:
            kept = await self._write(connection, found, outcome, seen, kind, entry, None)
        self._tell_live(found, outcome)
        return kept

    async def _write(
        self,
        connection: AsyncConnection,
        found: StoredRollout,
        outcome: Outcome,
        seen: Observation | None,
        kind: str,
        entry: AuditEntry,
        new: NewRevision | None,
    ) -> StoredRollout:
        now = now_ms()
        look = look_of(outcome, seen)
        if not found.active and not outcome.state.ended:
            await self._alone(connection, found.plan)
        kept = await store.put_state(connection, found, outcome.state, now, look)
        await self._point(connection, found.plan.id, look, now)
        if kind == "tick" and new is None and not is_news(found, outcome):
            return kept
        state, revision = outcome.state, new.after.revision if new else None
        told = TimelineEntry(
            rollout=found.plan.id, at_ms=now, kind=kind, phase=state.phase.value,
            waiting_for=state.waiting_for, step=state.step, reasons=told_reasons(outcome),
            revision=revision, actor=entry.actor, note=entry.reason,
        )  # fmt: skip
        await store.tell(connection, told)
        if new is None and kind != "tick":
            await audit.record(connection, entry, now=now)
        await self._emit(
            connection, event_type(outcome, kind), found.plan.id, event_data(found, outcome, told)
        )
        return kept

    async def _alone(self, connection: AsyncConnection, plan: RolloutPlan) -> None:
        """Raises `ApiProblem` 409 where another rollout moves one of its routes: asked in the
        transaction of whatever begins it, as two may begin at the same moment."""
        await store.begin_in_turn(self._database, connection)
        table = self._state.current.table
        mine = {route.id for route in routes_of(plan.scope, table)}
        for other in await store.everything(connection, active=True):
            shared = mine.intersection(route.id for route in routes_of(other.plan.scope, table))
            if other.plan.id != plan.id and shared:
                raise conflict(
                    f"rollout {other.plan.id} moves route {min(shared)} already: "
                    "abort that one, or let it end",
                    "rollout_overlap",
                )

    async def _point(
        self, connection: AsyncConnection, rollout: str, look: Mapping[str, Any], now: int
    ) -> None:
        last = self._pointed.get(rollout, 0)
        judged = [*look["gates"], *look["guards"]]
        if judged and not 0 <= now - last < POINT_MS:
            names = ("name", "role", "route", "ok", "low", "high", "bound", "value", "n")
            figures = [
                {name: entry[name] for name in names}
                for entry in judged
                if entry["low"] is not None
            ]
            await store.put_point(self._database, connection, rollout, now, figures)
            self._pointed[rollout] = now

    def _tell_live(self, found: StoredRollout, outcome: Outcome) -> None:
        if is_news(found, outcome) or outcome.move is not None:
            state = outcome.state
            told = {"rollout": found.plan.id, "phase": state.phase.value, "step": state.step,
                    "waiting_for": state.waiting_for}  # fmt: skip
            self._live.publish(event("rollout", told))


def move_of(
    plan: RolloutPlan, move: Move, stands: Placement
) -> Callable[[Snapshot], Iterable[Change]]:
    """The move, as long as the routes stand where they were seen."""

    def make(snapshot: Snapshot) -> list[Change]:
        changes = []
        for route in routes_of(plan.scope, snapshot.table):
            if not move.back and placement_of(route) != stands:
                raise Outrun(plan.id)
            weight = move.placement.weight or None
            moved = change.flip(route, move.placement.stage, weight)
            if move.sample is not None:
                moved = replace(moved, shadow=replace(moved.shadow, sample=move.sample))
            if move.back and placement_of(route).exposure < move.placement.exposure:
                continue  # a route that a person took back further stays there
            changes.append(Change(Kind.ROUTE, route.id, moved))
        return changes

    return make
