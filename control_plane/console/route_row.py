"""A route with its numbers, as lists, tiles and heads of pages show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from control_plane.comparisons.judged import EvidenceSummary
from control_plane.console.live_state import MINUTES, LiveSnapshot
from control_plane.fleet.schemas import OpenBreakerIn
from control_plane.traffic.schemas import SideOut
from figway.model.share import on_new
from figway.model.table import BreakerForce, Route, Stage
from figway.model.words import WEIGHT_SCALE

NONE = SideOut()
_FEW = 20  # requests below which an error rate says nothing


@dataclass(slots=True)
class RouteRow:
    """One route with its numbers."""

    route: Route
    legacy: SideOut
    new: SideOut
    breakers: Sequence[OpenBreakerIn] = ()
    proof: EvidenceSummary | None = None
    changed: int = 0
    """The revision that last wrote it."""
    changed_ms: int = 0
    worries: list[str] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    """What proxies cannot open of it: it is served as with an open breaker there."""

    @property
    def share(self) -> float:
        """The share of sticky keys that new serves by the table."""
        return share_of(self.route.stage, self.route.weight)

    @property
    def rps(self) -> float:
        """Requests a second on both sides."""
        return self.legacy.rps + self.new.rps

    @property
    def capability(self) -> str:
        """The capability that it moves with."""
        return self.route.capability or self.route.id

    @property
    def breaker(self) -> str:
        """The state of its breaker that deserves most attention."""
        if self.route.breaker.force is not BreakerForce.NONE:
            return f"forced {self.route.breaker.force.value}"
        states = {breaker.state for breaker in self.breakers}
        return next((state for state in ("open", "half_open", "ramp") if state in states), "closed")


def share_of(stage: Stage, weight: int) -> float:
    """The share of sticky keys that new serves."""
    return on_new(stage, weight) / WEIGHT_SCALE


def line(
    route: Route, live: LiveSnapshot, proofs: dict[str, EvidenceSummary] | None = None
) -> RouteRow:
    """One route out of the state of the whole."""
    traffic = live.traffic.get(route.id)
    made = RouteRow(
        route,
        (traffic.legacy if traffic else None) or NONE,
        (traffic.new if traffic else None) or NONE,
        live.breakers.get(route.id, ()),
        (proofs or {}).get(route.id),
    )
    legacy = route.legacy or live.published.table.default_backend
    tail = "" if route.stage is Stage.RETIRED else "; legacy serves the route there"
    made.unopened = [f"{why}{tail}" for why in live.unopened([route.new], route.id)]
    made.unopened += live.unopened([legacy], "")
    made.worries = worries(made)
    return made


def worries(found: RouteRow) -> list[str]:
    """What about a route deserves attention, worst first."""
    said = list(found.unopened)
    if found.breaker in ("open", "half_open", "forced open"):
        said.append(f"breaker {found.breaker.replace('_', '-')}: legacy serves in its place")
    legacy, new = found.legacy, found.new
    if new.requests >= _FEW and new.error_rate > max(2 * legacy.error_rate, 0.01):
        said.append(f"new fails {new.error_rate * 100:.1f} % of {new.requests} requests")
    if fallbacks := sum(new.fallbacks.values()) + sum(legacy.fallbacks.values()):
        said.append(f"{fallbacks} fallbacks in {MINUTES} min")
    if found.proof is not None and found.proof.standing == "refuted":
        said.append(_disagreement(found.proof))
    if found.route.stage is Stage.RETIRED and legacy.requests:
        said.append(f"retired, and legacy still served {legacy.requests} requests")
    return said


def _disagreement(proof: EvidenceSummary) -> str:
    said = f"new disagrees with legacy: at most {proof.high * 100:.1f} % agreement"
    if proof.new_failed:
        said += f"; new failed on {proof.new_failed} of {proof.rated} compared requests"
    return said


SORTS: dict[str, tuple[str, Callable[[RouteRow], Any], bool]] = {
    "attention": ("Attention", lambda row: (len(row.worries), row.rps), True),
    "id": ("Route", lambda row: row.route.id, False),
    "stage": ("Stage", lambda row: (list(Stage).index(row.route.stage), row.share), False),
    "rps": ("Requests/s", lambda row: row.rps, True),
    "errors": ("Errors", lambda row: max(row.legacy.error_rate, row.new.error_rate), True),
    "p95": ("p95", lambda row: max(row.legacy.p95_ms or 0, row.new.p95_ms or 0), True),
    "match": ("Agreement", lambda row: row.proof.low if row.proof else 2.0, False),
    "changed": ("Last change", lambda row: row.changed, True),
}
"""What a list can be sorted by: its title, its key, and whether it begins with the largest."""


def ordered(rows: Iterable[RouteRow], by: str) -> list[RouteRow]:
    """Sorted; `-` before the name turns it round. Ties come by id."""
    name = by.removeprefix("-")
    _, key, descending = SORTS.get(name, SORTS["attention"])
    found = sorted(rows, key=lambda row: row.route.id)
    return sorted(found, key=key, reverse=descending != by.startswith("-"))
