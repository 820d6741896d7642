"""The fleet over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from control_plane.auth.access import Operator, Proxy, Viewer
from control_plane.fleet.schemas import AckIn, FleetOut, Propagation
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit
from control_plane.http.problems import COMMON, documented, not_found
from control_plane.kill.told import HearsProxies
from control_plane.publishing.changed import Reason, Timeout
from control_plane.publishing.state import Snapshot
from control_plane.services import Svc

router = APIRouter(tags=["fleet"], responses=documented(*COMMON))


@router.post("/fleet/acks", status_code=204, responses=documented(413), dependencies=[HearsProxies])
async def acknowledge(body: AckIn, _: Proxy, services: Svc, response: Response) -> None:
    """A proxy says what it serves; its heartbeat. The answer's headers say where the kill switch
    stands, and which installation this is."""
    response.headers.update(services.to_proxies)
    await services.fleet.ack(body)


@router.get("/fleet")
async def get_fleet(_: Viewer, services: Svc, limit: Limit = 100, cursor: Cursor = "") -> FleetOut:
    """Proxies with the revision they serve, lag, last refusal, breakers, quarantine; the kill
    switch as it was pressed, and as they do."""
    after = paging.decode(cursor, str) or ""
    rows, following = paging.cut(
        await services.fleet.page(after, limit + 1), limit, lambda row: row.instance
    )
    found = await services.fleet.overview(services.kill.current, services.kill.doubt)
    now = services.state.current
    return FleetOut(
        revision=now.revision,
        etag=now.etag,
        live=found.live,
        current=found.current,
        summary=found.summary,
        kill=found.kill,
        silent=found.silent,
        installation=services.state.installation,
        items=list(rows),
        next=following,
    )


@router.delete("/fleet/{instance:path}", status_code=204, responses=documented(404))
async def forget_proxy(instance: str, actor: Operator, services: Svc, reason: Reason = "") -> None:
    """Forget a proxy that is gone for good, so that nothing waits for it or names it."""
    entry = actor.entry("fleet.forget", f"proxy {instance}", reason)
    if not await services.fleet.forget(instance, entry):
        raise not_found("proxy", instance)


@router.get("/revisions/{number:int}/propagation", responses=documented(404))
async def get_propagation(
    number: Annotated[int, Path(ge=0, lt=2**63)],
    _: Viewer,
    services: Svc,
    timeout: Timeout = 0,
) -> Propagation:
    """How far the proxies are with a revision; waits `timeout` seconds for them at most."""
    row = await services.history.revision(number)
    wanted = Snapshot(row.number, row.etag, services.state.current.table, row.created_ms)
    return await services.fleet.wait(wanted, timeout)
