"""The parts of a multipart body, as far as they are there (RFC 2046, 5.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from figway.operation.head import ContentType
from figway.operation.operation import Unread, UnreadReason

MOST_PARTS = 256
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_./:=?-]{1,70}").fullmatch
"""RFC 2046, 5.1.1, without comma and space: some readers end the boundary there."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `whole` says that its end has been seen."""

    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    whole: bool


def parts(body: bytes, media: ContentType, *, complete: bool) -> Iterator[Part]:
    """The parts in their order. Raises `Unread`.

    Readers differ in what is a line, and in whether text before the first part and after the last
    one counts: only what has lines of CRLF, and nothing there, is read.
    """
    boundary = _boundary(media)
    if re.search(rb"(?:(?<!\r)\n|\r(?!\n))--" + re.escape(boundary), body):
        raise Unread(UnreadReason.AMBIGUOUS)
    mark = b"\r\n--" + boundary
    text = b"\r\n" + body
    at = text.find(mark)
    if text[: max(at, 0)].strip(b"\r\n"):
        raise Unread(UnreadReason.AMBIGUOUS)
    for _ in range(MOST_PARTS):
        if at < 0:
            raise Unread(UnreadReason.MALFORMED)
        start = at + len(mark)
        if text[start : start + 2] == b"--":
            _check_end(text[start + 2 :], complete=complete)
            return
        if text[start : start + 2] != b"\r\n":
            raise Unread(UnreadReason.MALFORMED)
        at = text.find(mark, start)
        yield _part(text[start : at if at >= 0 else len(text)], whole=at >= 0)
        if at < 0:
            return
    raise Unread(UnreadReason.TOO_LONG)


def _boundary(media: ContentType) -> bytes:
    """The boundary. Raises `Unread` where another parameter could be taken for it."""
    boundary = media.parameters.get("boundary", "")
    others = [pair for pair in media.parameters.items() if pair[0] != "boundary"]
    if _BOUNDARY(boundary) is None:
        raise Unread(UnreadReason.MALFORMED)
    if any("boundary" in f"{name} {value}".lower() for name, value in others):
        raise Unread(UnreadReason.AMBIGUOUS)
    return boundary.encode()


def _check_end(text: bytes, *, complete: bool) -> None:
    if text.strip(b"\r\n"):
        raise Unread(UnreadReason.AMBIGUOUS)
    if not complete:
        raise Unread(UnreadReason.TOO_LONG)


_NOT_CRLF = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0").search


def _part(text: bytes, *, whole: bool) -> Part:
    """A part from the line break before its first header line."""
    if text.startswith(b"\r\n\r\n"):
        return Part({}, text[4:], whole)
    head, separator, body = text[2:].partition(b"\r\n\r\n")
    if not separator:
        raise Unread(UnreadReason.MALFORMED if whole else UnreadReason.TOO_LONG)
    headers: dict[str, str] = {}
    if _NOT_CRLF(head):
        raise Unread(UnreadReason.AMBIGUOUS)
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").lower()
        if not colon or not name or name != name.strip() or key in headers:
            raise Unread(
                UnreadReason.AMBIGUOUS
            )  # folded lines and repeated fields are read differently
        headers[key] = value.strip().decode("latin-1")
    return Part(headers, body, whole)
