"""Decisions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from control_plane.auth.access import Proxy, Viewer
from control_plane.decisions.schemas import DecisionsIn, DecisionsOut
from control_plane.decisions.service import ALL, KEPT
from control_plane.http.problems import COMMON, documented
from control_plane.services import Svc

router = APIRouter(tags=["traffic"], responses=documented(*COMMON))


@router.post("/decisions", status_code=204, responses=documented(413))
async def show_decisions(body: DecisionsIn, _: Proxy, services: Svc) -> None:
    """A proxy sends some of the decisions that somebody watches."""
    services.decisions.take(body)


@router.get("/decisions")
async def list_decisions(
    _: Viewer,
    services: Svc,
    route: Annotated[
        str, Query(max_length=200, description="`-`: what no route matched; `*`: everything.")
    ] = ALL,
    after: Annotated[
        int, Query(ge=0, lt=2**53, description="Only what came after this number.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=KEPT)] = 100,
) -> DecisionsOut:
    """The latest decisions of a route: which side served, and why. A sample, newest first.

    Asking is watching: for fifteen seconds proxies keep at most five a second of the route and
    worker, and nothing at other times. They are held in the memory of this control plane.
    """
    services.decisions.asked(route)
    items = services.decisions.latest(route, after=after, limit=limit)
    return DecisionsOut(route=route, items=items, last=services.decisions.last)
