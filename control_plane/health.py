"""Is it alive, is it ready: for whatever started it. Without a key, and without details."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.db.engine import UNAVAILABLE, DatabaseReplaced
from control_plane.services import Svc

router = APIRouter(tags=["health"])


@router.get("/live", response_class=Response, status_code=204)
async def live() -> Response:
    """204 while the process answers."""
    return Response(status_code=204)


@router.get(
    "/ready",
    response_class=Response,
    status_code=204,
    responses={503: {"description": "The database does not answer."}},
)
async def ready(services: Svc) -> Response:
    """204 while the database answers, and is the one that this control plane started with."""
    try:
        await services.publisher.check()
    except UNAVAILABLE as error:
        status = "replaced" if isinstance(error, DatabaseReplaced) else "away"
        return Response(status_code=503, headers={"Retry-After": "2", "Figway-Database": status})
    return Response(status_code=204)
