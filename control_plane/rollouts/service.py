"""Starts rollouts, tells them what people say, and looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from control_plane.audit.entry import AuditEntry
from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, conflict
from control_plane.publishing.hub import Hub
from control_plane.publishing.service import Publisher
from control_plane.publishing.state import TableState
from control_plane.rollouts.moving import Emit, Mover, move_of
from control_plane.rollouts.observing import Observer
from control_plane.rollouts.plans import RolloutPlans
from control_plane.rollouts.ports import CheckResult, ExternalCheck
from control_plane.rollouts.reading import RolloutReader
from control_plane.rollouts.store import Outrun, StoredRollout
from figway.rollout.guards import judge_guards
from figway.rollout.machine import Outcome, begin, step
from figway.rollout.observation import Observation, Policy
from figway.rollout.plan import RolloutPlan
from figway.rollout.state import (
    EventKind,
    Move,
    Reason,
    RolloutEvent,
    RolloutRefusal,
    RolloutState,
)

_POLICIES: Mapping[str, Policy] = {"frozen": "freeze", "approval_required": "approval"}
"""What the rules of changes answer, by the code of the problem; any other is a refused table."""

_SAFE = (EventKind.PAUSE, EventKind.ABORT)
"""Words that are right wherever the routes stand by now."""
_TRIES = 8
"""A word is judged so often when looks come between; they are seconds apart."""


class RolloutService(RolloutReader):
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
        super().__init__(database, state)
        self.plans = RolloutPlans(database, state, observer, self)
        self._publisher = publisher
        self._observer = observer
        self._check = check
        self._mover = Mover(database, state, publisher, live, emit)

    # -- people --------------------------------------------------------------------------------

    async def start(self, rollout: str, entry: AuditEntry, person: str) -> StoredRollout:
        """Begin, where the routes stand. Raises `ApiProblem`: 404, 422, 409 if it moves already."""
        found = await self.get(rollout)
        _refuse_active(found)
        await self.plans.refuse_errors(found.plan)
        seen = await self._seen(found.plan, None)
        state = begin(found.plan, seen, person)
        if found.state is not None:
            state = replace(state, attempts=found.state.attempts + 1)
        reasons = (Reason(code="started", text=f"started at {seen.placement}"),)
        outcome = Outcome(state=state, move=None, reasons=reasons)
        try:
            return await self._mover.keep(found, outcome, seen, "start", entry)
        except Outrun:
            raise _outrun() from None

    async def refuse_moving(self, rollout: str) -> None:
        """Raises `ApiProblem` 409 while it moves: nothing of what comes with a start is kept."""
        found = await self.known(rollout)
        if found is not None:
            _refuse_active(found)

    async def tell(
        self,
        rollout: str,
        kind: EventKind,
        entry: AuditEntry,
        person: str,
        *,
        forced: bool = False,
    ) -> StoredRollout:
        """Let a person's word happen. Raises `ApiProblem`: 404; 409 with why not. `forced`: also
        where a live proxy cannot open what would serve more.

        A look that comes between is no reason to refuse it: it is judged again, unless it would
        lead further than where the person saw the routes stand.
        """
        said_of = found = await self.get(rollout)
        for _ in range(_TRIES):
            if kind not in _SAFE and not _stands_still(said_of, found):
                break
            try:
                return await self._told(found, kind, entry, person, forced)
            except Outrun:
                found = await self.get(rollout)
        raise _outrun()

    async def _told(
        self,
        found: StoredRollout,
        kind: EventKind,
        entry: AuditEntry,
        person: str,
        forced: bool,
    ) -> StoredRollout:
        if found.state is None:
            raise conflict(f"rollout {found.plan.id} was never started", "rollout_wrong_state")
        seen = await self._seen(found.plan, found.state)
        if kind is EventKind.PROMOTE:
            seen = await self._asked(found, seen)
        try:
            outcome = step(found.plan, found.state, RolloutEvent(kind=kind, actor=person), seen)
        except RolloutRefusal as error:
            raise conflict(str(error), error.code) from None
        return await self._mover.apply(found, outcome, seen, kind.value, entry, forced=forced)

    # -- looking -------------------------------------------------------------------------------

    async def tick(self, rollout: str) -> StoredRollout | None:
        """Look at one rollout, and do what follows. None when nothing is left to do, or somebody
        else was faster: then it is looked at again."""
        found = await self.known(rollout)
        if found is None or found.state is None or found.state.ended:
            return None
        try:
            return await self._followed(found, found.state)
        except Outrun:
            return None

    async def _followed(self, found: StoredRollout, state: RolloutState) -> StoredRollout:
        seen = await self._look(found.plan, state)
        if seen is None:
            return await self._gone(found)
        seen = await self._guarded(found, seen)
        outcome = step(found.plan, state, RolloutEvent(), seen)
        if outcome.move is not None and not outcome.move.back:
            seen = await self._asked(found, seen, outcome.move)
            outcome = step(found.plan, state, RolloutEvent(), seen)
        rollout = found.plan.id
        entry = AuditEntry(f"rollout:{rollout}", "", "rollout.move", f"rollout {rollout}")
        return await self._mover.apply(found, outcome, seen, "tick", entry)

    async def _gone(self, found: StoredRollout) -> StoredRollout:
        """Its routes were deleted: there is nothing left to move."""
        assert found.state is not None
        reason = Reason(code="routes_gone", text=f"{found.plan.scope} has no routes any more")
        over = replace(found.state, phase=type(found.state.phase).SUPERSEDED, waiting_for="")
        entry = AuditEntry(f"rollout:{found.plan.id}", "", "rollout.move", found.plan.id)
        outcome = Outcome(state=over, move=None, reasons=(reason,))
        return await self._mover.keep(found, outcome, None, "tick", entry)

    async def _seen(self, plan: RolloutPlan, state: RolloutState | None) -> Observation:
        seen = await self._look(plan, state)
        if seen is None:
            raise conflict(f"{plan.scope} has no routes", "rollout_target_unknown")
        return seen

    async def _look(self, plan: RolloutPlan, state: RolloutState | None) -> Observation | None:
        """What is seen by a table that is at least as new as the state, which was read before: one
        that another control plane moved on would look as if a person had moved the routes."""
        await self._publisher.refresh()
        return await self._observer.look(plan, state)

    async def _guarded(self, found: StoredRollout, seen: Observation) -> Observation:
        """With what the guards' webhook says, where there is one and users are on new. Where
        another guard is breached it is not asked: the way back waits for nobody's answer."""
        url = found.plan.guards.webhook
        if not url or not seen.placement.serves or found.state is None:
            return seen
        if any(not guard.ok for guard in judge_guards(found.plan, found.state, seen)):
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
                move_of(found.plan, move, seen.placement),
                AuditEntry(f"rollout:{found.plan.id}", "", "rollout.move", found.plan.id),
            )
        except ApiProblem as problem:
            answer = _POLICIES.get(problem.code, "refused")
            return replace(seen, policy=answer, policy_said=problem.detail)
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


def _refuse_active(found: StoredRollout) -> None:
    if found.active:
        ways = "resume or abort it" if found.phase == "paused" else "abort it to begin anew"
        raise conflict(f"rollout {found.plan.id} is {found.phase}: {ways}", "rollout_moves")


def _stands_still(before: StoredRollout, now: StoredRollout) -> bool:
    """Whether it is in the step, and under the plan, in which it was."""
    if before.state is None or now.state is None:
        return before.state is now.state
    return (before.plan, before.state.step) == (now.plan, now.state.step)


def _outrun() -> ApiProblem:
    return conflict("the rollout moved meanwhile; look at it again", "rollout_moved")
