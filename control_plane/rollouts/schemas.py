"""What the endpoints of rollouts take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from control_plane.clock import now_ms
from control_plane.http.described import Described
from control_plane.http.problems import FindingOut
from control_plane.rollouts.store import StoredRollout, TimelineEntry
from figway.rollout.parsing import plan_to_data
from figway.rollout.plan import RolloutPlan

Note = Annotated[str, Field(min_length=1, max_length=500)]
PlanIn = Annotated[dict[str, Any], Field(max_length=50)]
"""A plan as it is written in a document; read by `figway.rollout.parsing`."""


class RolloutReasonOut(Described, BaseModel):
    """Why a rollout stands where it does, or moved."""

    code: str
    """Stable."""
    text: str
    value: float | None = None
    bound: float | None = None
    n: float | None = None


class JudgedOut(Described, BaseModel):
    """A gate or a guard at the last look."""

    name: str
    role: Literal["gate", "guard"]
    ok: bool
    """A gate that passes; a guard that is not breached."""
    code: str
    text: str
    route: str
    """Empty: all routes together."""
    low: float | None
    high: float | None
    """The interval of the share that is judged: it holds however often one looks."""
    bound: float | None
    value: float | None
    n: float | None
    needs: int | None
    """How many more it needs, if all go well."""
    phi: float | None
    """How clustered failures are: counts were divided by it."""


class StepOut(Described, BaseModel):
    """A step of the plan."""

    number: int
    stands: str
    """`shadow`, `5 %`, `new`"""
    stage: str
    weight: int
    hold_ms: int
    approve: bool
    done: Literal["done", "here", "ahead"]


class RolloutOut(Described, BaseModel):
    """A rollout: its plan, and where it stands."""

    id: str
    target: str
    phase: str
    """`planned`, `pending`, `running`, `waiting`, `paused`, `stepping_back`, `aborted`,
    `superseded`, `completed`."""
    waiting_for: str
    """`data`, `hold`, `approval`, `window`, `proxies`, `webhook`, `kill`, `table`, or empty."""
    step: int
    """Index into `steps`; -1 before the first."""
    steps: list[StepOut]
    stands: str
    """Where its routes stand."""
    observe: bool
    needs_attention: bool
    since_ms: int
    """Since when it stands for what it stands for."""
    age_s: int
    reasons: list[RolloutReasonOut]
    gates: list[JudgedOut]
    guards: list[JudgedOut]
    build: str
    held_ms: int
    attempts: int
    started_by: str
    looked_ms: int
    """When it was last looked at; 0 if never."""
    plan: dict[str, Any]


def rollout_out(found: StoredRollout) -> RolloutOut:
    """A rollout as the API shows it."""
    state, look, plan = found.state, found.look, found.plan
    here = -1 if state is None else state.step
    return RolloutOut(
        id=plan.id,
        target=str(plan.scope),
        phase=found.phase,
        waiting_for="" if state is None else state.waiting_for,
        step=here,
        steps=_steps(plan, here),
        stands=look.get("stands") or ("" if state is None else str(state.expected)),
        observe=plan.observe,
        needs_attention=state is not None and state.needs_attention,
        since_ms=found.phase_ms,
        age_s=max(0, now_ms() - found.phase_ms) // 1_000,
        reasons=look.get("reasons", []),
        gates=look.get("gates", []),
        guards=look.get("guards", []),
        build=look.get("build", ""),
        held_ms=look.get("held_ms", 0),
        attempts=0 if state is None else state.attempts,
        started_by="" if state is None else state.started_by,
        looked_ms=found.looked_ms,
        plan=plan_to_data(plan),
    )


def _steps(plan: RolloutPlan, here: int) -> list[StepOut]:
    return [
        StepOut(
            number=number, stands=str(entry.placement), stage=entry.stage.value,
            weight=entry.weight, hold_ms=entry.hold_ms, approve=entry.approve,
            done="done" if number < here else "here" if number == here else "ahead",
        )
        for number, entry in enumerate(plan.steps)
    ]  # fmt: skip


class TimelineOut(Described, BaseModel):
    """One line of a timeline."""

    id: int
    at_ms: int
    kind: str
    """`tick`, or what a person said."""
    phase: str
    waiting_for: str
    step: int
    reasons: list[RolloutReasonOut]
    revision: int | None
    """The revision that it made."""
    actor: str
    note: str


def timeline_out(entry: TimelineEntry) -> TimelineOut:
    """A line as the API shows it."""
    reasons = [
        RolloutReasonOut(code=r.code, text=r.text, value=r.value, bound=r.bound, n=r.n)
        for r in entry.reasons
    ]
    return TimelineOut(
        id=entry.id, at_ms=entry.at_ms, kind=entry.kind, phase=entry.phase,
        waiting_for=entry.waiting_for, step=entry.step, reasons=reasons,
        revision=entry.revision, actor=entry.actor, note=entry.note,
    )  # fmt: skip


class FigureOut(Described, BaseModel):
    """One gate or guard at one moment."""

    name: str
    role: str
    route: str
    ok: bool
    low: float | None
    high: float | None
    bound: float | None
    value: float | None
    n: float | None


class FiguresOut(Described, BaseModel):
    """All of them at one moment."""

    at_ms: int
    judged: list[FigureOut]


class StartIn(Described, BaseModel, extra="forbid"):
    """Begin a rollout: a stored plan, or one that is given here."""

    reason: Note
    plan: PlanIn | None = None
    """A plan to keep first; its `id` is that of the address when left out."""


class TellIn(Described, BaseModel, extra="forbid"):
    """What a person says to a rollout."""

    reason: Note


class LintOut(Described, BaseModel):
    """What is wrong with a plan."""

    valid: bool
    findings: list[FindingOut]
    plan: dict[str, Any] | None
    """The plan whole, with everything that was left out."""


class SimulatedOut(Described, BaseModel):
    """Something that a plan would have done."""

    at_ms: int
    phase: str
    waiting_for: str
    stands: str
    """Where the routes would have stood from then on."""
    text: str


class SimulationOut(Described, BaseModel):
    """What a plan would have done with the traffic and the comparisons of the last days."""

    from_ms: int
    to_ms: int
    summary: str
    ends: str
    """The phase at the end."""
    stands: str
    entries: list[SimulatedOut]
    assumed: list[str]
    """What cannot be known from what is stored, and was assumed."""
