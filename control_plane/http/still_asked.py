"""Nothing is changed for somebody who has left before it was begun.

A control plane that stood still (stopped, out of memory, its host asleep) finds old requests when
it goes on. Whoever sent them was told that nobody knows, has done it elsewhere, or the contrary
since. Turning the kill switch on is done all the same: it only leads back.
"""

from __future__ import annotations

import asyncio

from fastapi import Request

from control_plane.http.problems import ApiProblem

_SAFE = ("GET", "HEAD", "OPTIONS")
_KILL = "/kill"


async def still_asked(request: Request) -> None:
    """Raises `ApiProblem` 409 `client_gone` for a change whose client closed the connection. Its
    body has been read: what is left to receive is a farewell."""
    if request.method in _SAFE or request.url.path.endswith(_KILL):
        return
    for _ in range(3):  # the end of a connection comes behind its request, in a round of its own
        await asyncio.sleep(0)
    if await request.is_disconnected():
        raise ApiProblem(
            409, "client_gone", "Nobody waits for it", "whoever asked left before it was begun"
        )
