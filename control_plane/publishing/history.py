"""The table as it was: the current one, with the inverses of what came since applied backwards."""

from __future__ import annotations

from sqlalchemy import select

from control_plane.db.engine import Database
from control_plane.db.models import RevisionRow
from control_plane.http.problems import ApiProblem, not_found
from control_plane.publishing import store
from control_plane.publishing.state import TableState
from figway.model import change
from figway.model.change import Change
from figway.model.table import Table

_FURTHEST = 100_000  # revisions that are walked back over


class History:
    """Old tables."""

    def __init__(self, database: Database, state: TableState) -> None:
        self._database = database
        self._state = state

    async def table(self, number: int) -> Table:
        """The table of revision `number`; 0 is the empty one. Raises `ApiProblem` 404."""
        current = self._state.current
        if number == current.revision:
            return current.table
        if not 0 <= number < current.revision:
            raise not_found("revision", number)
        if current.revision - number > _FURTHEST:
            raise ApiProblem(
                422, "too_far_back", "Too far back", f"revision {number} lies too far back"
            )
        backwards: list[Change] = []
        query = (
            select(RevisionRow.inverse)
            .where(RevisionRow.number > number, RevisionRow.number <= current.revision)
            .order_by(RevisionRow.number.desc())
        )
        async with self._database.read() as connection:
            for (inverse,) in await connection.execute(query):
                backwards.extend(store.changes(inverse))
        return change.apply(current.table, backwards)
