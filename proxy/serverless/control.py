"""The control planes that a function was told of: one is called, the next after it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from figway.message.http import Headers
from proxy.aws.calls import Call, Origin, Reply
from proxy.loop.deadlines import DeadlineTimer

Done = Callable[[Reply], None]
_STRANGERS = (401, 403, 404)
"""Answers of something that may be no control plane of ours."""


class ControlOrigins:
    """Must be made on the running loop. Raises ValueError."""

    def __init__(self, urls: Sequence[str], timer: DeadlineTimer) -> None:
        self._origins = [Origin(url, timer) for url in urls]
        self._at = 0

    def start(
        self, method: str, path: str, headers: Headers, body: bytes | None, done: Done
    ) -> Call:
        """Begin a call of the API; as `Origin.start`, with a `path` below the URL."""
        at = self._at
        origin = self._origins[at]
        told = partial(self._told, at, done)
        return origin.start(method, origin.path + path, headers, body, told)

    def _told(self, at: int, done: Done, reply: Reply) -> None:
        failed = not reply.status or reply.status >= 500 or reply.status in _STRANGERS
        if failed and at == self._at:
            self._at = (at + 1) % len(self._origins)
        done(reply)
