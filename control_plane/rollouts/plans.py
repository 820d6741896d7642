"""Keeps plans: checks them against the table and against what moves, and takes a document's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import FindingOut, conflict, refused
from control_plane.publishing.check import shown as findings_shown
from control_plane.publishing.state import TableState
from control_plane.rollouts import store
from control_plane.rollouts.observing import Observer
from control_plane.rollouts.reading import RolloutReader
from control_plane.rollouts.store import StoredRollout, TimelineEntry
from figway.model.table import Table
from figway.rollout.lint import lint_plan
from figway.rollout.machine import replanned
from figway.rollout.parsing import plan_to_data
from figway.rollout.plan import RolloutPlan


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A plan that a document adds, changes or deletes; None stands for absent."""

    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    text: str


class RolloutPlans:
    """The plans of this installation."""

    def __init__(
        self, database: Database, state: TableState, observer: Observer, reader: RolloutReader
    ) -> None:
        self._database = database
        self._state = state
        self._observer = observer
        self._reader = reader

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
        known = {found.plan.id: found for found in await self._reader.all()}
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

    async def put_plan(self, plan: RolloutPlan, entry: AuditEntry) -> StoredRollout:
        """Keep a plan. Raises `ApiProblem`: 422 with findings; 409 while it moves."""
        known = await self._reader.known(plan.id)
        if known is not None and known.plan == plan:
            return known
        if known is not None:
            _refuse_moving(known)
        await self.refuse_errors(plan, moving=known is not None and known.active)
        now = now_ms()
        async with self._database.write() as connection:
            await store.put_plan(self._database, connection, plan, entry.actor, now)
            await _replan(connection, plan, now)
            await store.tell(
                connection,
                TimelineEntry(
                    rollout=plan.id, at_ms=now, kind="planned",
                    phase=known.phase if known else store.PLANNED,
                    actor=entry.actor, note=entry.reason,
                ),
            )  # fmt: skip
            await audit.record(connection, entry, now=now)
        return await self._reader.get(plan.id)

    async def delete(self, rollout: str, entry: AuditEntry) -> None:
        """Forget a rollout. Raises `ApiProblem`: 404; 409 while it moves."""
        found = await self._reader.get(rollout)
        if found.active:
            raise conflict(f"rollout {rollout} is {found.phase}: abort it first", "rollout_moves")
        async with self._database.write() as connection:
            if not await store.remove(connection, found):
                raise conflict(f"rollout {rollout} moved meanwhile", "rollout_moved")
            await audit.record(connection, entry, now=now_ms())

    async def described(self, plans: Sequence[RolloutPlan]) -> list[PlanChange]:
        """What a document's plans would change."""
        known = {found.plan.id: plan_to_data(found.plan) for found in await self._reader.all()}
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
        for found in await self._reader.all():
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
        for found in await self._reader.all():
            if found.plan.id not in named:
                await self.delete(found.plan.id, replace(entry, action="rollout.delete"))

    async def refuse_errors(self, plan: RolloutPlan, *, moving: bool = False) -> None:
        """Raises `ApiProblem` 422 with findings unless the plan can be done."""
        found = await self.lint(plan, moving=moving)
        if any(entry.severity == "error" for entry in found):
            raise refused(found, "The rollout cannot be done")


async def _replan(connection: AsyncConnection, plan: RolloutPlan, now: int) -> None:
    """Let a rollout that was started stand in the step of its new plan. Raises `ApiProblem` 409
    when somebody started it meanwhile."""
    found = await store.read(connection, plan.id)
    if found is not None and found.state is not None:
        _refuse_moving(found)
        await store.put_state(connection, found, replanned(plan, found.state), now)


def _refuse_moving(found: StoredRollout) -> None:
    if found.active and found.phase != "paused":
        raise conflict(
            f"rollout {found.plan.id} is {found.phase}: pause it before its plan is changed",
            "rollout_moves",
        )
