"""WebSockets and other upgrades: decided at the handshake, then raw bytes both ways."""

from __future__ import annotations

from figway.model.table import Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.tunnels import HANDSHAKE, open_tunnel
from tests.support.wire import Facade, Message, Peer, RawBackend, table_of

SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def echo(peer: Peer, request: Message) -> bool:
    peer.send(SWITCH + b"hi")
    while data := peer.more():
        peer.send(data.upper())
    return False


def test_a_tunnel_carries_raw_bytes(facade: Facade, legacy: RawBackend) -> None:
    """trap 20: the handshake's answer is relayed as it came, then bytes that are no HTTP."""
    legacy.play = echo
    with facade.connect() as client:
        assert open_tunnel(client) == SWITCH
        for data in (b"\x81\x05hello", b"GET / HTTP/1.1\r\n\r\n", b"x" * 300_000):
            client.send(data)
            assert client.exactly(len(data)) == data.upper()
    upgrade = legacy.last
    assert upgrade.one(b"upgrade") == b"websocket"
    assert upgrade.one(b"connection").lower() == b"upgrade"
    assert upgrade.one(b"sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="


def test_the_clients_close_propagates(facade: Facade, legacy: RawBackend) -> None:
    """trap 20: the backend sees the end, and the record is one of an upgrade."""
    legacy.play = echo
    with facade.connect() as client:
        open_tunnel(client)
    assert legacy.closed.wait(10)
    record = facade.last()
    assert (record.status, record.upgrade) == (101, True)


def test_the_backends_close_propagates(facade: Facade, legacy: RawBackend) -> None:
    """trap 20: the client gets the last bytes and then the end."""

    def play(peer: Peer, request: Message) -> bool:
        peer.send(SWITCH + b"hi")
        peer.send(b"bye")
        return False

    legacy.play = play
    with facade.connect() as client:
        open_tunnel(client)
        assert client.rest() == b"bye"
    assert facade.last().response_bytes == 5


def test_the_side_is_decided_at_the_handshake(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """trap 20: a flip moves the next handshake, never an open tunnel."""
    legacy.play = new.play = echo
    route = Route(id="ws", match=RouteMatch(path="/ws"), stage=Stage.NEW, new="new")
    facade = facade_of(table_of(legacy.port, new.port, route))
    with facade.connect() as before, facade.connect() as after:
        open_tunnel(before)
        facade.swap(table_of(legacy.port, new.port))
        open_tunnel(after)
        for client in (before, after):
            client.send(b"still here")
            assert client.exactly(10) == b"STILL HERE"
        assert (len(new.requests), len(legacy.requests)) == (1, 1)


def test_a_refused_handshake_is_an_answer(facade: Facade, legacy: RawBackend) -> None:
    """trap 20: 403 is relayed, and the connection serves the next request."""
    legacy.play = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    with facade.connect() as client:
        client.send(HANDSHAKE)
        assert client.answer().status == 403
        assert client.get().status == 403
    assert legacy.last.all(b"upgrade") == []


def test_bytes_that_follow_the_handshake_at_once(facade: Facade, legacy: RawBackend) -> None:
    """trap 20: what a hasty client sends before 101 reaches the backend after it."""
    legacy.play = echo
    with facade.connect() as client:
        client.send(HANDSHAKE + b"early")
        client.until(SWITCH + b"hi")
        assert client.exactly(5) == b"EARLY"
