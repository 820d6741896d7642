"""A small load generator that accounts for every request it sent.

Keep-alive connections over raw sockets; answers are parsed by llhttp. A GET on a reused connection
that ends before any byte of the answer is sent once more, as RFC 9112, 9.3.1 lets a client do;
anything else that is not an answer counts as lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

Header = tuple[bytes, bytes]


@dataclass(slots=True)
class Reply:
    """One answer, whole."""

    status: int
    headers: list[Header]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Closed(ConnectionError):
    """The peer closed; `started` says whether any byte of an answer had come."""

    def __init__(self, started: bool) -> None:
        super().__init__("closed midway" if started else "closed before the answer")
        self.started = started


class _Collector:
    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.body = bytearray()
        self.done = False
        self.keep_alive = False
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.keep_alive = self.parser.should_keep_alive()  # llhttp forgets it after this
        self.done = True


class Connection:
    """One keep-alive connection to the facade."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.used = False

    @classmethod
    async def open(cls, url: str) -> Connection:
        """Connect to the host and port of `url`."""
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def ask(self, request: bytes) -> Reply:
        """Send a whole request and read a whole answer. Raises `Closed` and `OSError`."""
        self._writer.write(request)
        collector = _Collector()
        parser = collector.parser
        started = False
        while not collector.done:
            data = await self._reader.read(65_536)
            if not data:
                raise Closed(started)
            started = True
            parser.feed_data(data)
        self.used = True
        reply = Reply(parser.get_status_code(), collector.headers, bytes(collector.body))
        if not collector.keep_alive:
            self.close()
        return reply

    @property
    def open_still(self) -> bool:
        """May another request be sent here?"""
        return not self._writer.is_closing() and not self._reader.at_eof()

    def close(self) -> None:
        """Close without ceremony."""
        self._writer.close()


def get(path: str, host: str, *headers: str) -> bytes:
    """The bytes of a GET request."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(path: str, host: str, body: bytes, *headers: str) -> bytes:
    """The bytes of a POST request with a JSON body."""
    fixed = [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *fixed, *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was answered with a server error: its bytes, when it was asked and answered
    (seconds of `time.perf_counter`), and the answer."""

    request: bytes
    asked: float
    answered: float
    reply: Reply


@dataclass(slots=True)
class Tally:
    """What became of the requests of a load."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    refused: int = 0
    milliseconds: list[float] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    """The first hundred server errors."""

    @property
    def answered(self) -> int:
        """How many requests got an answer."""
        return sum(self.statuses.values())

    def quantile(self, share: float) -> float:
        """A quantile of the latencies, in milliseconds."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Load:
    """Connections that ask again and again until stopped.

    `make` gives the bytes of request number n. With `pause` seconds between requests of a
    connection, the load stays below what the machine can carry.
    """

    def __init__(
        self, url: str, make: Callable[[int], bytes], *, connections: int = 8, pause: float = 0.0
    ) -> None:
        self._url = url
        self._make = make
        self._connections = connections
        self._pause = pause
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.tally = Tally()

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> Tally:
        """Let every connection finish its request, then end."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        return self.tally

    async def answered(self, number: int, timeout: float = 30.0) -> None:
        """Wait until `number` more requests were answered."""
        goal = self.tally.answered + number
        async with asyncio.timeout(timeout):
            while self.tally.answered < goal:
                await asyncio.sleep(0.01)

    async def _run(self) -> None:
        connection: Connection | None = None
        while not self._stop.is_set():
            if connection is None or not connection.open_still:
                if connection is not None:
                    connection.close()
                connection = await self._connect()
                if connection is None:
                    await asyncio.sleep(0.02)
                    continue
            request = self._make(self.tally.sent)
            self.tally.sent += 1
            connection = await self._ask(connection, request)
            if self._pause:
                await asyncio.sleep(self._pause)
        if connection is not None:
            connection.close()

    async def _connect(self) -> Connection | None:
        try:
            return await Connection.open(self._url)
        except OSError:
            self.tally.refused += 1
            return None

    async def _ask(self, connection: Connection, request: bytes) -> Connection | None:
        begun = time.perf_counter()
        for _ in range(3):
            try:
                reply = await connection.ask(request)
            except (OSError, httptools.HttpParserError) as error:
                connection.close()
                started = getattr(error, "started", False)
                again = connection.used and not started and request.startswith(b"GET")
                fresh = await self._connect() if again else None
                if fresh is None:
                    self.tally.lost[f"{type(error).__name__}: {error}"] += 1
                    return None
                self.tally.repeated += 1
                connection = fresh
                continue
            self._note(request, begun, reply)
            return connection
        self.tally.lost["closed three times"] += 1
        return None

    def _note(self, request: bytes, begun: float, reply: Reply) -> None:
        now, tally = time.perf_counter(), self.tally
        tally.statuses[reply.status] += 1
        tally.milliseconds.append((now - begun) * 1000)
        if reply.status >= 500 and len(tally.failed) < 100:
            tally.failed.append(Failed(request, begun, now, reply))
