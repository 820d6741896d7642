"""The state machine of a rollout, as a table.

`TABLE` says what may happen, row by row; the first row whose state, event and condition hold is
taken. What the words of the table mean stands in `figway.rollout.conditions`. The diagram in
docs/concepts/rollouts.md is generated from the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from figway.rollout import conditions
from figway.rollout.conditions import CONDITIONS, Look
from figway.rollout.judging import RolloutJudgement
from figway.rollout.observation import Observation
from figway.rollout.plan import Placement, RolloutPlan
from figway.rollout.state import (
    Anew,
    EventKind,
    Move,
    Reason,
    RolloutEvent,
    RolloutPhase,
    RolloutRefusal,
    RolloutState,
    Waiting,
)

P = RolloutPhase
MoveTo = Literal["", "next", "previous", "floor", "last", "anchor"]
"""The step that a row leads to, and the move that it makes; `anchor` is the step that the routes
stand in already."""


@dataclass(frozen=True, slots=True)
class Row:
    """One transition."""

    phases: frozenset[RolloutPhase]
    event: EventKind
    condition: str
    becomes: RolloutPhase
    waiting_for: Waiting = ""
    move: MoveTo = ""


_WALKING = frozenset({P.PENDING, P.RUNNING, P.WAITING})
_BACK = frozenset({P.STEPPING_BACK})
_PAUSED = frozenset({P.PAUSED})
_ACTIVE = _WALKING | _BACK
_OPEN = _ACTIVE | _PAUSED
_T = EventKind.TICK

TABLE: tuple[Row, ...] = (
    # What stands above everything: the kill switch, and people.
    Row(_ACTIVE, _T, "kill", P.WAITING, "kill"),
    Row(_OPEN, _T, "moved_further", P.SUPERSEDED),
    Row(_ACTIVE, _T, "moved_back", P.PAUSED),
    # Guards, in every state that is not over.
    Row(_ACTIVE, _T, "breached_step_back", P.STEPPING_BACK, "proxies", "previous"),
    Row(_PAUSED, _T, "breached_step_back", P.PAUSED, "", "previous"),
    Row(_OPEN, _T, "breached_too_often", P.PAUSED, "", "previous"),
    Row(_OPEN, _T, "breached_legacy", P.ABORTED, "", "floor"),
    Row(_ACTIVE, _T, "breached_pause", P.PAUSED),
    # After a step back.
    Row(_BACK, _T, "proxies_behind", P.STEPPING_BACK, "proxies"),
    Row(_BACK, _T, "always", P.RUNNING),
    # What has to hold before the next step.
    Row(_WALKING, _T, "proxies_behind", P.WAITING, "proxies"),
    Row(_WALKING, _T, "stale", P.WAITING, "data"),
    Row(_WALKING, _T, "hold_left", P.WAITING, "hold"),
    Row(_WALKING, _T, "gate_closed", P.WAITING, "data"),
    Row(_WALKING, _T, "webhook_holds", P.WAITING, "webhook"),
    Row(_WALKING, _T, "last_step", P.COMPLETED),
    Row(_WALKING, _T, "table_refuses", P.WAITING, "table"),
    Row(_WALKING, _T, "approval_missing", P.WAITING, "approval"),
    Row(_WALKING, _T, "frozen", P.WAITING, "window"),
    Row(_WALKING, _T, "hours_closed", P.WAITING, "window"),
    Row(_WALKING, _T, "always", P.RUNNING, "", "next"),
    # People.
    Row(_WALKING, EventKind.APPROVE, "may_approve", P.RUNNING),
    Row(_ACTIVE, EventKind.PAUSE, "always", P.PAUSED),
    Row(_PAUSED, EventKind.RESUME, "always", P.RUNNING, "", "anchor"),
    Row(_OPEN, EventKind.PROMOTE, "may_promote_last", P.COMPLETED),
    Row(_OPEN, EventKind.PROMOTE, "may_promote", P.RUNNING, "", "next"),
    Row(_OPEN, EventKind.PROMOTE_FULL, "may_promote_full", P.RUNNING, "", "last"),
    Row(_OPEN, EventKind.ABORT, "always", P.ABORTED, "", "floor"),
    Row(frozenset({P.ABORTED}), EventKind.RETRY, "always", P.PENDING, "", "anchor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step of the machine came to."""

    state: RolloutState
    move: Move | None
    reasons: tuple[Reason, ...]
    gates: tuple[RolloutJudgement, ...] = ()
    guards: tuple[RolloutJudgement, ...] = ()


