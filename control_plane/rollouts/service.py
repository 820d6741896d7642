"""Starts rollouts, tells them what people say, and makes their moves through the one write path."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, FindingOut, conflict, not_found, refused
from control_plane.publishing.check import shown as findings_shown
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.service import Confirm, Publisher
from control_plane.publishing.state import Snapshot, TableState
from control_plane.publishing.store import NewRevision
from control_plane.rollouts import store
from control_plane.rollouts.observing import Observer
from control_plane.rollouts.ports import CheckResult, ExternalCheck
from control_plane.rollouts.store import Outrun, StoredRollout, TimelineEntry
from figway.model import change
from figway.model.change import Change, Kind
from figway.model.table import Table
from figway.rollout.lint import lint_plan, routes_of
from figway.rollout.machine import Outcome, begin, step
from figway.rollout.observation import Observation
from figway.rollout.parsing import plan_to_data
from figway.rollout.plan import Placement, RolloutPlan, placement_of
from figway.rollout.state import (
    EventKind,
    Move,
    Reason,
    RolloutEvent,
    RolloutRefusal,
    RolloutState,
)

_log = logging.getLogger(__name__)
POINT_MS = 30_000
"""Time between two figures that are kept for drawing."""

Emit = Callable[[AsyncConnection, str, str, Mapping[str, Any]], Awaitable[None]]
"""Queues an event for others in a transaction: its type, its subject, its data."""


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A plan that a document adds, changes or deletes; None stands for absent."""

    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    text: str


