"""How a door closes: no answer is lost by it (RFC 9112, 9.6)."""

from __future__ import annotations

import socket
import threading

import pytest

from proxy.doors import native
from tests.suites.conformance.conftest import Open
from tests.support.wire import Client, Facade, Message, Peer, RawBackend

MORE = b"GET /more HTTP/1.1\r\nHost: a\r\n\r\n" * 20_000


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.1\r\nConnection: close\r\n", b"GET / HTTP/1.0\r\n"],
    ids=["close", "HTTP/1.0"],
)
def test_what_follows_the_last_request_resets_no_answer(
    facade: Facade, legacy: RawBackend, request_line: bytes
) -> None:
    """Bytes that nobody reads would turn the end of the connection into a reset, which may take the
    answer with it."""
    wait = threading.Event()

    def play(peer: Peer, request: Message) -> bool:
        wait.wait(0.2)  # more has come by now
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    legacy.play = play
    with facade.connect() as client:
        threading.Thread(
            target=send_all, args=(client, request_line + b"Host: a\r\n\r\n" + MORE), daemon=True
        ).start()
        got = b""
        while piece := client.sock.recv(65_536):  # raises ConnectionResetError
            got += piece
    assert got.endswith(b"\r\n\r\nok")
    assert len(legacy.requests) == 1


def send_all(client: Client, data: bytes) -> None:
    try:
        client.send(data)
    except OSError:
        return


def test_a_slow_client_gets_the_end_of_its_last_answer(
    facade_of: Open, legacy: RawBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is closing has the time that clients have to take an answer."""
    monkeypatch.setattr(native, "_FLUSH_MS", 50)
    size = 8_000_000
    legacy.play = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    with facade_of().connect() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        client.until(b"\r\n\r\n")
        got, wait = len(client.held), threading.Event()
        client.held = b""
        while piece := client.sock.recv(400_000):
            got += len(piece)
            wait.wait(0.005)
    assert got == size
