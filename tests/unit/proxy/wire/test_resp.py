"""RESP: what is read of replies, in whatever pieces they come, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.resp import MAX_REPLY, BadReply, ErrorReply, Reply, ReplyReader, encode

REPLIES: dict[bytes, Reply] = {
    b"+OK\r\n": b"OK",
    b":12\r\n": b"12",
    b"$3\r\n7-0\r\n": b"7-0",
    b"$0\r\n\r\n": b"",
    b"$4\r\n\r\n\r\n\r\n": b"\r\n\r\n",
    b"$-1\r\n": None,
    b"-OOM no memory\r\n": ErrorReply("OOM", b"OOM no memory"),
    b"-LOADING\r\n": ErrorReply("LOADING", b"LOADING"),
    b"-oops\r\n": ErrorReply("", b"oops"),
    b"-\r\n": ErrorReply("", b""),
}
BAD = [
    b"HTTP/1.1 200 OK\r\n",
    b"*1\r\n",
    b"\r\n",
    b"$x\r\n",
    b"$ 3\r\nabc\r\n",
    b"$-2\r\n",
    b"$99999\r\n",
    b"$9999\r\n",
    b"$3\r\nabcd\r\n",
    b"+" + b"x" * MAX_REPLY,
]


@pytest.mark.parametrize("raw", REPLIES)
def test_a_reply_is_read(raw: bytes) -> None:
    assert list(ReplyReader().feed(raw)) == [REPLIES[raw]]


@given(st.lists(st.sampled_from(list(REPLIES)), max_size=8), st.lists(st.integers(1, 9)))
def test_pieces_are_read_like_the_whole(chosen: list[bytes], cuts: list[int]) -> None:
    whole, reader = b"".join(chosen), ReplyReader()
    found: list[Reply] = []
    for cut in [*cuts, len(whole) + 1]:
        found += reader.feed(whole[:cut])
        whole = whole[cut:]
    assert found == [REPLIES[raw] for raw in chosen]


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_reply_is_refused_in_any_pieces(raw: bytes) -> None:
    with pytest.raises(BadReply):
        list(ReplyReader().feed(raw))
    with pytest.raises(BadReply):
        _bytewise(raw)


def _bytewise(raw: bytes) -> None:
    reader = ReplyReader()
    for at in range(len(raw)):
        list(reader.feed(raw[at : at + 1]))


@given(st.binary(max_size=200))
def test_any_bytes_are_replies_or_refused(data: bytes) -> None:
    reader = ReplyReader()
    try:
        for reply in reader.feed(data):
            assert reply is None or isinstance(reply, bytes | ErrorReply)
    except BadReply:
        pass


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_a_command_says_how_long_its_parts_are(parts: list[bytes]) -> None:
    raw = encode(*parts)
    count, rest = raw.split(b"\r\n", 1)
    assert count == b"*%d" % len(parts)
    for part in parts:
        size, rest = rest.split(b"\r\n", 1)
        assert size == b"$%d" % len(part)
        assert rest[: len(part) + 2] == part + b"\r\n"
        rest = rest[len(part) + 2 :]
    assert rest == b""
