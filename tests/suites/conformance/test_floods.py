"""Bodies in tiny pieces: the work is by read, not by piece."""

from __future__ import annotations

from tests.support.wire import Facade, Message, Peer, RawBackend, head_first

CONTENT = bytes(range(256)) * 40
TINY = b"".join(b"1\r\n%c\r\n" % octet for octet in CONTENT) + b"0\r\n\r\n"


def test_a_body_in_chunks_of_one_byte_goes_on_in_large_ones(
    facade: Facade, legacy: RawBackend
) -> None:
    """W19: what comes in one read leaves as one piece, so that legacy does not pay either."""
    pieces: list[int] = []

    def play(peer: Peer, request: Message) -> bool:
        while size := int(peer.until(b"\r\n"), 16):
            pieces.append(size)
            peer.exactly(size + 2)
        peer.exactly(2)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    legacy.play = head_first(play)
    with facade.connect() as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + TINY)
        assert client.answer().status == 200
    assert sum(pieces) == len(CONTENT)
    assert len(pieces) < len(CONTENT) / 20


def test_an_answer_in_chunks_of_one_byte_arrives_in_large_ones(
    facade: Facade, legacy: RawBackend
) -> None:
    """W19: the same on the way back."""
    legacy.play = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + TINY
    with facade.connect() as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        client.until(b"\r\n\r\n")
        content, pieces = b"", 0
        while size := int(client.until(b"\r\n"), 16):
            content += client.exactly(size + 2)[:-2]
            pieces += 1
    assert content == CONTENT
    assert pieces < len(CONTENT) / 20
