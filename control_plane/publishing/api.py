"""What proxies follow: the table, and a stream of its revisions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from control_plane.auth.access import Anyone, Viewer
from control_plane.http.preconditions import etags, quoted
from control_plane.http.problems import COMMON, documented
from control_plane.kill.told import HearsProxies
from control_plane.publishing.hub import event
from control_plane.services import Services, Svc

router = APIRouter(tags=["publishing"], responses=documented(*COMMON))

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/table",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        304: {"description": "The table is still the one of If-None-Match."},
    },
    dependencies=[HearsProxies],
)
async def get_table(
    _: Anyone, services: Svc, if_none_match: Annotated[str, Header(max_length=2_000)] = ""
) -> Response:
    """The current table: `{revision, etag, table}`. The ETag covers the table, not its number."""
    etag = services.state.current.etag
    headers = {"ETag": quoted(etag), "Cache-Control": "no-cache", **services.to_proxies}
    if etag in etags(if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(services.state.encoded(), headers=headers, media_type="application/json")


@router.get(
    "/table/stream",
    response_class=StreamingResponse,
    responses=_STREAM,
    dependencies=[HearsProxies],
)
async def stream_table(actor: Anyone, services: Svc) -> StreamingResponse:
    """Server-sent events: `current` at once, then `revision` for every change.

    `current` is `{revision, etag, installation}`, and `kill`, right after it and whenever the
    kill switch is pressed, `{on, number}`. `revision` is
    `{revision, etag, installation, base, changes}`: who has the table of ETag `base` may apply
    `changes` and must arrive at `etag`; everybody else pulls the table. `watch` is
    `{routes, ms}`: decisions of these routes are wanted for so long. A comment comes twice a
    second. A reader that falls behind is cut off, and comes back.
    """
    queue = services.tables.subscribe()
    first = _current(services) + services.kill.event()
    stands = partial(services.auth.stands, actor.prefix)
    return _streamed(services.tables.stream(queue, first, stands), services.to_proxies)


@router.get("/live", response_class=StreamingResponse, responses=_STREAM, tags=["fleet"])
async def stream_live(actor: Viewer, services: Svc) -> StreamingResponse:
    """Server-sent events for people who watch: `current`, `revision`, `ack`, `breaker`, `traffic`,
    and `decisions` of the routes that somebody watches (`GET /decisions`).

    All but `current` and `revision` are those that reached this control plane.
    """
    queue = services.live.subscribe()
    first = _current(services) + services.kill.event()
    stands = partial(services.auth.stands, actor.prefix)
    return _streamed(services.live.stream(queue, first, stands))


def _current(services: Services) -> bytes:
    now = services.state.current
    installation = services.state.installation
    return event(
        "current", {"revision": now.revision, "etag": now.etag, "installation": installation}
    )


def _streamed(body: Any, says: Mapping[str, str] = MappingProxyType({})) -> StreamingResponse:
    headers = {**_HEADERS, **says}
    return StreamingResponse(body, headers=headers, media_type="text/event-stream")
