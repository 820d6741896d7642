"""Writes stored pairs of a route as files."""

from __future__ import annotations

import asyncio

from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.export import files
from control_plane.comparisons.export.cases import Case
from control_plane.comparisons.export.files import Format
from control_plane.comparisons.preview import MOST_BYTES
from control_plane.comparisons.previews import excused
from control_plane.comparisons.rules import route_of
from control_plane.comparisons.stored_pairs import StoredPairs
from control_plane.comparisons.views import EvidenceViews
from control_plane.db.engine import Database
from control_plane.http.problems import not_found
from control_plane.publishing.state import TableState
from figway.evidence.comparing import rule_set


class Exports:
    """See the module."""

    def __init__(
        self, database: Database, state: TableState, views: EvidenceViews, pairs: StoredPairs
    ) -> None:
        self._database = database
        self._state = state
        self._views = views
        self._pairs = pairs

    async def write(self, form: Format, wanted: Wanted, limit: int) -> str:
        """Stored pairs of a route as a file. Raises `ApiProblem` 404."""
        route = route_of(self._state.current, wanted.route)
        rows = await self._pairs.whole(wanted, limit, MOST_BYTES)
        if not rows:
            raise not_found(f"stored comparison of route {route.id!r} with these filters", "any")
        noise = excused((await self._views.judged([route.id])).get(route.id))
        rules = rule_set(route.comparison)

        def write() -> str:
            cases = [Case.of(row) for row in rows]
            return files.written(route.id, form, cases, rules, noise)

        return await asyncio.to_thread(write)
