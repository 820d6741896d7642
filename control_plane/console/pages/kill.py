"""The kill switch, in the head of every page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.console.access import Operating, Viewing, Visit
from control_plane.http.problems import ApiProblem
from control_plane.kill.actions import press
from control_plane.kill.schemas import KillIn

router = APIRouter()


@router.get("/kill")
async def ask(visit: Viewing) -> Response:
    """What it would do."""
    return await visit.page("kill.html", problem=None)


@router.post("/kill")
async def set_kill(visit: Operating) -> Response:
    """Turn it on or off."""
    wanted = visit.form.get("on") == "1"
    reason = visit.form.get("reason", "").strip()
    try:
        visit.reason()
        seen = visit.form.get("expected", "")
        expected = int(seen) if not wanted and seen.isascii() and seen.isdecimal() else None
        await press(
            visit.services, visit.actor, KillIn(on=wanted, reason=reason, expected=expected)
        )
    except ApiProblem as error:
        return await visit.page("kill.html", error.status, problem=error)
    response = await progress(visit)
    response.headers["HX-Trigger"] = "figway:change"
    return response


@router.get("/kill/progress")
async def progress(visit: Viewing) -> Response:
    """What the proxies do about the switch; a part that asks again until all do."""
    return await _progress(visit)


async def _progress(visit: Visit) -> Response:
    services = visit.services
    found = await services.fleet.wait_for_kill(services.kill.current, 0)
    waiting = any(proxy.state == "waiting" for proxy in found.proxies)
    return await visit.page(
        "killed.html",
        spread=found,
        kill=services.kill.current,
        stored=services.kill.stored,
        doubt=services.kill.doubt,
        again=waiting and found.ms < 30_000,
    )


@router.get("/status")
async def status(visit: Viewing) -> Response:
    """The state of the whole, for the head of every page."""
    return await visit.shared("status.html", "", _nothing)


async def _nothing() -> dict[str, Any]:
    return {}
