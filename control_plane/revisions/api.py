"""Revisions over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from control_plane.auth.access import Viewer
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Only, Page
from control_plane.http.problems import COMMON, EDIT, documented
from control_plane.publishing.changed import Changed, shown
from control_plane.publishing.describe import described
from control_plane.publishing.edit import Editing
from control_plane.publishing.store import RevisionHead
from control_plane.revisions import service
from control_plane.revisions.schemas import (
    DiffOut,
    RevisionDetail,
    RevisionOut,
    UndoIn,
    UndoStepsOut,
)
from control_plane.services import Svc
from figway.model import change

router = APIRouter(tags=["revisions"], responses=documented(*COMMON))
Number = Annotated[int, Path(ge=0, lt=2**63)]
_MOST_SHOWN = 10_000


@router.get("/revisions")
async def list_revisions(
    _: Viewer,
    services: Svc,
    actor: Only = "",
    touches: Annotated[
        str, Query(max_length=250, description="Only those that changed it: `route orders`.")
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[RevisionOut]:
    """Every change of the table, newest first."""
    before = paging.decode(cursor, int)
    rows, following = paging.cut(
        await services.history.page(before=before, limit=limit + 1, actor=actor, touches=touches),
        limit,
        lambda row: row.number,
    )
    return Page(items=[RevisionOut(**_fields(row)) for row in rows], next=following)


@router.get("/revisions/diff", responses=documented(404))
async def diff_revisions(
    _: Viewer,
    services: Svc,
    from_revision: Annotated[int, Query(alias="from", ge=0, lt=2**63)],
    to_revision: Annotated[int | None, Query(alias="to", ge=0, lt=2**63)] = None,
) -> DiffOut:
    """What differs between two revisions; the newest one when `to` is left out."""
    to = services.state.current.revision if to_revision is None else to_revision
    before = await services.history.table(from_revision)
    after = await services.history.table(to)
    found = change.describe(before, change.diff(before, after))
    return DiffOut(
        from_revision=from_revision,
        to_revision=to,
        changes=shown(found[:_MOST_SHOWN]),
        more_changes=max(0, len(found) - _MOST_SHOWN),
    )


@router.get("/revisions/{number:int}", responses=documented(404))
async def get_revision(number: Number, _: Viewer, services: Svc) -> RevisionDetail:
    """One revision, with every field that it changed."""
    row = await services.history.revision(number)
    found = described(row.changes, row.inverse)
    return RevisionDetail(**_fields(row), changes=shown(found[:_MOST_SHOWN]))


@router.get("/revisions/next")
async def next_steps(_: Viewer, services: Svc) -> UndoStepsOut:
    """What undo and redo would take back: for whoever is about to."""
    return await service.next_steps(services)


@router.post("/revisions/undo", responses=documented(*EDIT))
async def undo_next(body: UndoIn, edit: Editing) -> Changed:
    """Take back the newest change that stands, as a new revision.

    Again and again it goes back step by step: what was taken back already is passed over, and so
    are undos. The kill switch is no revision, and is not touched.
    """
    return await service.undo_next(edit, body)


@router.post("/revisions/redo", responses=documented(*EDIT))
async def redo_next(body: UndoIn, edit: Editing) -> Changed:
    """Take back the newest undo, for as long as nothing else was changed since."""
    return await service.redo_next(edit, body)


@router.post("/revisions/{number:int}/undo", responses=documented(*EDIT))
async def undo_revision(number: Number, body: UndoIn, edit: Editing) -> Changed:
    """Take back what one revision did, as a new one; what came after it stays.

    409 when the same items were changed again since, unless `force` is set.
    """
    return await service.undo(edit, number, body)


@router.post("/revisions/{number:int}/restore", responses=documented(*EDIT))
async def restore_revision(number: Number, body: UndoIn, edit: Editing) -> Changed:
    """Go back to the table of one revision, whole; everything after it is taken back."""
    return await service.restore(edit, number, body)


def _fields(row: RevisionHead) -> dict[str, Any]:
    return {
        "revision": row.number,
        "etag": row.etag,
        "base_etag": row.base_etag,
        "actor": row.actor,
        "reason": row.reason,
        "source": row.source,
        "created_ms": row.created_ms,
        "summary": row.summary,
        "undoes": row.undoes,
    }
