"""A client that keeps every byte that came, also when a reset follows them.

A stream reader gives what it holds to nobody once the connection was reset: under load, when many
bytes come in one turn of the loop, answers would count as none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Listener(asyncio.Protocol):
    """What came: `got`, and whether the other end has `ended` the connection."""

    def __init__(self) -> None:
        self.got = b""
        self.ended = False
        self._end = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.got += data

    def eof_received(self) -> None:
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        self.ended = True
        self._end.set()

    async def end(self) -> None:
        """Wait for the end of the connection."""
        await self._end.wait()


async def exchange(
    port: int, pieces: Iterable[bytes], patience_s: float, address: str | None = None
) -> Listener:
    """Send the pieces, a turn of the loop apart, and listen until the end or for so long."""
    loop = asyncio.get_running_loop()
    own = None if address is None else (address, 0)
    transport, heard = await loop.create_connection(Listener, "127.0.0.1", port, local_addr=own)
    try:
        async with asyncio.timeout(patience_s):
            for piece in pieces:
                if heard.ended:
                    break
                transport.write(piece)
                await asyncio.sleep(0)
            await heard.end()
    except TimeoutError:
        pass
    finally:
        transport.abort()
    return heard
