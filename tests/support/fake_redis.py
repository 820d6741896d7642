"""What stands for Redis: a peer that plays any answer to any command, and the real server."""

from __future__ import annotations

import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

SERVER = shutil.which("redis-server")
WHY_NOT = "redis-server is not installed (Debian: apt-get install redis-server)"
ADDED = b"$3\r\n7-0\r\n"
Answer = bytes | str
"""Bytes to be sent; or `reset`, `close`, `hang`, or `slow:` and what comes a byte at a time."""


def read_command(stream: BufferedIOBase) -> list[bytes]:
    """One command as clients write them; empty at the end."""
    line = stream.readline()
    if not line:
        return []
    assert line[:1] == b"*", line
    parts = []
    for _ in range(int(line[1:])):
        size = int(stream.readline()[1:])
        parts.append(stream.read(size))
        assert stream.read(2) == b"\r\n"
    return parts


class FakeRedis:
    """Answers logins with OK, and each other command with the next answer; the last for ever.

    `login` stands for the answer to AUTH and SELECT, `greeting` is said before anything is asked.
    `held` answers are sent together, when so many commands are there.
    """

    def __init__(self, *answers: Answer, login: Answer = b"+OK\r\n", greeting: bytes = b"") -> None:
        self.answers: list[Answer] = list(answers) or [ADDED]
        self.login = login
        self.greeting = greeting
        self.held = 1
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self._stop = threading.Event()

    @property
    def added(self) -> list[list[bytes]]:
        """The commands that were no logins."""
        return [item for item in self.commands if item[0] not in (b"AUTH", b"SELECT")]

    def __enter__(self) -> FakeRedis:
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                fake.connections += 1
                fake.serve(self.connection, self.rfile)

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, connection: socket.socket, stream: BufferedIOBase) -> None:
        """One connection."""
        try:
            connection.sendall(self.greeting)
            held: list[bytes] = []
            while command := read_command(stream):
                self.commands.append(command)
                answer = self._answer(command)
                if answer == "hang":
                    self._stop.wait(20)
                    return
                if answer in ("reset", "close"):
                    if answer == "reset":
                        linger = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                if isinstance(answer, str):
                    self._slowly(connection, answer.removeprefix("slow:").encode())
                    continue
                held.append(answer)
                if len(held) >= self.held:
                    connection.sendall(b"".join(held))
                    held.clear()
        except OSError:
            pass

    def _answer(self, command: list[bytes]) -> Answer:
        if command[0] in (b"AUTH", b"SELECT"):
            return self.login
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _slowly(self, connection: socket.socket, data: bytes) -> None:
        for at in range(len(data)):
            connection.sendall(data[at : at + 1])
            time.sleep(0.002)


class Redis:
    """A client of the real server, for tests: one command, one answer."""

    def __init__(self, port: int, *login: bytes) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._stream = self._socket.makefile("rb")
        if login:
            assert self(b"AUTH", *login) == b"OK"

    def __call__(self, *parts: bytes) -> Any:
        sized = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%b" % (len(parts), sized))
        return self._reply()

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def entries(self, name: bytes) -> list[bytes]:
        """The messages of a stream, oldest first."""
        return [entry[1][1] for entry in self(b"XRANGE", name, b"-", b"+")]

    def _reply(self) -> Any:
        line = self._stream.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b"$" and rest != b"-1":
            return self._stream.read(int(rest) + 2)[:-2]
        return None if kind == b"$" else line if kind == b"-" else rest


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def real_redis(folder: Path, *arguments: str) -> Iterator[int]:
    """A server of its own; its port."""
    assert SERVER is not None
    port = free_port()
    places = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    process = subprocess.Popen(
        [SERVER, *places, "--save", "", "--appendonly", "no", *arguments], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if b"Ready to accept connections" in line:
                break
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=10)
