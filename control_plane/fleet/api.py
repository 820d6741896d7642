"""The fleet over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from control_plane.auth.access import Proxy, Viewer
from control_plane.fleet import store
from control_plane.fleet.schemas import AckIn, FleetOut
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit
from control_plane.http.problems import COMMON, documented
from control_plane.services import Svc

router = APIRouter(tags=["fleet"], responses=documented(*COMMON))


@router.post("/fleet/acks", status_code=204, responses=documented(413))
async def acknowledge(body: AckIn, _: Proxy, services: Svc) -> None:
    """A proxy says what it serves; its heartbeat."""
    await services.fleet.ack(body)


@router.get("/fleet")
async def get_fleet(_: Viewer, services: Svc, limit: Limit = 100, cursor: Cursor = "") -> FleetOut:
    """Proxies with the revision they serve, lag, last refusal, breakers."""
    after = paging.decode(cursor, str) or ""
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await store.page(connection, after, limit + 1), limit, lambda row: row.instance
        )
    live, current = await services.fleet.counts()
    now = services.state.current
    noun = "proxy" if live == 1 else "proxies"
    return FleetOut(
        revision=now.revision,
        etag=now.etag,
        live=live,
        current=current,
        summary=f"{current} of {live} {noun} on revision {now.revision}",
        items=[services.fleet.shown(row) for row in rows],
        next=following,
    )
