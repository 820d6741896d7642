"""The quick reader of response heads accepts a subset of what llhttp and h11 accept, and agrees."""

from __future__ import annotations

import h11
import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.client_answer import encode
from proxy.wire.odd_head import BadResponse
from proxy.wire.response_head import (
    _HEAD,
    CHUNKED,
    UNTIL_CLOSE,
    Parsed,
    parse_response_head,
)
from tests.support.thorough import examples

NAMES = [b"X-A", b"Content-Length", b"transfer-encoding", b"Connection", b"Set-Cookie", b"a b", b""]
VALUES = [
    b"5",
    b"chunked",
    b"close",
    b"keep-alive",
    b"",
    b" v ",
    b"caf\xe9",
    b"\x00",
    b"05",
    b"5,5",
]
SEPARATORS = [b": ", b":", b" : ", b":\t", b""]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\t"]
STARTS = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 404 ",
    b"HTTP/1.1 200",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 2x0 ",
]

fields = st.tuples(*map(st.sampled_from, (NAMES, SEPARATORS, VALUES, ENDS))).map(b"".join)
heads = st.tuples(
    st.sampled_from(STARTS), st.sampled_from(ENDS), st.lists(fields, max_size=4).map(b"".join)
).map(lambda parts: b"".join(parts) + b"\r\n")
mutated = st.tuples(heads, st.integers(0, 60), st.binary(max_size=2)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
)


class Llhttp:
    """What llhttp makes of a head; None as `headers` if it refuses."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] | None = []
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self.headers = None
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self.headers is not None
        self.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def _means_the_same_when_written(parsed: Parsed) -> None:
    """What was mended leaves as a head that nobody can read otherwise."""
    written = encode(parsed.head)
    assert _HEAD.match(written)
    again = parse_response_head(written)
    assert again is not None
    assert again.head.headers == parsed.head.headers
    assert (again.head.status, again.length) == (parsed.head.status, parsed.length)


@settings(max_examples=examples(1_500), deadline=None)
@given(st.one_of(heads, mutated))
def test_what_is_read_quickly_means_the_same_to_llhttp_and_h11(data: bytes) -> None:
    """Trap 17: no head is one thing here and another there."""
    quick = _HEAD.match(data)
    try:
        parsed = parse_response_head(data)
    except BadResponse:
        return
    if parsed is None:
        assert quick is None
        return
    head = data[: parsed.body_at]
    if parsed.odd:
        _means_the_same_when_written(parsed)
        return
    other = Llhttp(head)
    assert other.complete
    assert other.headers == parsed.head.headers
    assert other.status == parsed.head.status
    if quick is None:
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.receive_data(head)
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    assert list(event.headers.raw_items()) == parsed.head.headers
    assert event.status_code == parsed.head.status


def test_raw_is_the_section_and_plain_says_that_nothing_is_hop_by_hop() -> None:
    section = b"A: 1\r\ncontent-length: 3\r\nB: 2 \r\n"
    parsed = parse_response_head(b"HTTP/1.1 200 OK\r\n" + section + b"\r\nabc")
    assert parsed is not None
    assert parsed.head.raw == section
    assert parsed.head.plain
    assert parsed.head.headers == [(b"A", b"1"), (b"content-length", b"3"), (b"B", b"2")]
    for hop in (b"Connection: x", b"keep-alive: 1", b"TE: x", b"Proxy-Authenticate: x"):
        parsed = parse_response_head(b"HTTP/1.1 200 OK\r\n" + hop + b"\r\n\r\n")
        assert parsed is not None
        assert not parsed.head.plain


@pytest.mark.parametrize(
    ("fields", "to_head", "length", "keep"),
    [
        (b"Content-Length: 5\r\n", False, 5, True),
        (b"Content-Length: 5\r\nConnection: Close\r\n", False, 5, False),
        (b"Content-Length: 5\r\n", True, 0, True),
        (b"Transfer-Encoding: Chunked\r\n", False, CHUNKED, True),
        (b"", False, UNTIL_CLOSE, False),
        (b"", True, 0, True),
    ],
)
def test_framing(fields: bytes, to_head: bool, length: int, keep: bool) -> None:
    """RFC 9112, 6.3."""
    data = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"
    parsed = parse_response_head(data, to_head=to_head)
    assert parsed is not None
    assert (parsed.length, parsed.keep, parsed.body_at) == (length, keep, len(data))
