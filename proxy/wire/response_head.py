"""Reading a response head (RFC 9112, 4 to 6): what it says, and how its body is framed.

The common well-formed head is validated by one compiled expression and is not taken apart until
somebody asks for its fields. Whatever that expression does not accept goes to llhttp, which is
the judge of everything unusual. The framing is worked out in one place for both, so that no head
means two things. A head that frames its body ambiguously is refused: behind a facade it may split
one answer into two.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from figway.message.http import Headers
from proxy.wire.message import ResponseHead

MAX_HEAD: Final = 65_536
"""Bytes of a head."""

CHUNKED: Final = -1
"""Body length of a chunked body."""
UNTIL_CLOSE: Final = -2
"""Body length of a body that ends with the connection."""
_MAX_DIGITS: Final = 18

_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([1-5]\d\d) ([\t -~\x80-\xff]*+)\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
)
_MARKED: Final = re.compile(
    rb"\n(?=[CKLPRSTUcklprstu])((?i:content-l(?:ength|ocation)|connection|transfer-encoding"
    rb"|keep-alive|upgrade|te|location|refresh|set-cookie"
    rb"|proxy-(?:connection|authenticate|authorization))):[ \t]*+([^\r]*+)"
)
"""Fields of framing, hop-by-hop fields, and those that may name the backend."""
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\0")
_NO_BODY: Final = frozenset({204, 304})


class BadResponse(ValueError):
    """The answer is not well-formed HTTP/1.x, or frames itself ambiguously. The text says how."""


class Parsed:
    """A head, where its body starts in the data, how long the body is, and what comes after.

    `length` is the number of body bytes, `CHUNKED` or `UNTIL_CLOSE`; `keep` says that the
    connection may serve another request after a body of that length.
    """

    __slots__ = ("body_at", "head", "keep", "length")

    def __init__(self, head: ResponseHead, body_at: int, length: int, keep: bool) -> None:
        self.head = head
        self.body_at = body_at
        self.length = length
        self.keep = keep


def parse_response_head(data: bytes, *, to_head: bool = False) -> Parsed | None:
    """The head at the start of `data`, or None if it is not complete yet.

    `to_head` says that the request was HEAD. Raises `BadResponse`.
    """
    match = _HEAD.match(data)
    if match is None:
        return _parse_unusual(data, to_head)
    start, end = match.span(3)
    if end > MAX_HEAD:
        raise BadResponse("The response head is too large.")
    status = int(match[1])
    fields = _MARKED.findall(data, start - 1, end)
    head = ResponseHead(status, match[2], raw=match[3])
    if len(fields) == 1 and fields[0][0] in _LENGTH_NAMES:
        head.plain = True
        value = fields[0][1]
        if status >= 200 and not to_head and status not in _NO_BODY and value.isdigit():
            if len(value) > _MAX_DIGITS:
                raise BadResponse("The Content-Length is too large.")
            return Parsed(head, match.end(), int(value), True)
    elif not fields:
        head.plain = True
    length, keep = _frame(status, fields, to_head, http_1_1=True)
    return Parsed(head, match.end(), length, keep)


_LENGTH_NAMES: Final = frozenset({b"content-length", b"Content-Length"})


def check_partial(data: bytes, new_from: int) -> None:
    """Refuse what cannot become a head any more, without waiting for its end.

    `new_from` is where bytes begin that were not checked before. Raises `BadResponse`.
    """
    start = data[:7]
    if start != b"HTTP/1."[: len(start)]:
        raise BadResponse("The answer does not start with an HTTP/1.x status line.")
    if len(data) > MAX_HEAD:
        raise BadResponse("The response head is too large.")
    if _BARE.search(data, max(0, new_from - 1)):
        raise BadResponse("The response head holds a bare CR, a bare LF or NUL.")


def _parse_unusual(data: bytes, to_head: bool) -> Parsed | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        check_partial(data, 0)
        return None
    end += 4
    check_partial(data[:end], 0)
    reader = _HeadReader()
    reader.feed(data[:end])
    head = ResponseHead(reader.status, reader.reason, reader.headers)
    fields = [(name, value) for name, value in reader.headers if name.lower() in _FRAMING_NAMES]
    length, keep = _frame(reader.status, fields, to_head, http_1_1=reader.version == "1.1")
    return Parsed(head, end, length, keep)


_FRAMING_NAMES: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})


def _frame(status: int, fields: Headers, to_head: bool, *, http_1_1: bool) -> tuple[int, bool]:
    """Length of the body and whether the connection may be kept (RFC 9112, 6.3 and 9.3)."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    keep = http_1_1
    for name, value in fields:
        name = name.lower()
        if name == b"content-length":
            lengths.append(value.rstrip(b" \t"))
        elif name == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
        elif name == b"connection" and b"close" in value.lower():
            keep = False
    length = _length_of(lengths, codings, http_1_1)
    if status < 200 or to_head or status == 304:
        return 0, keep
    if status == 204:
        return 0, keep and length in (0, UNTIL_CLOSE)
    return length, keep and length != UNTIL_CLOSE


def _length_of(lengths: list[bytes], codings: list[bytes], http_1_1: bool) -> int:
    if codings:
        if lengths:
            raise BadResponse("The answer has both Content-Length and Transfer-Encoding.")
        if codings != [b"chunked"] or not http_1_1:
            raise BadResponse("The answer's Transfer-Encoding is not exactly chunked.")
        return CHUNKED
    if not lengths:
        return UNTIL_CLOSE
    if len(lengths) > 1:
        raise BadResponse("The answer has more than one Content-Length.")
    value = lengths[0]
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise BadResponse("The Content-Length is not a number.")
    return int(value)


class _HeadReader:
    """Collects one head from llhttp."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.reason = b""
        self.status = 0
        self.version = ""
        self._complete = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, head: bytes) -> None:
        """Read `head`, which ends with the empty line. Raises `BadResponse`."""
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            raise BadResponse(f"The response head is malformed: {error}.") from None
        self.status = self._parser.get_status_code()
        self.version = self._parser.get_http_version()
        if not self._complete or not 100 <= self.status <= 999:
            raise BadResponse("The response head is malformed.")

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            self.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self._complete = True
