"""The port that captures leave a serving worker through, and the local socket behind it.

A queue never blocks and never raises: it takes a capture, or says at once why not. The socket is a
Unix stream socket towards the shadow worker. Captures wait by reference, are encoded in batches off
the request's path, and are written as far as the kernel takes them. What finds no room is dropped
newest first: those that wait are the ones whose data has moved on least when they are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

import orjson

from proxy.capture.counts import CountBook, Counts
from proxy.loop.backoff import Backoff

if TYPE_CHECKING:
    from proxy.capture.capture import Tap

FLUSH_S = 0.05
"""How long captures wait to be encoded together."""
BATCH = 64
"""Captures encoded in one go, so that requests wait for no more than about a millisecond."""
BATCH_BYTES = 1 << 20
_SEND_BUFFER = 4 << 20


class ShadowQueue(Protocol):
    """Where captures go. A queue beyond this machine sends the same messages."""

    held: int
    """Body bytes that wait."""

    def put(self, capture: Tap) -> str:
        """Take a capture; or why it is dropped: `queue_full`, `no_worker`, `stopping`."""


class SocketQueue:
    """Implements `ShadowQueue` over a local socket.

    `name` tells this worker from others. `most` captures and `budget` body bytes may wait.
    """

    def __init__(self, name: str, book: CountBook, most: int, budget: int) -> None:
        self.held = 0
        self._name = name
        self._book = book
        self._most = most
        self._budget = budget
        self._waiting: deque[Tap] = deque()
        self._path = ""
        self._socket: socket.socket | None = None
        self._generation = 0
        self._writing = False
        self._batch = b""
        self._ends: deque[tuple[int, Counts]] = deque()
        self._written = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._wake = asyncio.Event()

    # -- ShadowQueue -------------------------------------------------------------------------

    def put(self, capture: Tap) -> str:
        """See `ShadowQueue`."""
        if self._closed:
            return "stopping"
        if len(self._waiting) >= self._most or self.held + capture.size > self._budget:
            return "queue_full" if self._generation else "no_worker"
        self._waiting.append(capture)
        self.held += capture.size
        if self._timer is None and self._generation and not self._writing:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)
        return ""

    # -- the connection ----------------------------------------------------------------------

    def connect_to(self, path: str) -> None:
        """Where the shadow worker listens; empty for nowhere."""
        self._path = path
        self._wake.set()

    async def run(self) -> None:
        """Keep a connection to the shadow worker, for ever."""
        backoff = Backoff(0.05, 1.0)
        while True:
            if not self._path:
                self._wake.clear()
                await self._wake.wait()
                continue
            if self._socket is None:
                if await self._connect():
                    backoff.reset()
                else:
                    await asyncio.sleep(backoff.next())
                    continue
            await self._until_lost()

    async def _connect(self) -> bool:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        try:
            async with asyncio.timeout(2.0):
                await loop.sock_connect(sock, self._path)
                body = orjson.dumps({"worker": self._name})
                await loop.sock_sendall(sock, len(body).to_bytes(4, "big") + body)
                hello = b""
                while len(hello) < 8:
                    data = await loop.sock_recv(sock, 8 - len(hello))
                    if not data:
                        raise ConnectionResetError
                    hello += data
        except (OSError, TimeoutError):
            sock.close()
            return False
        except BaseException:  # cancelled
            sock.close()
            raise
        self._socket, self._generation = sock, int.from_bytes(hello, "big")
        self._flush()
        return True

    async def _until_lost(self) -> None:
        """The shadow worker says nothing after its greeting: whatever comes is the end."""
        sock = self._socket
        assert sock is not None
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(OSError):
                while await loop.sock_recv(sock, 64):
                    continue
        finally:
            if self._writing:
                loop.remove_writer(sock.fileno())
            sock.close()
            self._socket, self._writing = None, False
            # Resend a partly written message to the next shadow worker; fully written ones are lost
            # with this one.
            end = self._count_written()
            self._batch = self._batch[end:]
            self._ends = deque((place - end, counts) for place, counts in self._ends)
            self._generation = self._written = 0

    async def close(self, timeout_s: float) -> None:
        """Take no more, and send what waits as far as `timeout_s` allows; the rest is dropped."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._generation and (self._waiting or self._ends):  # noqa: ASYNC110  two ends
                    await asyncio.sleep(0.005)
        self._count_written()
        for counts in [*(item.counts for item in self._waiting), *(item[1] for item in self._ends)]:
            self._book.dropped(counts, "stopping")
        self._waiting.clear()
        self._ends.clear()
        self.held = 0

    # -- writing -----------------------------------------------------------------------------

    def _flush(self) -> None:
        self._timer = None
        if self._socket is not None and not self._writing:
            if not self._ends:
                self._encode()
            self._write()

    def _encode(self) -> None:
        """The next captures as bytes."""
        parts: list[bytes] = []
        size = 0
        waiting, ends = self._waiting, self._ends
        for _ in range(min(BATCH, len(waiting))):
            capture = waiting.popleft()
            self.held -= capture.size
            message = capture.encode()
            parts += message
            size += sum(map(len, message))
            ends.append((size, capture.counts))
            if size >= BATCH_BYTES:
                break
        self._batch, self._written = b"".join(parts), 0

    def _write(self) -> None:
        """Write what the kernel takes; once it takes all, the next batch has its turn."""
        sock = self._socket
        if sock is None or not self._ends:
            return
        loop = asyncio.get_running_loop()
        try:
            self._written += sock.send(memoryview(self._batch)[self._written :])
        except BlockingIOError:
            pass
        except OSError:
            self._wait_for_room(loop, sock, wanted=False)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the reader, which cleans up
            return
        whole = self._written == len(self._batch)
        self._wait_for_room(loop, sock, wanted=not whole)
        if whole:
            self._count_written()
            self._batch = b""
            if self._waiting and self._timer is None:
                delay = 0.0 if len(self._waiting) >= BATCH else FLUSH_S
                self._timer = loop.call_later(delay, self._flush)

    def _wait_for_room(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, *, wanted: bool
    ) -> None:
        if wanted and not self._writing:
            loop.add_writer(sock.fileno(), self._write)
        elif self._writing and not wanted:
            loop.remove_writer(sock.fileno())
        self._writing = wanted

    def _count_written(self) -> int:
        """Count the messages that the kernel took whole; where the last of them ends."""
        end, found = 0, Counter[Counts]()
        while self._ends and self._ends[0][0] <= self._written:
            end, counts = self._ends.popleft()
            found[counts] += 1
        for counts, number in found.items():
            self._book.sent(counts, self._generation, number)
        return end
