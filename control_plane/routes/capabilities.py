"""Capabilities over HTTP, and the flip of a whole one."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.auth.access import Operator, Viewer
from control_plane.http.limits import Limited
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.preconditions import IfMatch
from control_plane.http.problems import COMMON, EDIT, documented
from control_plane.publishing.changed import Changed, Reason, Timeout, Wait, answer
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
    body: Limited[Capability],
    actor: Operator,
    services: Svc,
    response: Response,
    reason: Reason = "",
    wait: Wait = None,
    timeout: Timeout = 10,
) -> Changed:
    """Create a capability; 409 if there is one of this id."""
    deed = actor.deed("capability.create", f"capability {body.id}", reason)
    published = await services.publisher.change(
        service.create(Kind.CAPABILITY, body), deed, source=actor.source
    )
    response.headers["Location"] = f"/api/v1/capabilities/{body.id}"
    return await answer(services, published, wait, timeout)


@router.put("/capabilities/{capability_id}", responses=_EDIT)
async def put_capability(
    capability_id: str,
    body: Limited[Capability],
    actor: Operator,
    services: Svc,
    if_match: IfMatch = "",
    reason: Reason = "",
    wait: Wait = None,
    timeout: Timeout = 10,
) -> Changed:
    """Create a capability, or replace the one that is there (If-Match)."""
    make = service.put(services.state, Kind.CAPABILITY, capability_id, body, if_match)
    deed = actor.deed("capability.put", f"capability {capability_id}", reason)
    published = await services.publisher.change(make, deed, source=actor.source)
    return await answer(services, published, wait, timeout)


@router.patch("/capabilities/{capability_id}", responses=_EDIT)
async def patch_capability(
    capability_id: str,
    body: Patch,
    actor: Operator,
    services: Svc,
    if_match: IfMatch = "",
    reason: Reason = "",
    wait: Wait = None,
    timeout: Timeout = 10,
) -> Changed:
    """Change some fields of a capability (JSON merge patch, RFC 7396); null means the default."""
    make = service.patch(services.state, Kind.CAPABILITY, Capability, capability_id, body, if_match)
    deed = actor.deed("capability.patch", f"capability {capability_id}", reason)
    published = await services.publisher.change(make, deed, source=actor.source)
    return await answer(services, published, wait, timeout)


@router.delete("/capabilities/{capability_id}", responses=_EDIT)
async def delete_capability(
    capability_id: str,
    actor: Operator,
    services: Svc,
    if_match: IfMatch = "",
    reason: Reason = "",
    wait: Wait = None,
    timeout: Timeout = 10,
) -> Changed:
    """Delete a capability; 422 while something still needs it."""
    make = service.delete(services.state, Kind.CAPABILITY, capability_id, if_match)
    deed = actor.deed("capability.delete", f"capability {capability_id}", reason)
    published = await services.publisher.change(make, deed, source=actor.source)
    return await answer(services, published, wait, timeout)


@router.post("/capabilities/{capability_id}/flip", responses=_EDIT)
async def flip_capability(
    capability_id: str,
    body: FlipIn,
    actor: Operator,
    services: Svc,
    if_match: IfMatch = "",
    wait: Wait = None,
    timeout: Timeout = 10,
) -> Changed:
    """Flip every route of a capability in one revision, or none of them.

    If-Match is the table's ETag, or `*`.
    """
    make = service.flip_capability(capability_id, body, if_match)
    deed = actor.deed("capability.flip", f"capability {capability_id}", body.reason)
    published = await services.publisher.change(make, deed, source=actor.source)
    return await answer(services, published, wait, timeout)
