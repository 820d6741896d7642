"""A client that has closed its half of the connection and waits for its answer (RFC 9112, 9.6).

Its FIN is all that comes, and a client that went away sends the same one. What tells them apart
comes later: a reset, which answers the first bytes that are sent to a client that is gone. An event
loop reads no more behind a FIN, and so hears of a reset only when it writes; the sweep looks.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

LOOK_MS: Final = 1_000
"""How often it is looked whether such a client has reset its connection."""
_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None)
_TCP_CLOSE: Final = 7
"""The state of a connection that was reset (Linux, tcp(7))."""


class HalfClosed:
    """Waits for a client's answer to go on.

    `patience_ms` is how long nothing of it may come until the client counts as gone; `progress` is
    what the answer has come to.
    """

    __slots__ = ("_gone_at", "_patience_ms", "_progress", "_transport")

    def __init__(
        self, transport: asyncio.BaseTransport, patience_ms: int, now: int, progress: int
    ) -> None:
        self._transport = transport
        self._patience_ms = patience_ms
        self._progress = progress
        self._gone_at = now + patience_ms

    def look_at(self, now: int) -> int:
        """When to ask next whether it is gone."""
        return min(now + LOOK_MS, max(self._gone_at, now + 1))

    def is_gone(self, now: int, progress: int) -> bool:
        """Whether nobody waits any more."""
        if progress != self._progress:
            self._progress = progress
            self._gone_at = now + self._patience_ms
        return now >= self._gone_at or _is_reset(self._transport)


def _is_reset(transport: asyncio.BaseTransport) -> bool:
    """Whether the connection was reset; False where the system does not say."""
    sock = transport.get_extra_info("socket")
    if sock is None or _TCP_INFO is None:
        return False
    try:
        return bool(sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] == _TCP_CLOSE)
    except OSError:  # a Unix socket, which has no such state
        return False
