"""Is it alive, is it ready: for whatever started it. Without a key, and without details."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

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
    """204 while the database answers, too."""
    try:
        async with services.database.read() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception:
        return Response(status_code=503, headers={"Retry-After": "2"})
    return Response(status_code=204)
