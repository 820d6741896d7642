"""Comparisons over HTTP: batches come in, evidence goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from control_plane.auth.access import Proxy, Viewer
from control_plane.comparisons.batches import BatchesIn, BatchesOut, BatchIn, BatchOut, Id
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.export import MEDIA_TYPES, Format, file_name
from control_plane.comparisons.listing import (
    FieldSort,
    FieldsWanted,
    RoutesWanted,
    Sort,
    StandingFilter,
    fields_page,
    routes_page,
)
from control_plane.comparisons.schemas import (
    ExampleOut,
    ExampleSummary,
    FieldsOut,
    LearnedOut,
    RouteDetail,
    RouteEvidence,
)
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, documented, invalid
from control_plane.http.time_range import Moment, time_range
from control_plane.publishing.hub import event
from control_plane.services import Svc
from figway.model.table import Stage

router = APIRouter(tags=["comparisons"], responses=documented(*COMMON))

RouteFilter = Annotated[str, Query(max_length=200)]
VerdictFilter = Annotated[str, Query(max_length=20, description="One verdict only.")]
FieldFilter = Annotated[
    str, Query(max_length=2_200, description="A field's key, or a path: differing there.")
]
SignatureFilter = Annotated[
    str, Query(max_length=64, description="Pairs that differ in the same fields share it.")
]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
_FILE: dict[int | str, dict[str, Any]] = {
    **documented(404, 409),
    200: {
        "content": {
            "text/x-python": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        }
    },
}


@router.post("/comparisons/batches", responses=documented(413))
async def take_batch(body: BatchIn, _: Proxy, services: Svc) -> BatchOut:
    """A shadow worker reports what it compared. The same boot and sequence count once."""
    [accepted] = await services.comparisons.ingest.take([body])
    return BatchOut(accepted=accepted)


@router.post("/comparisons/batches/many", responses=documented(413))
async def take_batches(body: BatchesIn, _: Proxy, services: Svc) -> BatchesOut:
    """Several batches in one transaction, each counted once: a worker of a queue sends one for each
    message, so that a message that comes again is not counted again, whatever it comes with."""
    return BatchesOut(accepted=await services.comparisons.ingest.take(body.batches))


@router.get("/comparisons/learned")
async def list_learned(_: Proxy, services: Svc) -> LearnedOut:
    """What was learned in the current windows: a shadow worker that starts goes on from it."""
    return await services.comparisons.views.learned()


@router.get("/comparisons/routes")
async def list_compared(
    _: Viewer,
    services: Svc,
    q: Annotated[str, Query(max_length=200, description="Part of id, path or description.")] = "",
    stage: Stage | None = None,
    capability: RouteFilter = "",
    verdict: Annotated[
        str, Query(max_length=20, description="Routes with pairs of this verdict.")
    ] = "",
    sort: Sort = "id",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[RouteEvidence]:
    """Routes with their evidence: those that have some, or whose stage should bring some.

    Sorted by id; by what wants attention (share of pairs in which new differed or failed); by the
    lower bound of the agreement; or by the number of rated pairs.
    """
    wanted = RoutesWanted(q=q, stage=stage, capability=capability, verdict=verdict)
    return await routes_page(services.comparisons.views, wanted, sort, limit, cursor)


@router.get("/comparisons/routes/{route_id}", responses=documented(404))
async def get_compared(
    route_id: str,
    _: Viewer,
    services: Svc,
    from_ms: Annotated[Moment, Query(alias="from")] = None,
    to_ms: Annotated[Moment, Query(alias="to")] = None,
    step: Annotated[int, Query(ge=60, le=86_400, description="Seconds, a multiple of 60.")] = 60,
) -> RouteDetail:
    """All evidence on a route: the current window, those before it, verdicts over time.

    Other requests that the route matches, other backends or rules that people write, another build
    of new, and a restart by hand start a new window, as old pairs say nothing about what runs now;
    another weight does not. The last hour by default.
    """
    if step % 60:
        raise invalid("step", "use a multiple of 60")
    since, until = time_range(from_ms, to_ms, step)
    return await services.comparisons.views.detail(route_id, since, until, step)


@router.get("/comparisons/routes/{route_id}/fields", responses=documented(404))
async def list_fields(
    route_id: str,
    _: Viewer,
    services: Svc,
    window: Annotated[
        str | None, Query(max_length=64, description="The current one when left out.")
    ] = None,
    build: Annotated[
        str | None, Query(max_length=200, description="Of new; the newest one when left out.")
    ] = None,
    q: Annotated[str, Query(max_length=200, description="Part of the path.")] = "",
    kind: Annotated[str, Query(max_length=80)] = "",
    standing: StandingFilter | None = None,
    sort: FieldSort = "attention",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> FieldsOut:
    """Where the sides differ, grouped by path: how each field stands now, and what says so."""
    wanted = FieldsWanted(route_id, window, build, q, kind, standing)
    return await fields_page(services.comparisons.views, wanted, sort, limit, cursor)


@router.get("/comparisons/routes/{route_id}/export", response_class=Response, responses=_FILE)
async def export_examples(
    route_id: str,
    _: Viewer,
    services: Svc,
    form: Annotated[Format, Query(alias="format")] = Format.PYTEST,
    verdict: VerdictFilter = "",
    field: FieldFilter = "",
    signature: SignatureFilter = "",
    example: Annotated[list[Id], Query(max_length=200, description="These only.")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Response:
    """Stored pairs as regression tests for new (`pytest`, `hurl`), or as HAR. Legacy's answer is
    what is expected, but for what rules and forms of the route allow."""
    wanted = Wanted(
        route=route_id, verdict=verdict, field=field, signature=signature, ids=tuple(example)
    )
    text = await services.comparisons.exports.write(form, wanted, limit)
    name = file_name(route_id, form)
    return Response(
        text.encode("utf-8", "backslashreplace"),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/comparisons/examples")
async def list_examples(
    _: Viewer,
    services: Svc,
    route: RouteFilter = "",
    verdict: VerdictFilter = "",
    field: FieldFilter = "",
    signature: SignatureFilter = "",
    window: Annotated[str, Query(max_length=64)] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[ExampleSummary]:
    """Stored pairs, newest first. Filters narrow the list together; verdicts are those of now."""
    before = paging.decode(cursor, int)
    wanted = Wanted(route=route, verdict=verdict, field=field, signature=signature, window=window)
    items, following = await services.comparisons.pairs.page(wanted, before, limit)
    return Page(items=items, next=None if following is None else paging.encode(following))


@router.get("/comparisons/examples/{example_id}", responses=documented(404, 409))
async def get_example(example_id: str, _: Viewer, services: Svc) -> ExampleOut:
    """A stored pair, whole: request, both answers, differences, and what replays said since. The
    beginning of an id is enough where only one begins so."""
    return await services.comparisons.pairs.one(example_id)


@router.get("/comparisons/live", response_class=StreamingResponse, responses=_STREAM)
async def stream_comparisons(
    actor: Viewer, services: Svc, route: RouteFilter = ""
) -> StreamingResponse:
    """Server-sent events: `comparisons` for each route of each batch (verdicts and new examples),
    `replay` when one goes on. Those that reached this control plane."""
    queue = services.comparisons.live.subscribe()
    first = event("current", {"revision": services.state.current.revision})
    stands = partial(services.auth.stands, actor.prefix)
    return StreamingResponse(
        _of_route(services.comparisons.live.stream(queue, first, stands), route),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


async def _of_route(messages: AsyncIterator[bytes], route: str) -> AsyncIterator[bytes]:
    # Every event of a route begins with it; comments and `current` belong to all.
    mine = b'\ndata: {"route":' + orjson.dumps(route) + b","
    async for message in messages:
        if not route or b'\ndata: {"route":' not in message or mine in message:
            yield message
