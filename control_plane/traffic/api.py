"""Traffic over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from control_plane.auth.access import Proxy, Viewer
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Only, Page
from control_plane.http.problems import COMMON, documented, invalid
from control_plane.http.time_range import Moment, time_range
from control_plane.services import Svc
from control_plane.traffic import store
from control_plane.traffic.schemas import EventOut, ReportIn, ReportOut, SummaryOut, TrafficOut
from control_plane.traffic.schemas_operations import OperationsOut

router = APIRouter(tags=["traffic"], responses=documented(*COMMON))


@router.post("/reports", responses=documented(413))
async def report(body: ReportIn, _: Proxy, services: Svc) -> ReportOut:
    """A proxy reports what it counted. The same boot and sequence count once."""
    return ReportOut(accepted=await services.traffic.ingest(body))


@router.get("/traffic")
async def get_traffic(
    _: Viewer,
    services: Svc,
    route: Annotated[
        str, Query(max_length=200, description="`-`: what no route matched; `*`: everything.")
    ] = store.ALL,
    from_ms: Annotated[Moment, Query(alias="from")] = None,
    to_ms: Annotated[Moment, Query(alias="to")] = None,
    step: Annotated[int, Query(ge=10, le=86_400, description="Seconds, a multiple of 10.")] = 60,
) -> TrafficOut:
    """Requests, statuses, failures, fallbacks and latency of both sides over time.

    The last hour by default. Steps under a minute exist for the last hour only
    (`FIGWAY_KEEP_RECENT_MINUTES`). Quantiles come from merged histograms, exact to about 9 %.
    """
    if step % 10 or (step > 60 and step % 60):
        raise invalid("step", "use 10 to 60 in tens, or a multiple of 60")
    since, until = time_range(from_ms, to_ms, step)
    return await services.traffic.series(route, since, until, step)


@router.get("/traffic/summary")
async def get_summary(
    _: Viewer,
    services: Svc,
    minutes: Annotated[int, Query(ge=1, le=60)] = 5,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    cursor: Cursor = "",
) -> SummaryOut:
    """Both sides of every route over the last minutes: what lists show.

    From thirty minutes on the time begins at a whole ten minutes; `from_ms` says when.
    """
    after = paging.decode(cursor, str)
    summary = await services.traffic.summary(minutes)
    rows = [row for route, row in summary.routes.items() if after is None or route > after]
    page, following = paging.cut(rows, limit, lambda row: row.route)
    return SummaryOut(
        from_ms=summary.from_ms, to_ms=summary.to_ms, items=list(page), next=following
    )


@router.get("/operations")
async def list_operations(
    _: Viewer,
    services: Svc,
    place: Annotated[
        str, Query(max_length=2_000, description="Below this path template only.")
    ] = "",
    days: Annotated[int, Query(ge=1, le=400, description="Days, today included.")] = 7,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> OperationsOut:
    """Which operations traffic asks for below the paths where a route names operations.

    Names alone are kept, never variables, arguments or bodies. A route of the whole path with
    `operation: {kind: soap}` and no names, in stage legacy, is enough to have them counted.
    """
    start = paging.decode(cursor, int) or 0
    table = services.state.current.table
    from_ms, found, places = await services.traffic.operations(table, days, place)
    page = found[start : start + limit]
    more = start + limit < len(found)
    return OperationsOut(
        from_ms=from_ms,
        places=places,
        items=page,
        next=paging.encode(start + limit) if more else None,
    )


@router.get("/events")
async def list_events(
    _: Viewer,
    services: Svc,
    route: Only = "",
    kind: Only = "",
    instance: Only = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[EventOut]:
    """What happened at the proxies (breakers), newest first."""
    before = paging.decode(cursor, int)
    equal = {"route": route, "kind": kind, "instance": instance}
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await store.event_page(connection, before=before, limit=limit + 1, equal=equal),
            limit,
            lambda row: row.id,
        )
    return Page(items=[EventOut(**row._mapping) for row in rows], next=following)
