"""Undo: the inverse of a revision, or an old table, as a new revision."""

from __future__ import annotations

from typing import Any

from control_plane.http.problems import conflict, not_found
from control_plane.publishing import store
from control_plane.publishing.describe import touched_since
from control_plane.publishing.service import Make
from control_plane.publishing.state import Snapshot
from control_plane.services import Services
from figway.model import change
from figway.model.change import Change


async def stored(services: Services, number: int) -> Any:
    """The row of a revision. Raises `ApiProblem` 404."""
    async with services.database.read() as connection:
        row = await store.revision(connection, number)
    if row is None:
        raise not_found("revision", number)
    return row


async def undo(services: Services, number: int, *, force: bool) -> Make:
    """Take back what revision `number` did, and nothing else. Raises `ApiProblem` 404, 409."""
    row = await stored(services, number)
    changes, inverse = store.changes(row.changes), store.changes(row.inverse)

    def make(snapshot: Snapshot) -> list[Change]:
        touched = touched_since(snapshot.table, changes)
        if touched and not force:
            more = f" and {len(touched) - 3} more" if len(touched) > 3 else ""
            raise conflict(
                f"{', '.join(touched[:3])}{more} changed again after revision {number}; undo those "
                "revisions first, or repeat with force to lose them",
                "changed_again",
            )
        return [
            entry
            for entry in inverse
            if entry.value is not None
            or change.get(snapshot.table, entry.kind, entry.id) is not None
        ]

    return make


async def restore(services: Services, number: int) -> Make:
    """Go back to the table of revision `number`, whole. Raises `ApiProblem` 404."""
    table = await services.history.table(number)

    def make(snapshot: Snapshot) -> tuple[Change, ...]:
        return change.diff(snapshot.table, table)

    return make
