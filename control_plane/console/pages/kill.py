"""The kill switch, in the head of every page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.console.access import Operating, Viewing
from control_plane.console.pages.flips import spread
from control_plane.http.problems import ApiProblem, invalid
from control_plane.kill.api import KillIn, press

router = APIRouter()


@router.get("/kill")
async def ask(visit: Viewing) -> Response:
    """What it would do."""
    return await visit.page("kill.html", problem=None)


@router.post("/kill")
async def pull(visit: Operating) -> Response:
    """Pull or release it."""
    wanted = visit.form.get("on") == "1"
    reason = visit.form.get("reason", "").strip()
    try:
        if not 0 < len(reason) <= 500:
            raise invalid("reason", "say why, in at most 500 characters")
        changed = await press(visit.edit(), KillIn(on=wanted, reason=reason))
    except ApiProblem as error:
        return await visit.page("kill.html", error.status, problem=error)
    heading = "Everything goes to legacy" if wanted else "The routes speak again"
    response = await spread(visit, changed.revision, heading=heading)
    response.headers["HX-Trigger"] = "figway:change"
    return response


@router.get("/status")
async def status(visit: Viewing) -> Response:
    """The state of the whole, for the head of every page."""
    return await visit.shared("status.html", "", _nothing)


async def _nothing() -> dict[str, Any]:
    return {}
