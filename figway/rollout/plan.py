"""A rollout plan: which routes move, in which steps, on what evidence.

Durations are milliseconds, weights and samples basis points, other shares from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from figway.model.table import Route, Stage
from figway.model.words import WEIGHT_SCALE

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MOST_STEPS = 40


class OnBreach(StrEnum):
    """What a breached guard leads to."""

    PAUSE = "pause"
    """Stay, and wait for a person."""
    STEP_BACK = "step_back"
    """Go back one step, and try again after twice the hold."""
    LEGACY = "legacy"
    """Abort: no user is served by new any more."""


@dataclass(frozen=True, slots=True, order=True)
class Placement:
    """Where a route stands, or is to stand."""

    stage: Stage
    weight: int = 0
    """Of a canary; 0 in other stages."""

    @property
    def exposure(self) -> int:
        """Rises with the share of users that new serves: legacy 0, shadow 1, canary 2 + weight,
        new 10 003, retired 10 004."""
        if self.stage is Stage.CANARY:
            return 2 + self.weight
        return _EXPOSURES[self.stage]

    @property
    def serves(self) -> bool:
        """Whether new may serve users here."""
        return self.exposure > 2

    def __str__(self) -> str:
        if self.stage is Stage.CANARY:
            return percent_text(self.weight / WEIGHT_SCALE)
        return self.stage.value


_EXPOSURES = {
    Stage.LEGACY: 0,
    Stage.SHADOW: 1,
    Stage.NEW: WEIGHT_SCALE + 3,
    Stage.RETIRED: WEIGHT_SCALE + 4,
}


def placement_of(route: Route) -> Placement:
    """Where a route of a table stands."""
    return Placement(route.stage, route.weight if route.stage is Stage.CANARY else 0)


def percent_text(share: float) -> str:
    """A share as people read it: `0.5 %`."""
    return f"{share * 100:.4g} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a rollout moves: one capability with all its routes, or one route."""

    capability: str = ""
    route: str = ""

    def __str__(self) -> str:
        return f"capability {self.capability}" if self.capability else f"route {self.route}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStep:
    """One step of a plan."""

    stage: Stage
    weight: int = 0
    sample: int | None = None
    """Share of requests that are copied while the step lasts; None leaves it as it is."""
    hold_ms: int = 0
    """Least time in this step, counted only while reports arrive."""
    approve: bool = False
    """Another person has to approve before the step is left."""

    @property
    def placement(self) -> Placement:
        """Where the routes stand in this step."""
        return Placement(self.stage, self.weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLimits:
    """How much more often new may fail than legacy."""

    ratio: float = 1.5
    floor: float = 0.001
    """A share of failures that is always allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimits:
    """How much slower new may be: at `quantile`, legacy's x `ratio` + `floor_ms`."""

    quantile: float = 0.95
    ratio: float = 1.25
    floor_ms: int = 20

    @property
    def share(self) -> float:
        """Share of answers that may be slower than the threshold."""
        return round(1 - self.quantile, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What must be shown before a step is left."""

    parity: float | None = 0.995
    """Agreement that has to be proven; None asks for none."""
    shapes: bool = True
    """Every shape with 0.5 % of the traffic has been compared 20 times."""
    min_distinct: int = 50
    max_one: float = 0.5
    """Most that one request may make up of all that were compared."""
    errors: ErrorLimits | None = field(default_factory=ErrorLimits)
    latency: LatencyLimits | None = field(default_factory=LatencyLimits)
    webhook: str = ""
    """A URL that is asked before a step is left; all but 200 holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSet:
    """What must never happen while new serves users."""

    breaker: bool = True
    parity: bool = True
    errors: bool = True
    latency: bool = True
    budget: bool = True
    webhook: str = ""
    """A URL that is asked at every look; status 409 is a breach."""

    @property
    def statistical(self) -> int:
        """How many guards share the chance of a false alarm."""
        return max(1, sum((self.parity, self.errors, self.latency)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveHours:
    """When a rollout may move towards new. Moving back is always allowed."""

    days: frozenset[int]
    """Monday is 0."""
    begin: int
    """Minutes after midnight."""
    end: int
    """Minutes after midnight, not included; at or before `begin`: on the next day."""
    zone: str = "UTC"
    """Name in the IANA time zone database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """A rollout as a person wrote it."""

    id: str
    scope: Scope
    steps: tuple[RolloutStep, ...]
    gates: GateLimits = field(default_factory=GateLimits)
    guards: GuardSet = field(default_factory=GuardSet)
    on_breach: OnBreach = OnBreach.STEP_BACK
    observe: bool = False
    """Never move; only say what would have been done."""
    warmup_ms: int = 2 * MINUTE_MS
    """After a step, time that errors and latency are not counted: cold starts."""
    hours: MoveHours | None = None
    stale_after_ms: int = 30_000
    """Without a report for so long nothing advances."""

    @property
    def floor(self) -> Placement:
        """Where an aborted rollout leaves its routes: no user is served by new there."""
        first = self.steps[0].placement
        return first if first.stage is Stage.SHADOW else Placement(Stage.LEGACY)
