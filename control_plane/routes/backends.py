"""Backends over HTTP."""

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
from control_plane.routes.schemas import ItemOut, Patch
from control_plane.services import Svc
from figway.model.backend import Backend
from figway.model.change import Kind

router = APIRouter(tags=["backends"], responses=documented(*COMMON))
_EDIT = documented(*EDIT)


@router.get("/backends")
async def list_backends(
    _: Viewer,
    services: Svc,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[ItemOut[Backend]]:
    """Backends by id."""
    return listed(services, Kind.BACKEND, Backend, limit, cursor)


@router.get("/backends/{backend_id}", responses=documented(404))
async def get_backend(backend_id: str, _: Viewer, services: Svc, response: Response) -> Backend:
    """One backend; its ETag is in the header."""
    return item_answer(services, Kind.BACKEND, Backend, backend_id, response)


@router.post("/backends", status_code=201, responses=_EDIT)
async def create_backend(body: Limited[Backend], edit: Editing, response: Response) -> Changed:
    """Create a backend; 409 if there is one of this id.

    The first one of side legacy becomes the table's default: it serves what no route matches.
    """
    response.headers["Location"] = f"/api/v1/backends/{body.id}"
    return await service.create(edit, Kind.BACKEND, body)


@router.put("/backends/{backend_id}", responses=_EDIT)
async def put_backend(backend_id: str, body: Limited[Backend], edit: Editing) -> Changed:
    """Create a backend, or replace the one that is there (If-Match)."""
    return await service.put(edit, Kind.BACKEND, backend_id, body)


@router.patch("/backends/{backend_id}", responses=_EDIT)
async def patch_backend(backend_id: str, body: Patch, edit: Editing) -> Changed:
    """Change some fields of a backend (JSON merge patch, RFC 7396); null means the default."""
    return await service.patch(edit, Kind.BACKEND, Backend, backend_id, body)


@router.delete("/backends/{backend_id}", responses=_EDIT)
async def delete_backend(backend_id: str, edit: Editing) -> Changed:
    """Delete a backend; 422 while something still needs it."""
    return await service.delete(edit, Kind.BACKEND, backend_id)
