"""Undo, out of a list of revisions; and what differs between two tables."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.console.access import Operating, Viewing
from control_plane.console.pages.flips import spread
from control_plane.http.problems import ApiProblem
from control_plane.revisions.api import get_revision
from control_plane.revisions.schemas import UndoIn
from control_plane.revisions.service import undo as take_back

router = APIRouter()


@router.get("/revisions/{number}")
async def show(number: int, visit: Viewing) -> Response:
    """One revision, field by field, with its undo."""
    found = await get_revision(number, visit.actor, visit.services)
    return await visit.page("revision.html", found=found, problem=None)


@router.post("/revisions/{number}/undo")
async def undo(number: int, visit: Operating) -> Response:
    """Take a revision back."""
    row = await visit.services.history.revision(number)
    try:
        reason = visit.reason(needed=False)
        body = UndoIn(reason=reason, force=bool(visit.form.get("force")))
        changed = await take_back(visit.edit(), number, body)
    except ApiProblem as error:
        found = await get_revision(row.number, visit.actor, visit.services)
        return await visit.page("revision.html", error.status, found=found, problem=error)
    response = await spread(visit, changed.revision, heading=f"Took back revision {number}")
    response.headers["HX-Trigger"] = "figway:change"
    return response
