"""A stream of what happens, small enough for any number of browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from functools import lru_cache

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from control_plane.console import render
from control_plane.console.access import Viewing, Visit
from control_plane.db.engine import UNAVAILABLE
from control_plane.decisions.schemas import DecisionOut
from control_plane.publishing.hub import event

router = APIRouter()
_TRAFFIC = b"event: traffic\n"
_DECISIONS = b"event: decisions\n"


@router.get("/live")
async def live(visit: Viewing, route: str = "") -> StreamingResponse:
    """Server-sent events: revisions, acknowledgements, breakers; and the decisions of one route."""
    hub = visit.services.live
    queue = hub.subscribe()
    now = visit.services.state.current
    first = event("current", {"revision": now.revision, "etag": now.etag})
    return StreamingResponse(
        _narrowed(visit, queue, first, route),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type="text/event-stream",
    )


async def _narrowed(
    visit: Visit, queue: asyncio.Queue[bytes | None], first: bytes, route: str
) -> AsyncIterator[bytes]:
    async def stands() -> bool:
        try:
            return await visit.console.sessions.find(visit.session.token) is not None
        except UNAVAILABLE:
            return True

    services = visit.services
    with services.decisions.watching(route) if route else nullcontext():
        async for message in services.live.stream(queue, first, stands):
            if message.startswith(_TRAFFIC):
                continue
            if message.startswith(_DECISIONS):
                message = _shown(message, route)
            if message:
                yield message


@lru_cache(maxsize=64)  # those who look at one route share the work
def _shown(message: bytes, route: str) -> bytes:
    """Decisions as the page shows them; nothing if they are another route's."""
    told = orjson.loads(message[len(_DECISIONS) + len(b"data: ") :])
    if told["route"] != route:
        return b""
    entries = [DecisionOut.model_construct(**entry) for entry in reversed(told["items"])]
    return event("decisions", {"html": render.part("decisions.html", entries=entries)})
