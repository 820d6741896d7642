"""Backends over TLS: closing a connection leaves no timer behind, however its other end behaves."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.support.serverless.events import make_event
from tests.support.serverless.life import HOST, Life, bundle
from tests.support.wire import table_of

GET = make_event("http", "GET", b"/a", [HOST])
POST = make_event("http", "POST", b"/a", [HOST], b"order")
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class TlsBackend:
    """Answers each request alike, and closes connections only when it is told to."""

    def __init__(self, authority: trustme.CA, answer: bytes) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.context)
        self.answer = answer
        self.opened: list[ssl.SSLSocket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):
            sock = self.context.wrap_socket(plain, server_side=True)
            self.opened.append(sock)
            held = b""
            while data := sock.recv(65_536):
                held += data
                if held.endswith((b"\r\n\r\n", b"order")):
                    sock.sendall(self.answer)
                    held = b""

    def hang_up(self) -> None:
        """Close every connection, as a server does whose keep-alive time is over."""
        for sock in self.opened:
            with suppress(OSError):
                sock.unwrap()  # says close_notify; the client answers only when it wakes
        self.leave()

    def leave(self) -> None:
        """Close every connection without a word of TLS."""
        for sock in self.opened:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._listener.close()
        self.leave()


@pytest.fixture
def open_life(
    live: Callable[..., Life],
    tmp_path: Path,
) -> Iterator[Callable[[bytes], tuple[Life, TlsBackend]]]:
    made: list[TlsBackend] = []
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def make(answer: bytes) -> tuple[Life, TlsBackend]:
        backend = TlsBackend(authority, answer)
        made.append(backend)
        table = table_of(backend.port)
        url = f"https://127.0.0.1:{backend.port}"
        legacy = replace(table.backends["legacy"], url=url, ca_file=str(tmp_path / "ca.pem"))
        table = replace(table, backends={"legacy": legacy})
        return live(FIGWAY_TABLE_FILE=bundle(tmp_path / "t.json", table)), backend

    yield make
    for backend in made:
        backend.stop()


def test_nothing_waits_for_the_end_of_tls(
    open_life: Callable[[bytes], tuple[Life, TlsBackend]],
) -> None:
    """trap 57: the backend said that it closes, and does not; `Life` looks for timers each time."""
    life, backend = open_life(LAST)
    for _ in range(3):
        assert life.invoke(GET)["statusCode"] == 200
    assert len(backend.opened) == 3


@pytest.mark.parametrize("how", ["hang_up", "leave"])
def test_a_connection_that_ended_in_the_ice_is_replaced(
    open_life: Callable[[bytes], tuple[Life, TlsBackend]], how: str
) -> None:
    """trap 60: kept over invocations; closed meanwhile, with and without TLS's own goodbye."""
    life, backend = open_life(KEPT)
    for _ in range(3):
        assert life.invoke(POST)["statusCode"] == 200
    assert len(backend.opened) == 1
    backend.opened[0].settimeout(0.2)
    getattr(backend, how)()
    assert life.invoke(POST)["statusCode"] == 200
    assert len(backend.opened) == 2
