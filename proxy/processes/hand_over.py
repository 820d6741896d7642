"""Handing the listening sockets of a running proxy to its successor on the same host.

The successor connects to a Unix socket in the state folder and is sent the sockets themselves, so
the port is never closed. Once its workers serve, it says so; the predecessor then drains and ends,
and says when the state folder is free. Whoever may enter the folder may take over.

    successor    take over     -> predecessor
    predecessor  the sockets   -> successor       (SCM_RIGHTS; the last one is the private listener)
    successor    ready         -> predecessor     (else nothing has happened)
    predecessor  released      -> successor
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

FILE = "hand-over.sock"
TAKE_OVER, READY, RELEASED = b"take over\n", b"ready\n", b"released\n"
_SOCKETS = b"sockets\n"
_MOST = 300
_WAIT_S = 10.0


class CannotTakeOver(OSError):
    """No proxy hands over. The text is one line that says what to do."""


class HandOver:
    """The predecessor's side. `on_taken` is called when a successor serves."""

    def __init__(
        self, state_dir: Path, sockets: list[socket.socket], on_taken: Callable[[], None]
    ) -> None:
        self._path = state_dir / FILE
        self._sockets = sockets
        self._on_taken = on_taken
        self._successor: socket.socket | None = None

    async def run(self) -> None:
        """Wait for a successor, for ever. Raises OSError where the folder cannot hold a socket."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            with _short(self._path) as name:
                listener.bind(name)
            self._path.chmod(0o600)
            listener.listen(1)
            listener.setblocking(False)
            loop = asyncio.get_running_loop()
            while self._successor is None:
                successor, _ = await loop.sock_accept(listener)
                await self._talk(successor)

    async def _talk(self, successor: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        successor.setblocking(False)
        try:
            async with asyncio.timeout(_WAIT_S):
                if await loop.sock_recv(successor, 64) != TAKE_OVER:
                    raise OSError("not a successor")
            fds = [sock.fileno() for sock in self._sockets]
            socket.send_fds(successor, [_SOCKETS], fds)
            if await loop.sock_recv(successor, 64) != READY:
                raise OSError("the successor did not start")
        except (OSError, TimeoutError):
            successor.close()
            return
        self._successor = successor
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._on_taken()

    def released(self) -> None:
        """The state folder is free."""
        if self._successor is not None:
            with contextlib.suppress(OSError):
                self._successor.send(RELEASED)
            self._successor.close()


class TakeOver:
    """The successor's side: the sockets, and what is still to be said."""

    def __init__(self, predecessor: socket.socket, sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self._predecessor = predecessor

    async def ready(self, took: Callable[[], Awaitable[None]]) -> None:
        """The workers serve: let the predecessor go, then `took` with the folder free."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            self._predecessor.setblocking(False)
            await loop.sock_sendall(self._predecessor, READY)
            await loop.sock_recv(self._predecessor, 64)  # or its end: it holds nothing any more
        self._predecessor.close()
        await took()


def take_over(state_dir: Path) -> TakeOver:
    """Ask whoever runs in the folder for its sockets. Raises `CannotTakeOver`."""
    path = state_dir / FILE
    predecessor = socket.socket(socket.AF_UNIX)
    try:
        predecessor.settimeout(_WAIT_S)
        with _short(path) as name:
            predecessor.connect(name)
        predecessor.sendall(TAKE_OVER)
        said, fds, _, _ = socket.recv_fds(predecessor, 64, _MOST)
    except OSError as error:
        predecessor.close()
        raise CannotTakeOver(
            f"no proxy hands over at {path} ({error.strerror or error}). Start it without "
            "FIGWAY_TAKE_OVER, or with the FIGWAY_STATE_DIR of the proxy that runs."
        ) from None
    if said != _SOCKETS or len(fds) < 2:
        predecessor.close()
        raise CannotTakeOver(f"the proxy at {path} sent no sockets. Stop it, then start this one.")
    return TakeOver(predecessor, [socket.socket(fileno=fd) for fd in fds])


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits into the hundred bytes of a Unix socket's address."""
    if len(os.fsencode(path)) < 100 or not Path("/proc/self/fd").exists():
        yield str(path)
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
