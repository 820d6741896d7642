"""A stretch of time in steps, as the query of a series names it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from control_plane.clock import now_ms
from control_plane.http.problems import invalid

MOST_POINTS = 3_000
_HOUR_MS = 3_600_000
Moment = Annotated[int | None, Query(ge=0, lt=2**53, description="Milliseconds since the epoch.")]


def time_range(from_ms: int | None, to_ms: int | None, step: int) -> tuple[int, int]:
    """Its begin and end in milliseconds since the epoch, in steps of `step` seconds.

    The last hour by default. Raises ApiProblem where it is empty or makes too many points.
    """
    until = now_ms() if to_ms is None else to_ms
    since = until - _HOUR_MS if from_ms is None else from_ms
    if since >= until:
        raise invalid("from", "it lies after `to`")
    if (until - since) // (step * 1_000) > MOST_POINTS:
        raise invalid("step", f"that makes more than {MOST_POINTS} points; take a larger step")
    return since, until
