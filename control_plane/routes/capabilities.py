"""Capabilities over HTTP, and the flip of a whole one."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.auth.access import Viewer
from control_plane.http.limits import Limited
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, EDIT, documented
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Editing
from control_plane.routes import service
from control_plane.routes.listing import item_answer, listed
from control_plane.routes.schemas import FlipIn, ItemOut, Patch
from control_plane.services import Svc
from figway.model.change import Kind
from figway.model.table import Capability

router = APIRouter(tags=["capabilities"], responses=documented(*COMMON))
_EDIT = documented(*EDIT)


@router.get("/capabilities")
async def list_capabilities(
    _: Viewer,
    services: Svc,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[ItemOut[Capability]]:
    """Capabilities by id."""
    return listed(services, Kind.CAPABILITY, Capability, limit, cursor)


@router.get("/capabilities/{capability_id}", responses=documented(404))
async def get_capability(
    capability_id: str, _: Viewer, services: Svc, response: Response
) -> Capability:
    """One capability; its ETag is in the header."""
    return item_answer(services, Kind.CAPABILITY, Capability, capability_id, response)


@router.post("/capabilities", status_code=201, responses=_EDIT)
async def create_capability(
    body: Limited[Capability], edit: Editing, response: Response
) -> Changed:
    """Create a capability; 409 if there is one of this id."""
    response.headers["Location"] = f"/api/v1/capabilities/{body.id}"
    return await service.create(edit, Kind.CAPABILITY, body)


@router.put("/capabilities/{capability_id}", responses=_EDIT)
async def put_capability(capability_id: str, body: Limited[Capability], edit: Editing) -> Changed:
    """Create a capability, or replace the one that is there (If-Match)."""
    return await service.put(edit, Kind.CAPABILITY, capability_id, body)


@router.patch("/capabilities/{capability_id}", responses=_EDIT)
async def patch_capability(capability_id: str, body: Patch, edit: Editing) -> Changed:
    """Change some fields of a capability (JSON merge patch, RFC 7396); null means the default."""
    return await service.patch(edit, Kind.CAPABILITY, Capability, capability_id, body)


@router.delete("/capabilities/{capability_id}", responses=_EDIT)
async def delete_capability(capability_id: str, edit: Editing) -> Changed:
    """Delete a capability; 422 while something still needs it."""
    return await service.delete(edit, Kind.CAPABILITY, capability_id)


@router.post("/capabilities/{capability_id}/flip", responses=_EDIT)
async def flip_capability(capability_id: str, body: FlipIn, edit: Editing) -> Changed:
    """Flip every route of a capability in one revision, or none of them.

    If-Match is the table's ETag, or `*`.
    """
    return await service.flip_capability(edit, capability_id, body)
