"""The proxies: what each serves, how far behind it is, what it refused."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.clock import now_ms
from control_plane.console.access import Viewing
from control_plane.traffic.api import list_events

router = APIRouter()
_EVENTS = 30


@router.get("/fleet")
async def show(visit: Viewing, part: str = "") -> Response:
    """All proxies, with their workers and breakers."""
    events = await list_events(visit.actor, visit.services, limit=_EVENTS)
    template = "fleet_table.html" if part else "fleet.html"
    return await visit.page(template, events=events.items, now=now_ms())
