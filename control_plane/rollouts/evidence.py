"""The evidence of routes as rollouts need it, read off the comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from control_plane.comparisons.judged import Judged
from figway.rollout.observation import ParityCounts

_OWN_GATES = ("few_requests", "one_request", "shape_missing")
"""Reasons that a gate of its own tells of."""
_MOST_FIELDS = 5


class JudgedRoutes(Protocol):
    """Where the comparisons of routes are judged."""

    async def judged(self, routes: Sequence[str]) -> Mapping[str, Judged]:
        """By route; one that was never compared is absent."""


class ComparedEvidence:
    """What comparing says of routes, by the rules, words and forms of now."""

    def __init__(self, views: JudgedRoutes) -> None:
        self._views = views

    async def parity(self, routes: Sequence[str]) -> Mapping[str, ParityCounts]:
        """See `EvidenceSource`."""
        found = await self._views.judged(routes)
        return {route: parity_of(judged) for route, judged in found.items()}


def parity_of(judged: Judged) -> ParityCounts:
    """What a rollout decides on."""
    found = judged.judgement
    seconds = max(60.0, (judged.last_ms - judged.first_ms) / 1_000)
    real = sorted(
        (field for field in found.fields if field.standing in ("real", "unsteady", "likely_real")),
        key=lambda field: -field.pairs,
    )
    return ParityCounts(
        differing=found.mismatch + found.new_failed,
        failed=found.new_failed,
        rated=found.rated,
        distinct=found.distinct,
        top_share=found.top_share,
        shapes_missing=found.shapes_missing,
        obstacles=tuple(
            reason.text
            for reason in found.reasons
            if reason.keeps and reason.code not in _OWN_GATES
        ),
        fields=tuple(field.field for field in real[:_MOST_FIELDS]),
        pairs_per_s=found.rated / seconds,
        build=judged.build,
    )
