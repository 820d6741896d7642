"""A pooler that lends PostgreSQL's sessions by the transaction, as PgBouncer does in that mode.

Sessions are lent in turn, so that one client's transactions meet as many of them as there are.
Source: PostgreSQL, "Frontend/Backend Protocol", message flow and formats.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_SSL_REQUEST = 80_877_103
_VERSION_3 = 196_608
_READY_IDLE = b"Z\x00\x00\x00\x05I"


@dataclass
class Session:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes
    """What the server said about itself."""


class Pooler:
    """Speaks to clients on a port of loopback, and to the server on its Unix socket."""

    def __init__(self, path: str, database: str, sessions: int) -> None:
        self._path = path
        self._database = database
        self._sessions = sessions
        self._idle: asyncio.Queue[Session] = asyncio.Queue()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.lent = 0
        """Transactions so far."""
        self.port = 0
        self._server: asyncio.Server

    async def open(self) -> None:
        for _ in range(self._sessions):
            self._idle.put_nowait(await self._session())
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        while not self._idle.empty():
            self._idle.get_nowait().writer.close()
        await asyncio.sleep(0.05)

    async def _session(self) -> Session:
        reader, writer = await asyncio.open_unix_connection(f"{self._path}/.s.PGSQL.5432")
        fields = b"user\0postgres\0database\0" + self._database.encode() + b"\0\0"
        writer.write(struct.pack("!ii", len(fields) + 8, _VERSION_3) + fields)
        greeting = b""
        while not (message := await _message(reader)).startswith(b"Z"):
            assert not message.startswith(b"E"), message
            greeting += message
        return Session(reader, writer, greeting)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size, code = struct.unpack("!ii", await reader.readexactly(8))
            await reader.readexactly(size - 8)
            if code == _VERSION_3:
                break
            assert code == _SSL_REQUEST
            writer.write(b"N")
        session = await self._idle.get()
        self._idle.put_nowait(session)
        writer.write(session.greeting + _READY_IDLE)
        message = await _message(reader)
        while not message.startswith(b"X"):
            message = await self._transaction(reader, writer, message)

    async def _transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes
    ) -> bytes:
        """One transaction on one session; the client's message after it."""
        session = await self._idle.get()
        self.lent += 1
        owed = 0
        ended = False
        answers = asyncio.ensure_future(_message(session.reader))
        asked: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asked.set_result(message)
        try:
            while not ended:
                await asyncio.wait((answers, asked), return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    data = asked.result()
                    owed += data[:1] in (b"S", b"Q")
                    session.writer.write(data)
                    asked = asyncio.ensure_future(_message(reader))
                if answers.done():
                    data = answers.result()
                    owed -= data[:1] == b"Z"
                    ended = owed == 0 and data == _READY_IDLE
                    writer.write(data)
                    if not ended:
                        answers = asyncio.ensure_future(_message(session.reader))
            self._idle.put_nowait(session)
        finally:
            if not ended:  # the client left in the middle: so does its session
                answers.cancel()
                session.writer.close()
                self._idle.put_nowait(await self._session())
        return await asked

    @contextmanager
    def running(self) -> Iterator[str]:
        """Runs in a thread; the URL for clients."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self.open(), self._loop).result(10)
        try:
            yield f"postgresql://postgres@127.0.0.1:{self.port}/{self._database}"
        finally:
            asyncio.run_coroutine_threadsafe(self.close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