def begin(plan: RolloutPlan, seen: Observation, actor: str) -> RolloutState:
    """The state of a rollout that starts now: at the step that the routes stand in already."""
    fresh = RolloutState(
        started_by=actor, since_ms=seen.now_ms, looked_ms=seen.now_ms, build=seen.build,
        subject=seen.subject, reference=seen.reference,
    )  # fmt: skip
    return _anchored(plan, fresh, seen)


def replanned(plan: RolloutPlan, state: RolloutState) -> RolloutState:
    """The state under another plan: its step is that of the new plan in which the routes stand.

    What was approved, held or doubled belongs to steps of the old one.
    """
    step = _step_at(plan, state.expected)
    return replace(
        state, step=step, held_ms=0, approved_step=-1, approved_by="", doubled=(),
    )  # fmt: skip


def step(plan: RolloutPlan, state: RolloutState, event: RolloutEvent, seen: Observation) -> Outcome:
    """What happens to a rollout in `state` when `event` meets what was `seen`.

    Raises:
        RolloutRefusal: a person's word that cannot be followed now. A look never raises.
    """
    state = _looked(plan, state, seen)
    look = Look(plan, state, event, seen)
    for row in TABLE:
        if state.phase in row.phases and event.kind is row.event and _holds(row, look):
            return _taken(row, look)
    if event.kind is not EventKind.TICK:
        raise RolloutRefusal(*conditions.refusal(look))
    return Outcome(
        state=state, move=None, reasons=conditions.standing(look), gates=look.gates,
        guards=look.guards,
    )  # fmt: skip


def _holds(row: Row, look: Look) -> bool:
    return CONDITIONS[row.condition](look)


def _taken(row: Row, look: Look) -> Outcome:
    reasons = conditions.reasons(row.condition, look)
    state, move = _MOVES[row.move](look)
    paused_by = conditions.merged(look, reasons) if row.becomes is P.PAUSED else ()
    state = replace(state, phase=row.becomes, waiting_for=row.waiting_for, paused_by=paused_by)
    if look.event.kind is EventKind.APPROVE:
        state = replace(state, approved_step=state.step, approved_by=look.event.actor)
    if row.condition.startswith("breached"):
        state = _doubled(state, look.state.step)
    if look.plan.observe:
        if look.event.kind is EventKind.TICK and (move or row.condition.startswith("breached")):
            return _told(look, move, reasons)
        state, move = replace(state, expected=look.seen.placement), None
    if row.becomes is P.ABORTED and look.event.kind is EventKind.TICK:
        reasons = (*reasons, Reason(code="aborted", text=f"back to {look.plan.floor}"))
    return Outcome(state=state, move=move, reasons=reasons, gates=look.gates, guards=look.guards)


def _told(look: Look, move: Move | None, reasons: tuple[Reason, ...]) -> Outcome:
    """An observing plan says what it would do, and stays where it is."""
    code, text = "would_pause", "would pause"
    if move is not None:
        code = "would_step_back" if move.back else "would_move"
        text = f"would {'go back' if move.back else 'move'} to {move.placement}"
    phase = P.PAUSED if look.state.phase is P.PAUSED else P.RUNNING
    state = replace(look.state, phase=phase, waiting_for="")
    told = (Reason(code=code, text=f"{text}; the plan only observes"), *reasons)
    return Outcome(state=state, move=None, reasons=told, gates=look.gates, guards=look.guards)


# -- looking -----------------------------------------------------------------------------------

_LONGEST_LOOK_MS = 120_000
"""Time between two looks that counts as held: nobody looked for longer."""


