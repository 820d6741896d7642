"""What the suite stands on: a facade in a thread, a backend that plays raw bytes, a raw client.

Nothing here parses HTTP beyond what it takes to find the end of a message, so that what a test
sees is what went over the wire.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import uvloop

from figway.model.backend import Backend
from figway.model.table import Route, Table
from figway.model.words import Side
from figway.routing.compile import compile_table
from proxy.doors.server import NativeDoor
from proxy.doors.uvicorn import UvicornDoor
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.record import RequestRecord
from proxy.loop.tasks import TaskKeeper
from proxy.request.runtime import FacadeSettings, Runtime
from proxy.upstreams.factory import open_upstream

T = TypeVar("T")
WAIT = 10.0
Door = NativeDoor | UvicornDoor
DOORS: dict[str, type[Door]] = {"native": NativeDoor, "asgi": UvicornDoor}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def table_of(legacy: int, new: int = 0, *routes: Route, **backend: Any) -> Table:
    """A table with a legacy backend, a new one if it has a port, and routes."""
    backends = {"legacy": _backend("legacy", Side.LEGACY, legacy, **backend)}
    if new:
        backends["new"] = _backend("new", Side.NEW, new)
    return Table(
        default_backend="legacy", backends=backends, routes={route.id: route for route in routes}
    )


def _backend(name: str, side: Side, port: int, **fields: Any) -> Backend:
    return Backend(id=name, side=side, url=f"http://127.0.0.1:{port}", **fields)


class Facade:
    """One worker's runtime behind one door, on an event loop of its own."""

    def __init__(
        self,
        door: str,
        table: Table,
        settings: FacadeSettings,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.records: list[RequestRecord] = []
        self.faults: list[BaseException] = []
        self.runtime: Runtime
        self._kind = DOORS[door]
        self._table = table
        self._settings = settings
        self._tls = tls
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT)

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        timer = DeadlineTimer(20)
        timer.start()
        keeper = TaskKeeper(lambda where, error: self.faults.append(error))
        self.runtime = Runtime(
            compile_table(self._table, 1, "one"),
            open_upstream=lambda backend: open_upstream(backend, timer),
            timer=timer,
            recorder=self,
            spawn=keeper.spawn,
            report=lambda where, error: self.faults.append(error),
            settings=self._settings,
        )
        self.door: Door = self._kind(self.runtime, tls=self._tls)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        await self.door.listen(listener)
        self._ready.set()
        await self._stop.wait()
        await self.door.drain(0.2)
        await self.runtime.close()
        await keeper.close()
        timer.stop()
        if self.runtime.in_flight or timer.entries:
            left = f"{self.runtime.in_flight} requests, {timer.entries} deadlines"
            self.faults.append(AssertionError(f"left behind: {left}"))

    def record(self, record: RequestRecord) -> None:
        self.records.append(record)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the facade's loop."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT)

    def start(self, coroutine: Any) -> Any:
        """Start a coroutine on the facade's loop; a concurrent future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def swap(self, table: Table) -> None:
        self.call(lambda: self.runtime.swap(compile_table(table, 2, "two")))

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, or fail."""
        pause = threading.Event()
        for _ in range(int(WAIT / 0.01)):
            if holds():
                return
            pause.wait(0.01)
        raise AssertionError("what was waited for did not come")

    def last(self, count: int = 1) -> RequestRecord:
        """The record of the `count`th request, once it is there."""
        self.wait_for(lambda: len(self.records) >= count)
        return self.records[count - 1]

    def connect(self) -> Client:
        return Client(self.port)

    def stop(self) -> None:
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(WAIT)
        assert not self._thread.is_alive()
        assert not self.faults, self.faults


