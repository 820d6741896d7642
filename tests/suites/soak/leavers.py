"""Clients that send a request and leave, and processes that are frozen: what a fleet lives with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tests.suites.faults.arena import HOST, Arena

LEAVERS = 5
LEAVE_EVERY_S = 0.25


class Leavers:
    """Every quarter of a second five clients ask and leave. They meet a path of their own."""

    def __init__(self, ring: Arena) -> None:
        self._ring = ring
        self.left = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Leavers]:
        """Leave until the end of the block."""
        task = asyncio.create_task(self.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """For ever."""
        url = urlsplit(self._ring.proxy.facade)
        address = (url.hostname or "", url.port or 0)
        while True:
            for _ in range(LEAVERS):
                await asyncio.to_thread(self._leave, address)
            await asyncio.sleep(LEAVE_EVERY_S)

    def _leave(self, address: tuple[str, int]) -> None:
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(f"GET /moved/left-{self.left} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        self.left += 1


async def freeze(pid: int, seconds: float) -> None:
    """Stop a process for some seconds."""
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
