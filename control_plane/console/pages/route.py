"""One route: where it stands, how both sides do, the way of its requests, its revisions."""

from __future__ import annotations

import builtins
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from control_plane.clock import now_ms
from control_plane.console.access import Viewing, Visit
from control_plane.console.route_row import line
from control_plane.http.problems import not_found
from control_plane.tables.documents import export
from control_plane.traffic.schemas import PointOut, SideOut
from figway.model.change import Kind
from figway.model.table import Route, Stage, Table
from figway.model.words import Side

router = APIRouter()
RANGES = {"1h": (3_600, 60), "6h": (21_600, 300), "24h": (86_400, 900), "7d": (604_800, 7_200)}
"""What charts can show: seconds, and seconds a step."""
Range = Literal["1h", "6h", "24h", "7d"]
_REVISIONS = 12
_DECISIONS = 60
PRESETS = (100, 500, 1_000, 2_500, 5_000, 7_500)


def found(visit: Visit, route_id: str) -> Route:
    """A route of the current table. Raises `ApiProblem` 404."""
    route = visit.services.state.current.table.routes.get(route_id)
    if route is None:
        raise not_found("route", route_id)
    return route


@router.get("/routes/{route_id}")
async def show(route_id: str, visit: Viewing) -> Response:
    """The page."""
    context = await _now(visit, route_id) | await _rest(visit, route_id)
    return await visit.page("route.html", **context)


@router.get("/routes/{route_id}/now")
async def numbers(route_id: str, visit: Viewing) -> Response:
    """Its moving parts."""
    return await visit.shared("route_now.html", route_id, lambda: _now(visit, route_id))


async def _now(visit: Visit, route_id: str) -> dict[str, Any]:
    """What the moving parts show."""
    route = found(visit, route_id)
    services = visit.services
    table = services.state.current.table
    live = await visit.console.live_state.snapshot()
    row = line(route, live, await services.comparisons.views.current())
    stored = services.state.stored(Kind.ROUTE, route_id)
    row.changed = stored.revision if stored else 0
    return {
        "row": row,
        "route": route,
        "etag": stored.etag if stored else "",
        "stages": list(Stage),
        "legacy": table.backends.get(table.legacy_of(route)),
        "new": table.backends.get(route.new),
        "capability": table.capability_of(route),
        "siblings": sorted(
            other.id
            for other in table.routes.values()
            if route.capability and other.capability == route.capability
        ),
    }


async def _rest(visit: Visit, route_id: str) -> dict[str, Any]:
    """What the page shows besides."""
    services, route = visit.services, found(visit, route_id)
    past = await services.history.page(limit=_REVISIONS, touches=f"route {route_id}")
    return {
        "past": [(entry, _about(route_id, entry.summary)) for entry in past],
        "document": export(
            replace(Table(), routes=MappingProxyType({route.id: route})), "yaml"
        ).decode(),
        "presets": PRESETS,
        "ranges": list(RANGES),
        "entries": services.decisions.latest(route_id, limit=_DECISIONS),
        "sides": list(Side),
    }


def _about(route_id: str, lines: list[str]) -> list[str]:
    """What a revision says of the route, or that it was one of many."""
    own = [text for text in lines if text.startswith((f"route {route_id}:", f"route {route_id} "))]
    return own or ["changed together with others"]


@router.get("/routes/{route_id}/traffic.json")
async def traffic(route_id: str, visit: Viewing, range: Range = "1h") -> JSONResponse:
    """Both sides over time, and the flips within it, for the charts."""
    if route_id != "*":
        found(visit, route_id)
    seconds, step = RANGES[range]
    until = now_ms()
    since = until - seconds * 1_000
    series = await visit.services.traffic.series(route_id, since, until, step)
    touches = "" if route_id == "*" else f"route {route_id}"
    past = await visit.services.history.page(limit=100, touches=touches)
    points = {point.at_ms: point for point in series.points}
    times = list(builtins.range(series.from_ms, until, step * 1_000))
    return JSONResponse(
        {
            "times": [at // 1_000 for at in times],
            "sides": {side: _side(times, points, side) for side in ("legacy", "new")},
            "flips": [
                {
                    "at": entry.created_ms / 1_000,
                    "revision": entry.number,
                    "text": "; ".join(entry.summary)[:200],
                }
                for entry in past
                if entry.created_ms >= since
            ],
        }
    )


def _side(times: list[int], points: dict[int, PointOut], name: str) -> dict[str, list[Any]]:
    made: dict[str, list[Any]] = {"rps": [], "errors": [], "p50": [], "p95": [], "p99": []}
    for at in times:
        point = points.get(at)
        side: SideOut | None = getattr(point, name) if point else None
        made["rps"].append(side.rps if side else 0)
        made["errors"].append(round(side.error_rate * 100, 3) if side else None)
        for quantile in ("p50", "p95", "p99"):
            made[quantile].append(getattr(side, f"{quantile}_ms") if side else None)
    return made
