"""The evidence of routes as rollouts need it, read off the comparisons."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from control_plane.comparisons.judged import Judged
from figway.evidence.judgement import LEAST_DISTINCT
from figway.rollout.observation import ParityCounts

_OWN_GATES = ("few_requests", "one_request", "shape_missing")
"""Reasons that a gate of its own tells of."""
_MOST_FIELDS = 5
_LEAST_S, _MOST_S = 30.0, 600.0


class JudgedRoutes(Protocol):
    """Where the comparisons of routes are judged."""

    async def judged(self, routes: Sequence[str]) -> Mapping[str, Judged]:
        """By route; one that was never compared is absent."""


class ComparedEvidence:
    """What comparing says of routes, by the rules, words and forms of now."""

    def __init__(self, views: JudgedRoutes) -> None:
        self._views = views
        self._rates: dict[str, PairRate] = {}

    async def parity(self, routes: Sequence[str]) -> Mapping[str, ParityCounts]:
        """See `EvidenceSource`. A route that was never compared is there once it is known that no
        pairs arrive."""
        judged = await self._views.judged(routes)
        counts = {}
        for route in routes:
            one = judged.get(route)
            found = ParityCounts() if one is None else parity_of(one)
            rate = self._rates.setdefault(route, PairRate())
            per_s = rate.noted(found.rated, time.monotonic())
            if one is not None or per_s is not None:
                counts[route] = replace(found, pairs_now_per_s=per_s)
        return counts


class PairRate:
    """How many rated pairs a route gets in a second at present, by what was noted lately."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()

    def noted(self, rated: int, at: float) -> float | None:
        """Note so many pairs at `at`, monotonic seconds; the rate since the earliest that was noted
        in the last ten minutes, None in the first half minute. Fewer pairs are another window's,
        and the time before the first pair of all says nothing of the rate: the route was not
        compared yet."""
        if len(self._noted) > 1 and self._noted[-1][1] == 0 < rated:
            self._noted = deque([self._noted[-1]])
        if self._noted and rated < self._noted[-1][1]:
            self._noted.clear()
        if not self._noted or at - self._noted[-1][0] >= _LEAST_S / 10:
            self._noted.append((at, rated))
        while at - self._noted[0][0] > _MOST_S and len(self._noted) > 1:
            self._noted.popleft()
        begun, before = self._noted[0]
        return (rated - before) / (at - begun) if at - begun >= _LEAST_S else None


def parity_of(judged: Judged) -> ParityCounts:
    """What a rollout decides on."""
    found = judged.judgement
    seconds = max(60.0, (judged.last_ms - judged.first_ms) / 1_000)
    few = any(reason.code in ("few_requests", "one_request") for reason in found.reasons)
    all_known = found.rated > 0 and found.distinct < LEAST_DISTINCT and not few
    real = sorted(
        (field for field in found.fields if field.standing in ("real", "unsteady", "likely_real")),
        key=lambda field: -field.pairs,
    )
    return ParityCounts(
        differing=found.mismatch + found.new_failed,
        failed=found.new_failed,
        rated=found.rated,
        distinct=found.distinct,
        distinct_known=found.distinct if all_known else None,
        top_share=found.top_share,
        shapes_done=found.shapes - len(found.shapes_missing),
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