class Peer:
    """One end of a connection, in raw bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(WAIT)
        self.held = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def more(self) -> bytes:
        """Whatever comes next; empty at the end of the stream."""
        if self.held:
            data, self.held = self.held, b""
            return data
        try:
            return self.sock.recv(65_536)
        except ConnectionResetError:
            return b""

    def until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`; what there was when the stream ends before."""
        data = b""
        while mark not in data:
            piece = self.more()
            if not piece:
                return data
            data += piece
        end = data.index(mark) + len(mark)
        self.held = data[end:] + self.held
        return data[:end]

    def exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.more()
            if not piece:
                return bytes(data)
            data += piece
        self.held = bytes(data[count:]) + self.held
        return bytes(data[:count])

    def rest(self) -> bytes:
        """Everything until the other end closes."""
        data = b""
        while piece := self.more():
            data += piece
        return data

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Message:
    """A message as it stood on the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.line, *lines = head[:-4].split(b"\r\n")
        self.headers = [(name, value) for name, value in (line.split(b": ", 1) for line in lines)]

    def all(self, name: bytes) -> list[bytes]:
        return [pair[1] for pair in self.headers if pair[0].lower() == name.lower()]

    def one(self, name: bytes) -> bytes:
        (value,) = self.all(name)
        return value

    @property
    def status(self) -> int:
        return int(self.line.split()[1])


def read_message(peer: Peer, *, head_only: bool = False) -> Message | None:
    """Read one message; None at the end of the stream."""
    head = peer.until(b"\r\n\r\n")
    if not head.endswith(b"\r\n\r\n"):
        return None
    message = Message(head, b"")
    if head_only or message.line.split()[1:2] in ([b"204"], [b"304"]):
        return message
    if message.all(b"content-length"):
        message.body = peer.exactly(int(message.one(b"content-length")))
    elif message.all(b"transfer-encoding"):
        while size := int(peer.until(b"\r\n").split(b";")[0], 16):
            message.body += peer.exactly(size)
            peer.exactly(2)
        while peer.until(b"\r\n") != b"\r\n":
            pass
    elif message.line.startswith(b"HTTP/") and message.status >= 200:
        message.body = peer.rest()
    return message


class Client(Peer):
    """A client of the facade."""

    def __init__(self, port: int) -> None:
        super().__init__(socket.create_connection(("127.0.0.1", port)))

    def get(self, target: bytes = b"/", *headers: bytes) -> Message:
        return self.ask(b"GET", target, *headers)

    def ask(self, method: bytes, target: bytes, *headers: bytes, body: bytes = b"") -> Message:
        lines = [b"%b %b HTTP/1.1" % (method, target), b"Host: shop.example", *headers]
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        self.send(b"\r\n".join([*lines, b"", b""]) + body)
        return self.answer(head_only=method == b"HEAD")

    def answer(self, *, head_only: bool = False) -> Message:
        message = read_message(self, head_only=head_only)
        assert message is not None, "the facade closed without an answer"
        return message

    def closed(self) -> bool:
        """Whether the facade closes now without another byte."""
        return self.more() == b""


Play = Callable[[Peer, Message], Any]
"""Answers one request on a backend's connection; False ends the connection."""


class RawBackend:
    """Records what it is sent, byte for byte, and plays what it is told."""

    def __init__(self, play: Play | bytes = OK) -> None:
        self.play: Play | bytes = play
        self.requests: list[Message] = []
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._peers: list[Peer] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock)
            self._peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        with suppress(OSError, ValueError), peer:
            while True:
                head_first = getattr(self.play, "head_first", False)
                request = read_message(peer, head_only=head_first)
                if request is None:
                    break
                self.requests.append(request)
                if isinstance(self.play, bytes):
                    peer.send(self.play)
                elif self.play(peer, request) is False:
                    break
        self.closed.set()

    @property
    def last(self) -> Message:
        return self.requests[-1]

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)


def head_first(play: Play) -> Play:
    """Play as soon as the head is in; the body is then left for the player to read."""
    play.head_first = True  # type: ignore[attr-defined]
    return play


@contextmanager
def backend(play: Play | bytes = OK) -> Iterator[RawBackend]:
    raw = RawBackend(play)
    try:
        yield raw
    finally:
        raw.stop()
