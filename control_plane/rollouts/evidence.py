"""The evidence of routes as rollouts need it, read off the comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import and_, select

from control_plane.db.engine import Database
from control_plane.db.models import ComparedRouteRow, ComparedWindowRow
from figway.rollout.observation import ParityCounts


class ComparedEvidence:
    """Reads the current window of each route."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def parity(self, routes: Sequence[str]) -> Mapping[str, ParityCounts]:
        """See `EvidenceSource`."""
        query = (
            select(ComparedWindowRow.__table__)
            .join(
                ComparedRouteRow,
                and_(
                    ComparedRouteRow.route == ComparedWindowRow.route,
                    ComparedRouteRow.window == ComparedWindowRow.window,
                ),
            )
            .where(ComparedWindowRow.route.in_(routes))
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = {}
        for row in rows:
            verdicts = orjson.loads(row.counts).get("verdicts", {})
            differing = verdicts.get("mismatch", 0) + verdicts.get("new_failed", 0)
            rated = verdicts.get("match", 0) + differing
            seconds = max(60.0, (row.last_ms - row.first_ms) / 1_000)
            found[row.route] = ParityCounts(
                differing=differing, rated=rated, distinct=rated, pairs_per_s=rated / seconds
            )
        return found
