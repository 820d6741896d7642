"""A stream of what happens, small enough for any number of browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from control_plane.console.access import Viewing
from control_plane.publishing.hub import Hub, event

router = APIRouter()
_TRAFFIC = b"event: traffic\n"


@router.get("/live")
async def live(visit: Viewing, route: str = "") -> StreamingResponse:
    """Server-sent events: revisions, acknowledgements, breakers; and the traffic of one route."""
    hub = visit.services.live
    queue = hub.subscribe()
    now = visit.services.state.current
    first = event("current", {"revision": now.revision, "etag": now.etag})
    return StreamingResponse(
        _narrowed(hub, queue, first, route),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


async def _narrowed(
    hub: Hub, queue: asyncio.Queue[bytes | None], first: bytes, route: str
) -> AsyncIterator[bytes]:
    async for message in hub.stream(queue, first):
        if not message.startswith(_TRAFFIC):
            yield message
        elif route:
            told = orjson.loads(message[len(_TRAFFIC) + len(b"data: ") :])
            told["series"] = [entry for entry in told["series"] if entry["route"] == route]
            if told["series"]:
                yield event("traffic", told)
