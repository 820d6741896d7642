"""The list of routes. Search, filters, sort and page live in the URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from control_plane.console.access import Viewing, Visit
from control_plane.console.route_row import SORTS, RouteRow, line, ordered
from control_plane.routes.service import matching
from figway.model.change import Kind
from figway.model.table import Stage

router = APIRouter()
PAGE = 50
_FILTERS = ("q", "stage", "capability", "backend", "sort")


@router.get("/routes")
async def list_routes(visit: Viewing, request: Request) -> Response:
    """Routes with both sides' numbers."""
    asked = {name: request.query_params.get(name, "")[:200] for name in _FILTERS}
    number = request.query_params.get("page", "1")
    page = int(number[:9]) if number.isdecimal() else 1
    if request.query_params.get("part"):
        what = (*asked.values(), page)
        return await visit.shared("routes_table.html", what, lambda: listed(visit, asked, page))
    return await visit.page("routes.html", **await listed(visit, asked, page))


async def listed(visit: Visit, asked: dict[str, str], number: int) -> dict[str, Any]:
    """One page of the list, and what its head needs."""
    services = visit.services
    live = await visit.console.live_state.snapshot()
    table = live.published.table
    wanted = matching(
        q=asked["q"].strip(),
        stage=asked["stage"],
        capability=asked["capability"],
        backend=asked["backend"],
    )
    proofs = await services.comparisons.views.current()
    rows = [line(route, live, proofs) for route in table.routes.values() if wanted(route)]
    for row in rows:
        stored = services.state.stored(Kind.ROUTE, row.route.id)
        row.changed = stored.revision if stored else 0
    rows = ordered(rows, asked["sort"] or "attention")
    pages = max(1, -(-len(rows) // PAGE))
    number = min(max(1, number), pages)
    shown = rows[(number - 1) * PAGE : number * PAGE]
    await _date(visit, shown)
    return {
        "rows": shown,
        "total": len(rows),
        "all": len(table.routes),
        "number": number,
        "pages": pages,
        "asked": asked,
        "sorts": SORTS,
        "stages": list(Stage),
        "capabilities": sorted(table.capabilities),
        "backends": sorted(table.backends),
        "link": lambda **more: _link(asked, number, more),
    }


def _link(asked: dict[str, str], number: int, more: dict[str, Any]) -> str:
    query = {**asked, "page": number, **more}
    if set(more) - {"page", "part"}:
        query["page"] = 1
    if query["page"] == 1:
        query["page"] = ""
    return "/console/routes?" + urlencode({name: value for name, value in query.items() if value})


async def _date(visit: Visit, rows: list[RouteRow]) -> None:
    dates = await visit.services.history.dates(row.changed for row in rows)
    for row in rows:
        row.changed_ms = dates.get(row.changed, 0)
