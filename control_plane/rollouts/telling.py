"""What a step of a rollout came to, as it is kept, shown and told to others."""

from __future__ import annotations

from typing import Any

from control_plane.rollouts.store import StoredRollout, TimelineEntry
from figway.rollout.machine import Outcome
from figway.rollout.observation import Observation
from figway.rollout.state import Reason


def is_news(found: StoredRollout, outcome: Outcome) -> bool:
    """Whether a timeline has to tell of it: what it stands for, or why, has changed."""
    before = found.state
    if before is None:
        return True
    codes = [entry["code"] for entry in found.look.get("reasons", ())]
    stands = (before.phase, before.step, before.waiting_for, before.attempts)
    state = outcome.state
    stood = (state.phase, state.step, state.waiting_for, state.attempts)
    return stands != stood or codes != [reason.code for reason in outcome.reasons]


def told_reasons(outcome: Outcome) -> tuple[Reason, ...]:
    """Why, and where a move led to."""
    move = outcome.move
    if move is None or any(reason.code == "aborted" for reason in outcome.reasons):
        return outcome.reasons
    text = f"{'back ' if move.back else ''}to {move.placement}"
    return (*outcome.reasons, Reason(code="moved", text=text))


def look_of(outcome: Outcome, seen: Observation | None) -> dict[str, Any]:
    """The last look as it is kept and shown; after a move, where it led to."""
    stands = outcome.move.placement if outcome.move else seen.placement if seen else None
    return {
        "reasons": [
            {"code": r.code, "text": r.text, "value": r.value, "bound": r.bound, "n": r.n}
            for r in outcome.reasons
        ],
        "gates": [judged_data(entry) for entry in outcome.gates],
        "guards": [judged_data(entry) for entry in outcome.guards],
        "stands": None if stands is None else str(stands),
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
