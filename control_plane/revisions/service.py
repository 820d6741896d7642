"""Undo, redo and restore: what was, as a new revision.

The history is a line that only grows. A revision that takes another one back says so (`undoes`), so
that undo goes back step by step: the next undo takes back what stands and was not taken back yet,
and passes over undos; redo takes back the newest undo, for as long as nothing else was changed
since.
"""

from __future__ import annotations

from control_plane.http.problems import conflict, not_found
from control_plane.publishing.changed import Changed
from control_plane.publishing.describe import touched_since
from control_plane.publishing.edit import Edit
from control_plane.publishing.service import Make
from control_plane.publishing.state import Snapshot
from control_plane.publishing.store import Step
from control_plane.revisions.schemas import UndoIn, UndoStepOut, UndoStepsOut
from control_plane.services import Services
from figway.model import change
from figway.model.change import Change


async def undo_make(services: Services, number: int, *, force: bool) -> Make:
    """Take back what revision `number` did, and nothing else. Raises `ApiProblem` 404, 409."""
    row = await services.history.revision(number)

    def make(snapshot: Snapshot) -> list[Change]:
        touched = touched_since(snapshot.table, row.changes)
        if touched and not force:
            more = f" and {len(touched) - 3} more" if len(touched) > 3 else ""
            raise conflict(
                f"{', '.join(touched[:3])}{more} changed again after revision {number}; undo those "
                "revisions first, or repeat with force to lose them",
                "changed_again",
            )
        return [
            entry
            for entry in row.inverse
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


async def next_steps(services: Services) -> UndoStepsOut:
    """What undo and redo would take back next."""
    undo = redo = None
    cancelled: set[int] = set()
    plain = False
    async for step in services.history.steps():
        stands = step.number not in cancelled
        if step.undoes is not None:
            if stands:
                cancelled.add(step.undoes)
            if stands and not plain and redo is None and not await _is_redo(services, step):
                redo = step
        else:
            plain = True
            if stands:
                undo = step
                break
    return UndoStepsOut(undo=_out(undo), redo=_out(redo))


async def _is_redo(services: Services, step: Step) -> bool:
    """Does it take back an undo?"""
    assert step.undoes is not None
    return (await services.history.revision(step.undoes)).undoes is not None


def _out(step: Step | None) -> UndoStepOut | None:
    if step is None:
        return None
    return UndoStepOut(
        revision=step.number, summary=step.summary, actor=step.actor, reason=step.reason
    )


async def undo(edit: Edit, number: int, body: UndoIn) -> Changed:
    """Take a revision back, as a new one. Raises `ApiProblem`."""
    make = await undo_make(edit.services, number, force=body.force)
    because = edit.because(body.reason, f"undo {number}")
    return await because.publish(
        "revision.undo", f"revision {number}", make, back=True, undoes=number
    )


async def undo_next(edit: Edit, body: UndoIn) -> Changed:
    """Take back the newest change that stands. Raises `ApiProblem` 404 if there is none, 409 if it
    is not the one that the caller was shown."""
    found = (await next_steps(edit.services)).undo
    if found is None:
        raise not_found("revision that could be undone", "next")
    _as_expected(body, found.revision)
    return await undo(edit, found.revision, body)


async def redo_next(edit: Edit, body: UndoIn) -> Changed:
    """Take back the newest undo. Raises `ApiProblem` 404 if there is none, 409 as `undo_next`."""
    found = (await next_steps(edit.services)).redo
    if found is None:
        raise not_found("undo that could be taken back since the last change", "next")
    _as_expected(body, found.revision)
    make = await undo_make(edit.services, found.revision, force=body.force)
    because = edit.because(body.reason, f"redo {found.revision}")
    subject = f"revision {found.revision}"
    return await because.publish("revision.redo", subject, make, back=True, undoes=found.revision)


def _as_expected(body: UndoIn, number: int) -> None:
    if body.expected is not None and body.expected != number:
        raise conflict(
            f"the next one is revision {number} now, not {body.expected}: something was changed "
            "meanwhile. Look again",
            "unexpected",
        )


async def restore(edit: Edit, number: int, body: UndoIn) -> Changed:
    """Go back to a whole table, as a new revision. Raises `ApiProblem`."""
    make = await restore_make(edit.services, number)
    because = edit.because(body.reason, f"back to {number}")
    return await because.publish("revision.restore", f"revision {number}", make, back=True)
