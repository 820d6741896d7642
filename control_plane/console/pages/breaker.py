"""Forcing a breaker open or closed, or leaving it to itself again."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.console.access import Operating, Viewing, Visit
from control_plane.console.pages.flips import spread
from control_plane.console.pages.route import found
from control_plane.console.route_row import line
from control_plane.http.problems import ApiProblem, invalid
from control_plane.routes.schemas import BreakerForceIn
from control_plane.routes.service import force_breaker
from figway.model.change import Kind
from figway.model.table import BreakerForce

router = APIRouter()
SAID = {
    BreakerForce.NONE: "Automatic again",
    BreakerForce.OPEN: "Forced open",
    BreakerForce.CLOSED: "Forced closed",
}


@router.get("/routes/{route_id}/breaker")
async def ask(route_id: str, visit: Viewing, force: BreakerForce = BreakerForce.NONE) -> Response:
    """What it would do, and the form to do it."""
    return await _dialog(visit, route_id, force)


@router.post("/routes/{route_id}/breaker")
async def do(route_id: str, visit: Operating) -> Response:
    """Force the breaker."""
    form = visit.form
    try:
        force = BreakerForce(form.get("force", ""))
    except ValueError:
        raise invalid("force", "say open, closed or none") from None
    reason, etag = form.get("reason", "").strip(), form.get("etag", "")
    try:
        visit.reason()
        body = BreakerForceIn(force=force, reason=reason)
        changed = await force_breaker(visit.edit(etag), route_id, body)
    except ApiProblem as error:
        return await _dialog(visit, route_id, force, error, reason)
    response = await spread(visit, changed.revision, heading=SAID[force])
    response.headers["HX-Trigger"] = "figway:change"
    return response


async def _dialog(
    visit: Visit,
    route_id: str,
    force: BreakerForce,
    problem: ApiProblem | None = None,
    reason: str = "",
) -> Response:
    route = found(visit, route_id)
    stored = visit.services.state.stored(Kind.ROUTE, route_id)
    newest = None
    if problem is not None and problem.status == 412:
        newest = await visit.services.history.revision(
            stored.revision if stored else visit.services.state.current.revision
        )
    return await visit.page(
        "breaker.html",
        problem.status if problem else 200,
        route=route,
        row=line(route, await visit.console.live_state.snapshot()),
        force=force,
        forces=list(BreakerForce),
        problem=problem,
        newest=newest,
        reason=reason,
        etag=stored.etag if stored else "",
    )