class RolloutService:
    """The rollouts of this installation."""

    def __init__(
        self,
        database: Database,
        state: TableState,
        publisher: Publisher,
        observer: Observer,
        check: ExternalCheck,
        live: Hub,
        emit: Emit,
    ) -> None:
        self._database = database
        self._state = state
        self._publisher = publisher
        self._observer = observer
        self._check = check
        self._live = live
        self._emit = emit
        self._pointed: dict[str, int] = {}

    # -- reading -------------------------------------------------------------------------------

    async def all(self) -> list[StoredRollout]:
        """Every rollout by id."""
        async with self._database.read() as connection:
            return await store.everything(connection)

    async def get(self, rollout: str) -> StoredRollout:
        """One rollout. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            found = await store.read(connection, rollout)
        if found is None:
            raise not_found("rollout", rollout)
        return found

    async def timeline(self, rollout: str, before: int | None, limit: int) -> list[TimelineEntry]:
        """Its timeline, newest first."""
        async with self._database.read() as connection:
            return await store.timeline(connection, rollout, before=before, limit=limit)

    async def points(self, rollout: str, since_ms: int) -> Sequence[tuple[int, Any]]:
        """The figures of its gates and guards since then."""
        async with self._database.read() as connection:
            return await store.points(connection, rollout, since_ms)

    async def moving(self) -> dict[str, StoredRollout]:
        """By route: the rollout that moves it at present."""
        async with self._database.read() as connection:
            active = await store.everything(connection, active=True)
        table = self._state.current.table
        return {route.id: found for found in active for route in routes_of(found.plan.scope, table)}

    async def counted(self) -> tuple[list[StoredRollout], list[tuple[str, str, int]]]:
        """Every rollout, and how often which guard led back: (rollout, guard, times)."""
        async with self._database.read() as connection:
            return await store.everything(connection), await store.aborts(connection)

    async def started_by(self, rollout: str) -> str:
        """Who started a rollout; empty if nobody did."""
        found = await self._known(rollout)
        return "" if found is None or found.state is None else found.state.started_by

    async def lint(
        self, plan: RolloutPlan, *, moving: bool = False, table: Table | None = None
    ) -> list[FindingOut]:
        """What is wrong with a plan, held against a table (the current one) and what moves
        already."""
        async with self._database.read() as connection:
            others = await store.everything(connection, active=True)
        return findings_shown(
            lint_plan(
                plan,
                table or self._state.current.table,
                [found.plan for found in others],
                zones=available_timezones(),
                moving=moving,
                pairs_per_day=await self._pairs_per_day(plan),
            )
        )

    async def lint_all(self, plans: Sequence[RolloutPlan], table: Table) -> list[FindingOut]:
        """What is wrong with the plans of a document, held against its table."""
        known = {found.plan.id: found for found in await self.all()}
        findings = []
        for plan in plans:
            before = known.get(plan.id)
            if before is None or before.plan != plan:
                moving = before is not None and before.active
                findings += await self.lint(plan, moving=moving, table=table)
        return findings

    async def _pairs_per_day(self, plan: RolloutPlan) -> float | None:
        per_s = await self._observer.pairs_per_s(plan)
        return per_s * 86_400 if per_s else None

    # -- plans ---------------------------------------------------------------------------------

    async def put_plan(self, plan: RolloutPlan, entry: AuditEntry) -> StoredRollout:
        """Keep a plan. Raises `ApiProblem`: 422 with findings; 409 while it moves."""
        known = await self._known(plan.id)
        if known is not None and known.plan == plan:
            return known
        if known is not None and known.active and known.phase != "paused":
            raise conflict(
                f"rollout {plan.id} is {known.phase}: pause it before its plan is changed",
                "rollout_moves",
            )
        await self._refuse_errors(plan, moving=known is not None and known.active)
        now = now_ms()
        async with self._database.write() as connection:
            await store.put_plan(self._database, connection, plan, entry.actor, now)
            await store.tell(
                connection,
                TimelineEntry(
                    rollout=plan.id, at_ms=now, kind="planned",
                    phase=known.phase if known else store.PLANNED,
                    actor=entry.actor, note=entry.reason,
                ),
            )  # fmt: skip
            await audit.record(connection, entry, now=now)
        return await self.get(plan.id)

    async def delete(self, rollout: str, entry: AuditEntry) -> None:
        """Forget a rollout. Raises `ApiProblem`: 404; 409 while it moves."""
        found = await self.get(rollout)
        if found.active:
            raise conflict(f"rollout {rollout} is {found.phase}: abort it first", "rollout_moves")
        async with self._database.write() as connection:
            await store.remove(connection, rollout)
            await audit.record(connection, entry, now=now_ms())

    async def described(self, plans: Sequence[RolloutPlan]) -> list[PlanChange]:
        """What a document's plans would change."""
        known = {found.plan.id: plan_to_data(found.plan) for found in await self.all()}
        named = {plan.id: plan_to_data(plan) for plan in plans}
        found = []
        for plan_id in [*named, *(name for name in known if name not in named)]:
            before, after = known.get(plan_id), named.get(plan_id)
            if before != after:
                word = "added" if before is None else "deleted" if after is None else "changed"
                text = f"rollout {plan_id}: {word}"
                found.append(PlanChange(plan_id, before, after, text))
        return found

    async def refuse_plans(self, plans: Sequence[RolloutPlan], table: Table) -> None:
        """Raises `ApiProblem` unless the plans can be kept: 422, or 409 for one that moves."""
        findings = await self.lint_all(plans, table)
        if any(entry.severity == "error" for entry in findings):
            raise refused(findings, "A rollout cannot be done")
        named = {plan.id: plan for plan in plans}
        for found in await self.all():
            plan = named.get(found.plan.id)
            stays = plan == found.plan or (plan is not None and found.phase == "paused")
            if found.active and not stays:
                raise conflict(
                    f"rollout {found.plan.id} is {found.phase}, and the document changes it:"
                    " pause or abort it first",
                    "rollout_moves",
                )

    async def replace_plans(self, plans: Sequence[RolloutPlan], entry: AuditEntry) -> None:
        """Make the plans what a document says: one that it does not name is forgotten.

        Raises `ApiProblem`: 422; 409 when one that moves would change or go.
        """
        named = {plan.id for plan in plans}
        for plan in plans:
            await self.put_plan(plan, replace(entry, action="rollout.plan"))
        for found in await self.all():
            if found.plan.id not in named:
                await self.delete(found.plan.id, replace(entry, action="rollout.delete"))

    async def _known(self, rollout: str) -> StoredRollout | None:
        async with self._database.read() as connection:
            return await store.read(connection, rollout)

    async def _refuse_errors(self, plan: RolloutPlan, *, moving: bool = False) -> None:
        found = await self.lint(plan, moving=moving)
        if any(entry.severity == "error" for entry in found):
            raise refused(found, "The rollout cannot be done")

    # -- people --------------------------------------------------------------------------------

    async def start(self, rollout: str, entry: AuditEntry, person: str) -> StoredRollout:
        """Begin, where the routes stand. Raises `ApiProblem`: 404, 422, 409 if it moves already."""
        found = await self.get(rollout)
        if found.active:
            raise conflict(f"rollout {rollout} is {found.phase} already", "rollout_moves")
        await self._refuse_errors(found.plan)
        seen = await self._seen(found.plan, None)
        state = begin(found.plan, seen, person)
        if found.state is not None:
            state = replace(state, attempts=found.state.attempts + 1)
        reasons = (Reason(code="started", text=f"started at {seen.placement}"),)
        outcome = Outcome(state=state, move=None, reasons=reasons)
        return await self._keep(found, outcome, seen, "start", entry)

    async def tell(
        self, rollout: str, kind: EventKind, entry: AuditEntry, person: str
    ) -> StoredRollout:
        """Let a person's word happen. Raises `ApiProblem`: 404; 409 with why not."""
        found = await self.get(rollout)
        if found.state is None:
            raise conflict(f"rollout {rollout} was never started", "rollout_wrong_state")
        seen = await self._seen(found.plan, found.state)
        if kind is EventKind.PROMOTE:
            seen = await self._asked(found, seen)
        try:
            outcome = step(found.plan, found.state, RolloutEvent(kind=kind, actor=person), seen)
        except RolloutRefusal as error:
            raise conflict(str(error), error.code) from None
        try:
            return await self._apply(found, outcome, seen, kind.value, entry)
        except Outrun:
            raise conflict("the rollout moved meanwhile; look at it again", "rollout_moved") from (
                None
            )

    # -- looking -------------------------------------------------------------------------------

    async def tick(self, rollout: str) -> StoredRollout | None:
        """Look at one rollout, and do what follows. None when nothing is left to do."""
        found = await self._known(rollout)
        if found is None or found.state is None or found.state.ended:
            return None
        seen = await self._observer.look(found.plan, found.state)
        if seen is None:
            return await self._gone(found)
        seen = await self._guarded(found, seen)
        outcome = step(found.plan, found.state, RolloutEvent(), seen)
        if outcome.move is not None and not outcome.move.back:
            seen = await self._asked(found, seen, outcome.move)
            outcome = step(found.plan, found.state, RolloutEvent(), seen)
        entry = AuditEntry(f"rollout:{rollout}", "", "rollout.move", f"rollout {rollout}")
        try:
            return await self._apply(found, outcome, seen, "tick", entry)
        except Outrun:
            return None  # another control plane, or a person, was faster: it is looked at again

    async def _gone(self, found: StoredRollout) -> StoredRollout:
        """Its routes were deleted: there is nothing left to move."""
        assert found.state is not None
        reason = Reason(code="routes_gone", text=f"{found.plan.scope} has no routes any more")
        over = replace(found.state, phase=type(found.state.phase).SUPERSEDED, waiting_for="")
        entry = AuditEntry(f"rollout:{found.plan.id}", "", "rollout.move", found.plan.id)
        outcome = Outcome(state=over, move=None, reasons=(reason,))
        return await self._keep(found, outcome, None, "tick", entry)

    async def _seen(self, plan: RolloutPlan, state: RolloutState | None) -> Observation:
        seen = await self._observer.look(plan, state)
        if seen is None:
            raise conflict(f"{plan.scope} has no routes", "rollout_target_unknown")
        return seen

    async def _guarded(self, found: StoredRollout, seen: Observation) -> Observation:
        """With what the guards' webhook says, where there is one and users are on new."""
        url = found.plan.guards.webhook
        if not url or not seen.placement.serves:
            return seen
        said = await self._check.ask(url, self._question(found, seen, "guard"))
        return replace(seen, guard_webhook=said.answer, webhook_said=said.text)

    async def _asked(
        self, found: StoredRollout, seen: Observation, move: Move | None = None
    ) -> Observation:
        """With what the gates' webhook and the policy say: asked only when all else holds."""
        url = found.plan.gates.webhook
        if url:
            said: CheckResult = await self._check.ask(url, self._question(found, seen, "gate"))
            answer = "pass" if said.answer == "pass" else "hold"
            seen = replace(seen, gate_webhook=answer, webhook_said=said.text)  # type: ignore[arg-type]
        if move is None:
            return seen
        try:
            await self._publisher.allowed(
                self._make(found.plan, move, seen.placement),
                AuditEntry(f"rollout:{found.plan.id}", "", "rollout.move", found.plan.id),
            )
        except ApiProblem as problem:
            kind = "freeze" if problem.code == "frozen" else "approval"
            return replace(seen, policy=kind, policy_said=problem.detail)  # type: ignore[arg-type]
        return seen

    def _question(self, found: StoredRollout, seen: Observation, role: str) -> dict[str, object]:
        assert found.state is not None
        return {
            "rollout": found.plan.id,
            "role": role,
            "step": found.state.step,
            "stage": seen.placement.stage.value,
            "weight": seen.placement.weight,
            "routes": [route.route for route in seen.routes],
        }

    # -- doing ---------------------------------------------------------------------------------

    async def _apply(
        self,
        found: StoredRollout,
        outcome: Outcome,
        seen: Observation,
        kind: str,
        entry: AuditEntry,
    ) -> StoredRollout:
        """Make the move and keep the state: both in one transaction, or neither."""
        move = outcome.move
        if move is None:
            return await self._keep(found, outcome, seen, kind, entry)
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
            self._make(found.plan, move, seen.placement),
            audited,
            source="rollout",
            confirm=Confirm.FORCE,
            also=also,
        )
        if not published.changed:
            return await self._keep(found, outcome, seen, kind, entry)
        self._tell_live(found, outcome)
        return kept[0]

    def _make(
        self, plan: RolloutPlan, move: Move, stands: Placement
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

    async def _keep(
        self,
        found: StoredRollout,
        outcome: Outcome,
        seen: Observation | None,
        kind: str,
        entry: AuditEntry,
    ) -> StoredRollout:
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
        kept = await store.put_state(connection, found, outcome.state, now, look)
        await self._point(connection, found.plan.id, look, now)
        if kind == "tick" and new is None and not _is_news(found, outcome):
            return kept
        state, revision = outcome.state, new.after.revision if new else None
        told = TimelineEntry(
            rollout=found.plan.id, at_ms=now, kind=kind, phase=state.phase.value,
            waiting_for=state.waiting_for, step=state.step, reasons=outcome.reasons,
            revision=revision, actor=entry.actor, note=entry.reason,
        )  # fmt: skip
        await store.tell(connection, told)
        if new is None and kind != "tick":
            await audit.record(connection, entry, now=now)
        await self._emit(
            connection, event_type(outcome, kind), found.plan.id, event_data(found, outcome, told)
        )
        return kept

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
        if _is_news(found, outcome) or outcome.move is not None:
            state = outcome.state
            told = {"rollout": found.plan.id, "phase": state.phase.value, "step": state.step,
                    "waiting_for": state.waiting_for}  # fmt: skip
            self._live.publish(event("rollout", told))


def _is_news(found: StoredRollout, outcome: Outcome) -> bool:
    """Whether a timeline has to tell of it: what it stands for, or why, has changed."""
    before = found.state
    if before is None:
        return True
    codes = [entry["code"] for entry in found.look.get("reasons", ())]
    stands = (before.phase, before.step, before.waiting_for, before.attempts)
    state = outcome.state
    stood = (state.phase, state.step, state.waiting_for, state.attempts)
    return stands != stood or codes != [reason.code for reason in outcome.reasons]


def look_of(outcome: Outcome, seen: Observation | None) -> dict[str, Any]:
    """The last look as it is kept and shown."""
    return {
        "reasons": [
            {"code": r.code, "text": r.text, "value": r.value, "bound": r.bound, "n": r.n}
            for r in outcome.reasons
        ],
        "gates": [judged_data(entry) for entry in outcome.gates],
        "guards": [judged_data(entry) for entry in outcome.guards],
        "stands": None if seen is None else str(seen.placement),
        "build": outcome.state.build,
        "held_ms": outcome.state.held_ms,
    }


def judged_data(entry: Any) -> dict[str, Any]:
    """A judgement as plain data."""
    names = (
        "name", "role", "ok", "code", "text", "route", "low", "high", "bound", "value", "n",
        "needs", "phi",
    )  # fmt: skip
    return {name: getattr(entry, name) for name in names}


def event_type(outcome: Outcome, kind: str) -> str:
    """The type of the event that tells of it."""
    if kind == "start":
        return "figway.rollout.started"
    if outcome.move is not None and outcome.state.phase.value == "running":
        return "figway.rollout.moved"
    return f"figway.rollout.{outcome.state.phase.value}"


def event_data(found: StoredRollout, outcome: Outcome, told: TimelineEntry) -> dict[str, Any]:
    """What others are told."""
    return {
        "rollout": found.plan.id,
        "target": str(found.plan.scope),
        "phase": told.phase,
        "waiting_for": told.waiting_for,
        "step": told.step,
        "stands": str(outcome.state.expected),
        "reasons": [{"code": r.code, "text": r.text} for r in told.reasons],
        "revision": told.revision,
        "actor": told.actor,
        "note": told.note,
    }
