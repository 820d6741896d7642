"""The request head codec: what it accepts, h11 and llhttp accept with the same meaning."""

from __future__ import annotations

import string
from contextlib import suppress

import h11
import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from figway.message.http import Headers
from proxy.wire.client_head import (
    BadRequest,
    RequestHead,
    check_partial,
    parse,
    without_empty_lines,
)
from tests.support.thorough import examples

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "FOO"]
NAMES = ["Host", "Content-Length", "Transfer-Encoding", "Connection", "X-A", "Expect", "Upgrade"]
VALUES = ["a", "", "5", "0", "+5", "5, 5", "chunked", "gzip, chunked", "Chunked", "close", "a:80"]
VALUES += ["keep-alive, x", "100-continue", "upgrade", "websocket", " a", "a ", "\ta", "a\tb", "é"]
TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"

good = st.tuples(
    st.sampled_from(NAMES[1:]) | st.text(TOKEN, min_size=1, max_size=8),
    st.sampled_from([": ", ":", ":  ", ":\t"]),
    st.sampled_from(["5", "chunked", "close", "keep-alive, x", "a b", "x" * 30]),
    st.just("\r\n"),
).map("".join)
pieces = st.one_of(
    good,
    good,
    good,
    st.tuples(
        st.sampled_from(NAMES) | st.text(TOKEN, min_size=1, max_size=8),
        st.sampled_from([": ", ":", ":  ", ":\t", " : "]),
        st.sampled_from(VALUES) | st.text(st.characters(max_codepoint=255), max_size=12),
        st.sampled_from(["\r\n"] * 12 + ["\n", "\r", " \r\n", "\r\n ", "\r\r\n"]),
    ).map("".join),
)
lines = st.tuples(
    st.sampled_from(METHODS),
    st.sampled_from([" ", " ", " ", "  ", "\t"]),
    st.sampled_from(["/", "/a?b", "*", "http://h/p", "/%2F", "/\\", "a"])
    | st.text(st.characters(max_codepoint=255), max_size=8).map(lambda text: "/" + text),
    st.sampled_from(
        [" HTTP/1.1\r\n"] * 6 + [" HTTP/1.0\r\n", " HTTP/1.2\r\n", "\r\n", " http/1.1\r\n"]
    ),
).map("".join)
lines = st.one_of(*[st.sampled_from(["GET /a?b HTTP/1.1\r\n", "POST / HTTP/1.0\r\n"])] * 3, lines)
heads = st.tuples(lines, st.just("Host: a\r\n") | st.just(""), st.lists(pieces, max_size=5)).map(
    lambda parts: (parts[0] + parts[1] + "".join(parts[2]) + "\r\n").encode("latin-1")
)


def complete(data: bytes) -> bytes:
    """What a door would cut off as one head."""
    return data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


class Llhttp:
    """What llhttp makes of a head."""

    def __init__(self, data: bytes) -> None:
        self.headers: Headers = []
        self.url = b""
        self.done = False
        self.parser = httptools.HttpRequestParser(self)
        with suppress(httptools.HttpParserUpgrade):
            self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.done = True


def as_sent(head: RequestHead, data: bytes) -> tuple[str, bytes, Headers]:
    target = data.split(b" ", 2)[1]
    return head.method, target, head.headers


@settings(max_examples=examples(1_500), deadline=None)
@given(heads)
@example(b"GET / HTTP/1.0\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")
def test_whatever_is_accepted_others_accept_alike(data: bytes) -> None:
    """trap 17: a differential test against h11 and llhttp: nobody reads such a head otherwise."""
    data = complete(data)
    try:
        head = parse(data)
    except BadRequest:
        return
    method, target, headers = as_sent(head, data)
    ascii_target = all(octet < 0x80 for octet in target)
    if ascii_target:  # h11 refuses other targets; legacy applications do not
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(data)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        assert event.method.decode() == method
        assert event.target == target
        lowered = [(n, v.lower() if v.lower() == b"chunked" else v) for n, v in headers]
        assert event.headers.raw_items() in (headers, lowered)  # h11 lowers this one value
        body = connection._reader.__class__.__name__  # how h11 is going to read the body
        lengths = {"ChunkedReader": None, "ContentLengthReader": ...}
        framed = lengths.get(body, 0)
        if framed is None:
            assert head.chunked
        elif framed is ...:
            assert head.content_length == getattr(connection._reader, "_length", None)
    if ascii_target and method not in ("FOO", "get"):  # llhttp knows only registered methods
        other = Llhttp(data)
        assert other.done
        assert other.parser.get_method().decode() == method
        assert other.url == target
        assert other.headers == headers


