"""The table as it was: the current one, with the inverses of what came since applied backwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, not_found
from control_plane.publishing import store
from control_plane.publishing.state import TableState
from control_plane.publishing.store import RevisionHead, StoredRevision
from figway.model import change
from figway.model.change import Change, changes_from_data
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
        async with self._database.read() as connection:
            found = await store.inverses(connection, number, current.revision, _FURTHEST)
        for _, _, inverse in found:
            backwards.extend(changes_from_data(inverse))
        return change.apply(current.table, backwards)

    async def inverses(
        self, after: int, until: int, limit: int
    ) -> Sequence[tuple[int, int, list[dict[str, Any]]]]:
        """Number, time and plain inverse of revisions, newest first."""
        async with self._database.read() as connection:
            return await store.inverses(connection, after, until, limit)

    async def revision(self, number: int) -> StoredRevision:
        """One revision. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            row = await store.revision(connection, number)
        if row is None:
            raise not_found("revision", number)
        return row

    async def page(
        self, *, before: int | None = None, limit: int, actor: str = "", touches: str = ""
    ) -> Sequence[RevisionHead]:
        """Revisions, newest first. `touches` is `kind id`, such as `route orders`."""
        async with self._database.read() as connection:
            return await store.page(
                connection, before=before, limit=limit, actor=actor, touches=touches
            )

    async def dates(self, numbers: Iterable[int]) -> dict[int, int]:
        """When revisions were made, by number."""
        async with self._database.read() as connection:
            return await store.dates(connection, numbers)

    async def steps(self) -> AsyncIterator[store.Step]:
        """Revisions as undo looks at them, newest first."""
        before = 2**62
        while True:
            async with self._database.read() as connection:
                part = await store.steps(connection, before, 200)
            for step in part:
                yield step
            if len(part) < 200:
                return
            before = part[-1].number
