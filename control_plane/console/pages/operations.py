"""The operations inside paths, as traffic asks for them, each with the form of its own route."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Response

from control_plane.console.access import Viewing
from control_plane.traffic.schemas_operations import OperationOut

router = APIRouter()
DAYS = (1, 7, 30)
MOST = 200
"""Lines of the page."""


@router.get("/operations")
async def listed(visit: Viewing, place: str = "", days: int = 7) -> Response:
    """Operations, the most frequent first."""
    days = min(DAYS, key=lambda known: abs(known - days))
    table = visit.services.state.current.table
    _, found, places = await visit.services.traffic.operations(table, days, place[:2_000])
    return await visit.page(
        "operations.html",
        rows=[(row, _form(row)) for row in found[:MOST]],
        total=len(found),
        places=places,
        place=place[:2_000],
        days=days,
        choices=DAYS,
    )


def _form(row: OperationOut) -> str:
    """Where the form of a route that takes just this operation is; empty where there is none."""
    if row.match is None or row.named_by:
        return ""
    names = ("place", "kind", "field", "type", "name")
    return "/console/new/routes?" + urlencode({name: getattr(row, name) for name in names})