@settings(max_examples=examples(500), deadline=None)
@given(heads, st.integers(0, 200))
def test_a_beginning_is_never_refused_before_a_good_end(data: bytes, cut: int) -> None:
    """What `parse` accepts whole, `check_partial` accepts in any part."""
    data = complete(data)
    try:
        parse(data)
    except BadRequest:
        return
    check_partial(data[: min(cut, len(data))])


@settings(max_examples=examples(500), deadline=None)
@given(st.binary(max_size=200))
def test_noise_never_raises_anything_else(data: bytes) -> None:
    """trap 17: any bytes are a head or a BadRequest."""
    for candidate in (data, data + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        with suppress(BadRequest):
            parse(complete(candidate))


def head_of(*headers: bytes, line: bytes = b"GET / HTTP/1.1") -> RequestHead:
    return parse(b"\r\n".join([line, b"Host: a", *headers, b"", b""]))


def test_the_fast_and_the_slow_reader_agree() -> None:
    fast = head_of(b"X-A: 1", b"X-B: two words")
    slow = head_of(b"X-A:1", b"X-B:  two words \t")
    assert fast.headers == slow.headers == [(b"Host", b"a"), (b"X-A", b"1"), (b"X-B", b"two words")]
    assert head_of(b"X-Empty:").headers[1] == (b"X-Empty", b"")


def test_what_a_head_says() -> None:
    head = head_of(b"Content-Length: 7", b"Expect: 100-continue", line=b"POST /p?q=1?2 HTTP/1.1")
    assert (head.path, head.query, head.host) == (b"/p", b"q=1?2", b"a")
    assert (head.content_length, head.has_body, head.chunked) == (7, True, False)
    assert head.expects
    assert head.keep_alive
    assert (head.get(b"expect"), head.get(b"missing")) == (b"100-continue", None)


@pytest.mark.parametrize(
    ("headers", "line", "keep"),
    [
        ([], b"GET / HTTP/1.1", True),
        ([b"Connection: close"], b"GET / HTTP/1.1", False),
        ([b"Connection: x", b"Connection: Close"], b"GET / HTTP/1.1", False),
        ([], b"GET / HTTP/1.0", False),
        ([b"Connection: Keep-Alive"], b"GET / HTTP/1.0", True),
    ],
)
def test_keep_alive(headers: list[bytes], line: bytes, keep: bool) -> None:
    assert head_of(*headers, line=line).keep_alive is keep


def test_upgrades() -> None:
    """trap 20: only what may be tunnelled, and only in 1.1; a body goes before the switch."""
    asked = [b"Connection: Upgrade", b"Upgrade: websocket"]
    assert head_of(*asked).upgrade == b"websocket"
    assert head_of(b"Upgrade: websocket").upgrade == b""
    assert head_of(*asked, line=b"GET / HTTP/1.0").upgrade == b""
    assert head_of(*asked, b"Content-Length: 1").upgrade == b"websocket"
    assert head_of(b"Connection: Upgrade", b"Upgrade: h2c").upgrade == b""
    assert head_of(b"Connection: Upgrade", b"Upgrade: websocket, H2C").upgrade == b"websocket"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"CONNECT a:1 HTTP/1.1", 501),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET * HTTP/1.1", 400),
        (b"GET ftp://a/ HTTP/1.1", 400),
        (b"GET http://user@a/ HTTP/1.1", 400),
        (b"GET http:///x HTTP/1.1", 400),
        (b"G" * 33 + b" / HTTP/1.1", 400),
        (b"GET /" + b"a" * 16_384 + b" HTTP/1.1", 414),
    ],
)
def test_request_lines_that_are_refused(line: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        head_of(line=line)
    assert caught.value.status == status


@pytest.mark.parametrize("host", [b"a", b"a:80", b"[::1]", b"[::1]:80", b"", b"a_b.c", b"a:"])
def test_hosts_that_are_taken(host: bytes) -> None:
    assert parse(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").host == host


def test_empty_lines_before_a_request() -> None:
    assert without_empty_lines(b"\r\n\r\nGET") == b"GET"
    assert without_empty_lines(b"\nGET") == b"\nGET"
