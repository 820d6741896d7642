"""The chunked reader: any cut of the bytes means the same, and nothing odd is taken."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.client_body import ChunkedBody
from proxy.wire.client_head import BadRequest
from tests.support.thorough import examples


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


@settings(max_examples=examples(900), deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.lists(st.integers(1, 30)))
def test_cuts_mean_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    data = chunked(pieces) + b"X-T: 1\r\n\r\nrest"
    reader, body, at = ChunkedBody(), b"", 0
    for cut in [*cuts, len(data)]:
        if reader.done:
            break
        body += reader.feed(data[at : at + cut])
        at += cut
    assert reader.done
    assert body == b"".join(pieces)
    assert reader.trailers == [(b"X-T", b"1")]
    assert reader.rest + data[at:] == b"rest"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"0x1\r\n",
        b"1\n",
        b"1;a\rb\r\n",
        b"1" * 16 + b"\r\n",
        b"1;" + b"a" * 300 + b"\r\n",
        b"2\r\nabc",
        b"2\r\nab\n",
        b"0\r\nHost: b\r\n\r\n",
        b"0\r\nContent-Length: 1\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\nX: 1\nY: 2\r\n\r\n",
        b"0\r\nX: " + b"a" * 9_000,
    ],
)
def test_what_is_odd_is_refused(data: bytes) -> None:
    """trap 17: sizes, extensions, ends and trailers."""
    with pytest.raises(BadRequest):
        ChunkedBody().feed(data)


def test_extensions_are_finite_over_a_body() -> None:
    """trap 17: each may be small, and together they must be, too."""
    reader = ChunkedBody()
    with pytest.raises(BadRequest):
        reader.feed((b"1;" + b"e" * 200 + b"\r\nx\r\n") * 1_000)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9), max_size=40), st.integers(1, 9))
def test_a_body_that_is_taken_by_turns_is_the_same(pieces: list[bytes], most: int) -> None:
    """W19: how many chunks a turn takes decides nothing about what they say."""
    reader, taken = ChunkedBody(), []
    body = reader.feed(chunked(pieces) + b"\r\nrest", most)
    while reader.more:
        taken.append(reader.taken)
        body += reader.feed(b"", most)
    assert body == b"".join(pieces)
    assert reader.done
    assert reader.rest == b"rest"
    assert all(count == most for count in taken)
    assert sum(taken) + reader.taken == len(pieces)


@settings(max_examples=examples(900), deadline=None)
@given(st.binary(max_size=100))
def test_noise_never_raises_anything_else(data: bytes) -> None:
    """trap 17: any bytes are body or a BadRequest."""
    reader = ChunkedBody()
    with suppress(BadRequest):
        reader.feed(data)
