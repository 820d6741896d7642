"""The parts of a multipart body, as far as they are there (RFC 2046, 5.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from figway.operation.head import ContentType
from figway.operation.operation import Unread, UnreadReason

MOST_PARTS = 256
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]").fullmatch


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `whole` says that its end has been seen."""

    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    whole: bool


def parts(body: bytes, media: ContentType) -> Iterator[Part]:
    """The parts in their order. Raises `Unread`."""
    boundary = media.parameters.get("boundary", "")
    if _BOUNDARY(boundary) is None:
        raise Unread(UnreadReason.MALFORMED)
    mark = b"\r\n--" + boundary.encode()
    text = b"\r\n" + body
    at = text.find(mark)
    for _ in range(MOST_PARTS):
        if at < 0:
            raise Unread(UnreadReason.MALFORMED)
        start = at + len(mark)
        rest = text[start : start + 2]
        if rest == b"--":
            return
        end = text.find(b"\r\n", start)
        if end < 0 or text[start:end].strip(b" \t"):
            raise Unread(UnreadReason.MALFORMED)
        at = text.find(mark, end)
        yield _part(text[end : at if at >= 0 else len(text)], whole=at >= 0)
        if at < 0:
            return
    raise Unread(UnreadReason.TOO_LONG)


def _part(text: bytes, *, whole: bool) -> Part:
    """A part from the line break before its first header line."""
    if text.startswith(b"\r\n\r\n"):
        return Part({}, text[4:], whole)
    head, separator, body = text[2:].partition(b"\r\n\r\n")
    if not separator:
        raise Unread(UnreadReason.MALFORMED if whole else UnreadReason.TOO_LONG)
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").lower()
        if not colon or not name or name != name.strip() or key in headers:
            raise Unread(
                UnreadReason.AMBIGUOUS
            )  # folded lines and repeated fields are read differently
        headers[key] = value.strip().decode("latin-1")
    return Part(headers, body, whole)
