"""Connecting to whichever address of a name answers first (RFC 8305, 5).

An address that swallows packets costs a name with others a quarter of a second, once. Connections
are raced by a protocol that knows nothing; the winner is handed to the caller. Sockets of Python's
own are not passed to the loop: uvloop does not always tell who is to close them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

NEXT_ADDRESS_S: Final = 0.25
"""How long one address has before the next is tried beside it."""


class Waiting(asyncio.Protocol):
    """What a connection is until it is handed over. One that nobody wants any more is closed."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.unwanted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once what came too late."""
        self.transport = cast(asyncio.Transport, transport)
        if self.unwanted:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """A backend that speaks before it is asked is not in step."""
        self.give_up()

    def give_up(self) -> None:
        """Close now, or as soon as there is something to close."""
        self.unwanted = True
        if self.transport is not None:
            self.transport.abort()


async def connect_first(addresses: Sequence[tuple[Any, ...]]) -> Waiting:
    """The first connection to be made to one of `addresses` (host, port, ...), tried in order.

    Raises the OSError of the first address that failed where all did.
    """
    loop = asyncio.get_running_loop()
    waiting = list(addresses)
    trying: dict[asyncio.Task[Any], Waiting] = {}
    errors: list[BaseException] = []
    try:
        while waiting or trying:
            if waiting:
                address, candidate = waiting.pop(0), Waiting()
                task = loop.create_task(_connect(loop, candidate, address))
                trying[task] = candidate
            patience = NEXT_ADDRESS_S if waiting else None
            done, _ = await asyncio.wait(
                trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                candidate = trying.pop(task)
                error = task.exception()
                if error is None:
                    return candidate
                errors.append(error)
        raise errors[0]
    finally:
        for task, candidate in trying.items():
            candidate.give_up()
            task.cancel()


async def _connect(
    loop: asyncio.AbstractEventLoop, candidate: Waiting, address: tuple[Any, ...]
) -> None:
    await loop.create_connection(lambda: candidate, address[0], address[1])
