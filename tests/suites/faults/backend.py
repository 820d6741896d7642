"""A backend as a process of its own, which writes down what it executes before it answers.

    python -m tests.suites.faults.backend --port 9001 --side new --journal new.txt [--work-ms 15]

One line a request: milliseconds since the epoch, method, last segment of the path. The line is
with the kernel before the answer begins, so that it outlives a SIGKILL: an execution whose answer
was never sent is counted all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import Any

import httptools
import uvloop


class Served(asyncio.Protocol):
    """One connection; requests are answered in order, each after `work_ms`."""

    def __init__(self, side: str, journal: int, work_s: float) -> None:
        self._side = side
        self._journal = journal
        self._work_s = work_s
        self._url = b""
        self._transport: Any = None
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        url, self._url = self._url.decode("latin-1"), b""
        method = self._parser.get_method().decode()
        line = f"{int(time.time() * 1_000)} {method} {url.rpartition('/')[2]}\n"
        os.write(self._journal, line.encode())
        loop = asyncio.get_running_loop()
        loop.call_later(self._work_s, self._answer)

    def _answer(self) -> None:
        body = self._side.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        if not self._transport.is_closing():  # who asked may have given up meanwhile
            self._transport.write(head % len(body) + body)


async def serve(port: int, side: str, path: str, work_s: float) -> None:
    """Serve for ever."""
    journal = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Served(side, journal, work_s), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--side", required=True)
    parser.add_argument("--journal", required=True)
    parser.add_argument("--work-ms", type=float, default=15.0)
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.side, given.journal, given.work_ms / 1_000))


if __name__ == "__main__":
    main()
