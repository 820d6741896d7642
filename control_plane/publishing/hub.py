"""Hands events to any number of streams without ever waiting for one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from control_plane.http.problems import ApiProblem

_BACKLOG = 256  # events that a stream may be behind before it is dropped
_HEARTBEAT_S = 0.5
"""Between two comments of a silent stream: a proxy asks by itself when one is silent for longer."""
_CHECK_S = 5.0
"""Between two questions whether a stream's reader may still read."""

Stands = Callable[[], Awaitable[bool]]
"""Whether the key or the session that opened a stream still holds."""


async def _always() -> bool:
    return True


def event(name: str, data: Any) -> bytes:
    """A server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


class Hub:
    """One feed and its streams. A stream that falls behind is ended: its reader comes back, and
    starts from what is current."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._queues)

    def publish(self, message: bytes) -> None:
        """Queue a message for every stream."""
        for queue in list(self._queues):
            if queue.qsize() >= _BACKLOG:
                self._drop(queue)
            else:
                queue.put_nowait(message)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        for queue in list(self._queues):
            self._drop(queue)

    def subscribe(self) -> asyncio.Queue[bytes | None]:
        """A queue that gets every message from now on; None ends it. Raises `ApiProblem` 429."""
        if self._closed or len(self._queues) >= self._most:
            raise ApiProblem(
                429,
                "too_many_streams",
                "Too many streams",
                f"{len(self._queues)} are open, and FIGWAY_MAX_STREAMS allows {self._most}",
                headers={"Retry-After": "5"},
            )
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        return queue

    async def stream(
        self, queue: asyncio.Queue[bytes | None], first: bytes = b"", stands: Stands = _always
    ) -> AsyncIterator[bytes]:
        """The body of a stream: `first`, then what comes, and a comment in the silences. It ends
        when `stands` says no: a key that is revoked opens nothing, and keeps nothing open."""
        checked = time.monotonic()
        try:
            if first:
                yield first
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), _HEARTBEAT_S)
                except TimeoutError:
                    message = b": still here\n\n"
                if message is None:
                    return
                if time.monotonic() - checked >= _CHECK_S:
                    if not await stands():
                        return
                    checked = time.monotonic()
                yield message
        finally:
            self._queues.discard(queue)

    def _drop(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
