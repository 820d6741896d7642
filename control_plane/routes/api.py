"""Routes over HTTP, and the flip."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from control_plane.auth.access import Viewer
from control_plane.http.limits import Limited
from control_plane.http.paging import Cursor, Limit, Only, Page
from control_plane.http.problems import COMMON, EDIT, documented
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Editing
from control_plane.routes import service
from control_plane.routes.listing import item_answer, listed
from control_plane.routes.schemas import BreakerForceIn, FlipIn, ItemOut, Patch
from control_plane.services import Svc
from figway.model.change import Kind
from figway.model.table import Route, Stage

router = APIRouter(tags=["routes"], responses=documented(*COMMON))
_EDIT = documented(*EDIT)


@router.get("/routes")
async def list_routes(
    _: Viewer,
    services: Svc,
    q: Annotated[str, Query(max_length=200, description="Part of id, path or description.")] = "",
    stage: Stage | None = None,
    capability: Only = "",
    backend: Only = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[ItemOut[Route]]:
    """Routes by id. Filters narrow the list together."""
    matches = service.matching(q=q, stage=stage or "", capability=capability, backend=backend)
    return listed(services, Kind.ROUTE, Route, limit, cursor, matches)


@router.get("/routes/{route_id}", responses=documented(404))
async def get_route(route_id: str, _: Viewer, services: Svc, response: Response) -> Route:
    """One route; its ETag is in the header."""
    return item_answer(services, Kind.ROUTE, Route, route_id, response)


@router.post("/routes", status_code=201, responses=_EDIT)
async def create_route(body: Limited[Route], edit: Editing, response: Response) -> Changed:
    """Create a route; 409 if there is one of this id."""
    response.headers["Location"] = f"/api/v1/routes/{body.id}"
    return await service.create(edit, Kind.ROUTE, body)


@router.put("/routes/{route_id}", responses=_EDIT)
async def put_route(route_id: str, body: Limited[Route], edit: Editing) -> Changed:
    """Create a route, or replace the one that is there (If-Match)."""
    return await service.put(edit, Kind.ROUTE, route_id, body)


@router.patch("/routes/{route_id}", responses=_EDIT)
async def patch_route(route_id: str, body: Patch, edit: Editing) -> Changed:
    """Change some fields of a route (JSON merge patch, RFC 7396); null means the default."""
    return await service.patch(edit, Kind.ROUTE, Route, route_id, body)


@router.delete("/routes/{route_id}", responses=_EDIT)
async def delete_route(route_id: str, edit: Editing) -> Changed:
    """Delete a route; 422 while something still needs it."""
    return await service.delete(edit, Kind.ROUTE, route_id)


@router.post("/routes/{route_id}/flip", responses=_EDIT)
async def flip_route(route_id: str, body: FlipIn, edit: Editing) -> Changed:
    """Flip a route: another stage, another weight.

    If-Match is the route's ETag, or `*`. With `wait=applied` the answer comes when every live proxy
    serves the revision (or refused it, or the time is over) and says so proxy by proxy; the
    change is stored either way. Going back to legacy needs no approval and no proxy's consent.
    """
    return await service.flip(edit, route_id, body)


@router.post("/routes/{route_id}/breaker", responses=_EDIT)
async def force_breaker(route_id: str, body: BreakerForceIn, edit: Editing) -> Changed:
    """Force the breaker of a route open or closed, or leave it to itself again."""
    return await service.force_breaker(edit, route_id, body)
