"""Reading a response head (RFC 9112, 4 to 6): what it says, and how its body is framed.

The common well-formed head is validated by one compiled expression and is not taken apart until
somebody asks for its fields. Whatever that expression does not accept is read by
`proxy.wire.odd_head`, which mends what has one meaning and refuses the rest. The framing is worked
out in one place for both, so that no head means two things. A head that frames its body ambiguously
is refused: behind a facade it may split one answer into two.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers
from proxy.wire.message import ResponseHead
from proxy.wire.odd_head import (
    FRAMING_WITHOUT_BODY,
    IDENTITY,
    SAME_LENGTH,
    BadResponse,
    OddHead,
    find_end,
    read_odd_head,
)

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
_BARE: Final = re.compile(rb"\r(?=[^\n])|\0")
_START: Final = b"HTTP/"
_NO_BODY: Final = frozenset({204, 304})


class Parsed:
    """A head, where its body starts in the data, how long the body is, and what comes after.

    `length` is the number of body bytes, `CHUNKED` or `UNTIL_CLOSE`; `keep` says that the
    connection may serve another request after a body of that length. `odd` names what was mended.
    `idle_ms` is how long the backend says that it keeps an idle connection; 0 where it does not.
    """

    __slots__ = ("body_at", "head", "idle_ms", "keep", "length", "odd")

    def __init__(
        self,
        head: ResponseHead,
        body_at: int,
        length: int,
        keep: bool,
        odd: tuple[str, ...] = (),
        idle_ms: int = 0,
    ) -> None:
        self.head = head
        self.body_at = body_at
        self.length = length
        self.keep = keep
        self.odd = odd
        self.idle_ms = idle_ms


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
    head = ResponseHead(status, match[2], None, match[3])
    if len(fields) == 1 and fields[0][0] in _LENGTH_NAMES:
        head.plain = head.sized = True
        value = fields[0][1]
        if status >= 200 and not to_head and status not in _NO_BODY and value.isdigit():
            if len(value) > _MAX_DIGITS:
                raise BadResponse("The Content-Length is too large.")
            return Parsed(head, match.end(), int(value), True)
    elif not fields:
        head.plain = True
    try:
        length, keep, idle_ms = _frame(status, fields, to_head, http_1_1=True)
    except BadResponse:
        return _parse_unusual(data, to_head)
    if (status < 200 or status == 204) and fields and _frames(fields):
        bare = ResponseHead(status, match[2], _without_framing(head.headers))
        return Parsed(bare, match.end(), length, keep, (FRAMING_WITHOUT_BODY,), idle_ms)
    return Parsed(head, match.end(), length, keep, (), idle_ms)


_LENGTH_NAMES: Final = frozenset({b"content-length", b"Content-Length"})


def check_partial(data: bytes, new_from: int) -> None:
    """Refuse what cannot become a head any more, without waiting for its end.

    `new_from` is where bytes begin that were not checked before. Raises `BadResponse`.
    """
    start = data[: len(_START)]
    if start != _START[: len(start)]:
        raise BadResponse("The answer does not start with an HTTP/1.x status line.")
    if len(data) > MAX_HEAD:
        raise BadResponse("The response head is too large.")
    if _BARE.search(data, max(0, new_from - 1)):
        raise BadResponse("The response head holds a bare CR or NUL.")


def _parse_unusual(data: bytes, to_head: bool) -> Parsed | None:
    end = find_end(data)
    if end < 0:
        check_partial(data, 0)
        return None
    check_partial(data[:end], 0)
    odd = read_odd_head(data[:end])
    _mend_framing(odd)
    fields = [(name, value) for name, value in odd.headers if name.lower() in _FRAMING_NAMES]
    http_1_1 = odd.major != 1 or odd.minor > 0
    length, keep, idle_ms = _frame(odd.status, fields, to_head, http_1_1=http_1_1)
    if (odd.status < 200 or odd.status == 204) and _frames(fields):
        odd.headers = _without_framing(odd.headers)
        odd.note(FRAMING_WITHOUT_BODY)
    head = ResponseHead(odd.status, odd.reason, odd.headers)
    return Parsed(head, end, length, keep and odd.major == 1, tuple(odd.odd), idle_ms)


_FRAMING_NAMES: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"connection", b"keep-alive"}
)
_TIMEOUT: Final = re.compile(rb"(?i)(?:^|[,;\s])timeout[ \t]*=[ \t]*\"?(\d{1,9})").search
_FRAMES_A_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})


def _frames(fields: Headers) -> bool:
    return any(name.lower() in _FRAMES_A_BODY for name, _ in fields)


def _without_framing(headers: Headers) -> Headers:
    return [field for field in headers if field[0].lower() not in _FRAMES_A_BODY]


def _mend_framing(odd: OddHead) -> None:
    """Write one Content-Length where the same one is said again; drop the coding `identity`."""
    said = [value for name, value in odd.headers if name.lower() == b"content-length"]
    numbers = {item.strip(b" \t") for value in said for item in value.split(b",")}
    if len(numbers) == 1 and (len(said) > 1 or b"," in said[0]):
        odd.note(SAME_LENGTH)
        odd.headers = _first_length(odd.headers, numbers.pop())
    if any(_is_identity(name, value) for name, value in odd.headers):
        odd.note(IDENTITY)
        odd.headers = [field for field in odd.headers if not _is_identity(*field)]


def _is_identity(name: bytes, value: bytes) -> bool:
    return name.lower() == b"transfer-encoding" and value.lower() == b"identity"


def _first_length(headers: Headers, number: bytes) -> Headers:
    mended: Headers = []
    seen = False
    for name, value in headers:
        if name.lower() != b"content-length":
            mended.append((name, value))
        elif not seen:
            seen = True
            mended.append((name, number))
    return mended


def _frame(status: int, fields: Headers, to_head: bool, *, http_1_1: bool) -> tuple[int, bool, int]:
    """Length of the body, whether the connection may be kept (RFC 9112, 6.3 and 9.3), and for
    how many milliseconds the backend says that it keeps it; 0 where it does not say."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    keep = http_1_1
    idle_ms = 0
    for name, value in fields:
        name = name.lower()
        if name == b"content-length":
            lengths.append(value.strip(b" \t"))
        elif name == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
        elif name == b"connection" and b"close" in value.lower():
            keep = False
        elif name == b"keep-alive":
            announced = _TIMEOUT(value)
            if announced is not None:
                idle_ms = int(announced[1]) * 1_000
                keep = keep and idle_ms > 0
    length = _length_of(lengths, codings, http_1_1)
    if status < 200 or to_head or status == 304:
        return 0, keep, idle_ms
    if status == 204:
        return 0, keep and length in (0, UNTIL_CLOSE), idle_ms
    return length, keep and length != UNTIL_CLOSE, idle_ms


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
