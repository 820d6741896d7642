"""Where a rollout stands, what it may be told, and what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from figway.model.table import Stage
from figway.rollout.observation import CallCounts, Reference
from figway.rollout.plan import Placement, RolloutPlan

Waiting = Literal["", "data", "hold", "approval", "window", "proxies", "webhook", "kill", "table"]


Anew = Literal["", "build", "subject"]


class RolloutPhase(StrEnum):
    """The states of the machine."""

    PENDING = "pending"
    """Not at its first step yet."""
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    STEPPING_BACK = "stepping_back"
    """Moved back; the proxies have not all said so yet."""
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    """A person moved the routes further: the machine stepped aside."""
    COMPLETED = "completed"


ENDED = frozenset({RolloutPhase.ABORTED, RolloutPhase.SUPERSEDED, RolloutPhase.COMPLETED})


class EventKind(StrEnum):
    """What a rollout may be told."""

    TICK = "tick"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    PROMOTE_FULL = "promote_full"
    ABORT = "abort"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEvent:
    """Something that happens to a rollout: a look, or a person's word."""

    kind: EventKind = EventKind.TICK
    actor: str = ""


TICK = RolloutEvent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rollout stands where it does, or moves."""

    code: str
    text: str
    value: float | None = None
    bound: float | None = None
    n: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """Where a rollout stands. `step` is an index into the plan; -1 before the first."""

    phase: RolloutPhase = RolloutPhase.PENDING
    waiting_for: Waiting = ""
    step: int = -1
    since_ms: int = 0
    """When the step began."""
    held_ms: int = 0
    """Time in this step that counts: reports came, and the proxies were current."""
    looked_ms: int = 0
    """The last look."""
    expected: Placement = field(default_factory=lambda: Placement(Stage.LEGACY))
    """Where the machine left the routes."""
    doubled: tuple[int, ...] = ()
    """How often each step's hold was doubled."""
    approved_step: int = -1
    approved_by: str = ""
    started_by: str = ""
    build: str = ""
    """The build of new at the last look."""
    subject: str = ""
    """What was judged at the last look (`Observation.subject`)."""
    build_ms: int = 0
    """When another build or subject was first seen; 0 if never."""
    anew: Anew = ""
    """Which of the two it was."""
    reference: Reference | None = None
    attempts: int = 1
    paused_by: tuple[Reason, ...] = ()
    """Why it was paused, while it is."""

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more unless a person retries."""
        return self.phase in ENDED

    @property
    def needs_attention(self) -> bool:
        """Whether it stands until a person does something."""
        stands = (RolloutPhase.PAUSED, RolloutPhase.ABORTED)
        return self.phase in stands or self.waiting_for in ("approval", "table")


def load_since(plan: RolloutPlan, state: RolloutState) -> int:
    """From when on errors and latency of the present step count."""
    return max(state.since_ms + plan.warmup_ms, state.build_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What is to be done to every route of the rollout."""

    placement: Placement
    sample: int | None = None
    back: bool = False
    """It leads to less exposure: no freeze, window or approval may stand in its way."""


class RolloutRefusal(ValueError):
    """A person's word that cannot be followed now. `code` is stable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def state_to_data(state: RolloutState) -> dict[str, Any]:
    """The JSON form of a state."""
    return asdict(state)


def state_from_data(data: dict[str, Any]) -> RolloutState:
    """The state of its JSON form; unknown members are let pass, missing ones are defaults.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is the form of no state.
    """
    if not isinstance(data, dict):
        raise TypeError("is no mapping")
    known = {name: data[name] for name in RolloutState.__dataclass_fields__ if name in data}
    state = RolloutState(**known)
    expected: dict[str, Any] = known.get("expected", {"stage": "legacy"})
    reference: dict[str, Any] | None = known.get("reference")
    return replace(
        state,
        phase=RolloutPhase(state.phase),
        expected=Placement(Stage(expected["stage"]), expected.get("weight", 0)),
        doubled=tuple(state.doubled),
        reference=None if reference is None else _reference(reference),
        paused_by=tuple(Reason(**data) for data in known.get("paused_by", ())),
    )


def _reference(data: dict[str, Any]) -> Reference:
    legacy = dict(data["legacy"])
    legacy["buckets"] = tuple((x, n) for x, n in legacy.get("buckets", ()))
    return Reference(threshold_us=data["threshold_us"], legacy=CallCounts(**legacy))
