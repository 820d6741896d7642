"""The message: what goes in comes out, and what is no message is refused."""

from __future__ import annotations

import pytest

from proxy.capture.message import BadMessage, Frames, decode, encode, header_block

META = {
    "route": "r",
    "window": "w",
    "revision": 7,
    "side": "legacy",
    "method": "POST",
    "target": "/a%2Fb?q=\xe9",
    "has_body": True,
    "peer": "::1",
    "scheme": "https",
    "host": "shop.example",
    "trusted": False,
    "trace": "a" * 32,
    "at_ms": 1,
    "head_us": 2,
    "status": 200,
    "failure": "",
}
HEADERS = [(b"Host", b"a"), (b"X-Bytes", b"\xff\x80"), (b"X-Twice", b"1"), (b"x-twice", b"")]


def message() -> bytes:
    parts = [header_block(HEADERS), b"body\x00", header_block(HEADERS[:2]), b"\xff" * 70_000]
    return b"".join(encode(dict(META), parts))


def test_a_message_comes_out_as_it_went_in() -> None:
    (frame,) = Frames().feed(message())
    found = decode(frame)
    assert found.target == b"/a%2Fb?q=\xe9"
    assert (found.headers, found.body) == (HEADERS, b"body\x00")
    assert (found.answer_headers, found.answer_body) == (HEADERS[:2], b"\xff" * 70_000)
    assert (found.route, found.window, found.revision, found.status) == ("r", "w", 7, 200)
    assert found.size == len(frame)


def test_frames_are_cut_wherever_the_pieces_end() -> None:
    data = message() * 3
    for step in (1, 7, 65_536, len(data)):
        data_part = data[: len(message()) + 3_000] if step == 1 else data
        frames = Frames()
        found = [
            frame
            for at in range(0, len(data_part), step)
            for frame in frames.feed(data_part[at : at + step])
        ]
        assert len(found) == len(data_part) // len(message())
        assert set(found) == {message()[4:]}


@pytest.mark.parametrize("data", [b"", b"\0\0\0\5[]", b"\0\0\0\2{}", message()[4:-1]])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(data)


def test_a_length_without_bounds_is_refused() -> None:
    with pytest.raises(BadMessage):
        list(Frames().feed(b"\xff\xff\xff\xff"))
