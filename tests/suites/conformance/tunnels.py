"""A tunnel through the facade."""

from __future__ import annotations

from tests.support.wire import Client

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def open_tunnel(client: Client) -> bytes:
    client.send(HANDSHAKE)
    head = client.until(b"\r\n\r\n")
    assert client.exactly(2) == b"hi"
    return head
