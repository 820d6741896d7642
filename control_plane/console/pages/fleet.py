"""The proxies: what each serves, how far behind it is, what it refused."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.clock import now_ms
from control_plane.console.access import Viewing, Visit
from control_plane.db.engine import UNAVAILABLE
from control_plane.traffic.api import list_events

router = APIRouter()
_EVENTS = 30
_PATIENCE_S = 2.0


@router.get("/fleet")
async def show(visit: Viewing, part: str = "") -> Response:
    """All proxies, with their workers and breakers."""
    if part:
        return await visit.shared("fleet_table.html", "", lambda: _context(visit))
    return await visit.page("fleet.html", **await _context(visit))


async def _context(visit: Visit) -> dict[str, Any]:
    """Who the proxies are is known without the database; what they told of is in it."""
    reading = list_events(visit.actor, visit.services, limit=_EVENTS)
    try:
        events = (await visit.services.database.within(_PATIENCE_S, reading)).items
    except UNAVAILABLE:
        events = []
    return {"events": events, "now": now_ms()}