def _looked(plan: RolloutPlan, state: RolloutState, seen: Observation) -> RolloutState:
    """The state with the time that passed, and with what new's build means."""
    passed = min(max(0, seen.now_ms - state.looked_ms), _LONGEST_LOOK_MS)
    counts = state.phase in (P.RUNNING, P.WAITING) and conditions.is_fresh(plan, seen)
    held = state.held_ms + (passed if counts and not seen.kill else 0)
    state = replace(
        state,
        held_ms=held,
        looked_ms=seen.now_ms,
        since_ms=min(state.since_ms, seen.now_ms),  # the clock went back
        build_ms=min(state.build_ms, seen.now_ms),
        reference=state.reference or seen.reference,
    )
    if plan.observe and not state.ended and seen.placement != state.expected:
        state = _anchored(plan, state, seen)
    return _anew(state, seen)


def _anew(state: RolloutState, seen: Observation) -> RolloutState:
    """Another build of new, another backend or other requests: nothing of that was held or approved
    yet. The first that is heard of is no change."""
    build, subject = seen.build or state.build, seen.subject or state.subject
    known = replace(state, build=build, subject=subject)
    changed: Anew = ""
    if state.build and build != state.build:
        changed = "build"
    if state.subject and subject != state.subject:
        changed = "subject"
    if not changed:
        return known
    return replace(
        known, build_ms=seen.now_ms, anew=changed, approved_step=-1, approved_by="", held_ms=0
    )


# -- moving ------------------------------------------------------------------------------------


def _at(look: Look, index: int) -> RolloutState:
    """The state at the beginning of a step."""
    placement = look.plan.steps[index].placement if index >= 0 else look.plan.floor
    return replace(
        look.state, step=index, since_ms=look.seen.now_ms, held_ms=0, expected=placement,
        approved_step=-1, approved_by="",
    )  # fmt: skip


def _stay(look: Look) -> tuple[RolloutState, Move | None]:
    return look.state, None


def _to(look: Look, index: int) -> tuple[RolloutState, Move | None]:
    target = look.plan.steps[index]
    back = target.placement.exposure <= look.seen.placement.exposure
    # Going back changes nothing but stage and weight, so that no freeze can stand in its way.
    sample = None if back else target.sample
    return _at(look, index), Move(placement=target.placement, sample=sample, back=back)


def _next(look: Look) -> tuple[RolloutState, Move | None]:
    return _to(look, look.state.step + 1)


def _last(look: Look) -> tuple[RolloutState, Move | None]:
    return _to(look, len(look.plan.steps) - 1)


def _previous(look: Look) -> tuple[RolloutState, Move | None]:
    """The step before; in front of the first one, the floor."""
    if look.state.step > 0:
        state, move = _to(look, look.state.step - 1)
        if move is not None and move.placement.exposure < look.seen.placement.exposure:
            return state, move
    return _floor(look)


def _floor(look: Look) -> tuple[RolloutState, Move | None]:
    floor = look.plan.floor
    index = 0 if look.plan.steps[0].placement == floor else -1
    state = _at(look, index)
    if look.seen.placement.exposure <= floor.exposure:
        return replace(state, expected=look.seen.placement), None
    return state, Move(placement=floor, back=True)


def _anchor(look: Look) -> tuple[RolloutState, Move | None]:
    """The step that the routes stand in already, without any move: retry begins at the first."""
    state = replace(look.state, attempts=look.state.attempts + look.retrying)
    if look.retrying:
        state = replace(state, doubled=())
    return _anchored(look.plan, state, look.seen), None


def _anchored(plan: RolloutPlan, state: RolloutState, seen: Observation) -> RolloutState:
    stands = seen.placement
    return replace(
        state, step=_step_at(plan, stands), since_ms=seen.now_ms, held_ms=0, expected=stands,
        approved_step=-1, approved_by="",
    )  # fmt: skip


def _step_at(plan: RolloutPlan, stands: Placement) -> int:
    """The last step that does not go further than where the routes stand; -1 before the first."""
    fits = [
        number
        for number, entry in enumerate(plan.steps)
        if entry.placement.exposure <= stands.exposure
    ]
    return fits[-1] if fits else -1


_MOVES = {
    "": _stay,
    "next": _next,
    "previous": _previous,
    "floor": _floor,
    "last": _last,
    "anchor": _anchor,
}


def _doubled(state: RolloutState, failed: int) -> RolloutState:
    """The hold of the step before the one that failed lasts twice as long from now on."""
    return replace(state, doubled=tuple(sorted((*state.doubled, failed))))
