"""Undo: the inverse of a revision, or an old table, as a new revision."""

from __future__ import annotations

from typing import Any

from control_plane.http.problems import conflict, not_found
from control_plane.publishing import store
from control_plane.publishing.changed import Changed
from control_plane.publishing.describe import touched_since
from control_plane.publishing.edit import Edit
from control_plane.publishing.service import Make
from control_plane.publishing.state import Snapshot
from control_plane.revisions.schemas import UndoIn
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


async def undo_make(services: Services, number: int, *, force: bool) -> Make:
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


async def restore_make(services: Services, number: int) -> Make:
    """Go back to the table of revision `number`, whole. Raises `ApiProblem` 404."""
    table = await services.history.table(number)

    def make(snapshot: Snapshot) -> tuple[Change, ...]:
        return change.diff(snapshot.table, table)

    return make


async def undo(edit: Edit, number: int, body: UndoIn) -> Changed:
    """Take a revision back, as a new one. Raises `ApiProblem`."""
    make = await undo_make(edit.services, number, force=body.force)
    because = edit.because(body.reason or edit.reason or f"undo {number}")
    return await because.publish("revision.undo", f"revision {number}", make, back=True)


async def restore(edit: Edit, number: int, body: UndoIn) -> Changed:
    """Go back to a whole table, as a new revision. Raises `ApiProblem`."""
    make = await restore_make(edit.services, number)
    because = edit.because(body.reason or edit.reason or f"back to {number}")
    return await because.publish("revision.restore", f"revision {number}", make, back=True)
