"""The backend of all servers: a bare uvloop protocol that answers as cheaply as Python can.

    python -m bench.origin COUNT

It listens on COUNT ports of its own choice, prints them as one JSON line, and ends with its
standard input. The path says what is wanted: `/slow/` waits 50 ms, `/1m` and `/100m` are big,
`/-/counts` tells how many requests each port has had, everything else is 1 KB of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial

import uvloop

SLOW_S = 0.05
_PIECE = 1 << 20


def _answer(body: bytes, length: int | None = None) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
        b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
        b'ETag: "5d8c72a5edda8"\r\nX-Request-Id: 5f2b8c1e\r\nContent-Length: %d\r\n\r\n'
    )
    return head % (len(body) if length is None else length) + body


_ITEMS = [{"id": 4_000 + n, "name": f"Article {n}", "price": 19.9 + n} for n in range(20)]
_SMALL = _answer(json.dumps({"items": _ITEMS}).encode()[:1_022] + b"]}")
_MEGABYTE = _answer(b"x" * _PIECE)
_BIG_HEAD = _answer(b"", 100 * _PIECE)
_BLOCK = b"x" * _PIECE
_LENGTH = b"\r\ncontent-length: "


class Origin(asyncio.Protocol):
    """One connection. `counts` is shared by all, one entry a port."""

    def __init__(self, counts: list[int], port: int) -> None:
        self.counts = counts
        self.port = port
        self.buffer = b""
        self.skip = 0
        self.blocks = 0
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.skip:
            if len(data) < self.skip:
                self.skip -= len(data)
                return
            data = data[self.skip :]
            self.skip = 0
            self._answer(b"POST")
        if self.buffer:
            data, self.buffer = self.buffer + data, b""
        while data:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self.buffer = data
                return
            head, data = data[:end], data[end:]
            if head[:4] == b"POST":
                lowered = head.lower()
                at = lowered.find(_LENGTH) + len(_LENGTH)
                length = int(lowered[at : lowered.find(b"\r", at)])
                if len(data) < length:
                    self.skip = length - len(data)
                    return
                data = data[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        self.counts[self.port] += 1
        if b" /slow/" in head[:12]:
            asyncio.get_running_loop().call_later(SLOW_S, self._late)
        elif b" /1m" in head[:9]:
            self.transport.write(_MEGABYTE)
        elif b" /100m" in head[:11]:
            self.transport.write(_BIG_HEAD)
            self.blocks = 100
            self._more()
        elif b" /-/counts" in head[:14]:
            self.counts[self.port] -= 1
            self.transport.write(_answer(json.dumps(self.counts).encode()))
        else:
            self.transport.write(_SMALL)

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_SMALL)

    def _more(self) -> None:
        while self.blocks and not self.paused and not self.transport.is_closing():
            self.blocks -= 1
            self.transport.write(_BLOCK)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._more()


async def serve(count: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    counts = [0] * count
    servers = [
        await loop.create_server(partial(Origin, counts, index), "127.0.0.1", 0, backlog=4_096)
        for index in range(count)
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
