"""Writes stored pairs of a route as files."""

from __future__ import annotations

import asyncio
from typing import Any

from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.export import files
from control_plane.comparisons.export.cases import Case
from control_plane.comparisons.export.files import Basis, Format
from control_plane.comparisons.judged import Judged
from control_plane.comparisons.preview import MOST_BYTES, Surroundings
from control_plane.comparisons.previews import excused, refuse_plugin
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
        """Stored pairs of a route as a file. Raises `ApiProblem` 404, 409."""
        route = route_of(self._state.current, wanted.route)
        if form is Format.PYTEST:
            refuse_plugin(route)
        rows = await self._pairs.whole(wanted, limit, MOST_BYTES)
        if not rows:
            raise not_found(f"stored comparison of route {route.id!r} with these filters", "any")
        judged = (await self._views.judged([route.id])).get(route.id)
        around = Surroundings.of(self._state.current.table, route, excused(judged))
        fields = () if judged is None else judged.judgement.fields
        known = {one.field: one.state for one in fields}
        basis = Basis(
            rule_set(route.comparison),
            around.headers,
            around.backend_hosts,
            around.noise,
            {} if judged is None else _forms(judged),
            around.faults,
            around.html,
            around.build_header,
        )

        def write() -> str:
            cases = [Case.of(row, route.reads, around.faults, known) for row in rows]
            return files.written(route.id, form, cases, basis)

        return await asyncio.to_thread(write)


def _forms(judged: Judged) -> dict[str, dict[str, Any]]:
    """By place, the form in which legacy varies there."""
    return {place: known.form.to_data() for place, known in judged.forms.items()}
