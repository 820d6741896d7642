"""What comparing has shown, for every route at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from weakref import WeakKeyDictionary

from control_plane.comparisons.service import ComparisonService, Known
from control_plane.console.route_row import EvidenceSummary
from control_plane.services import Services
from figway.evidence.verdicts import GOALS, judge

_MADE: WeakKeyDictionary[
    ComparisonService, tuple[Mapping[str, Known], dict[str, EvidenceSummary]]
] = WeakKeyDictionary()
"""What was made last, and of what."""


async def evidence_by_route(services: Services) -> dict[str, EvidenceSummary]:
    """The evidence by route, for those that were compared; at most a second old."""
    known = await services.comparisons.current()
    if (made := _MADE.get(services.comparisons)) is not None and made[0] is known:
        return made[1]
    found = {}
    for route, window in known.items():
        verdicts = window.tallies.verdicts
        found[route] = _proof(verdicts.get("match", 0), verdicts.get("mismatch", 0))
    _MADE[services.comparisons] = (known, found)
    return found


@lru_cache(maxsize=20_000)
def _proof(matches: int, mismatches: int) -> EvidenceSummary:
    found = judge(matches, mismatches, GOALS[:1])
    goal = found.goals[0]
    return EvidenceSummary(
        matches, mismatches, found.interval.low, found.interval.high, goal.standing, goal.needs
    )
