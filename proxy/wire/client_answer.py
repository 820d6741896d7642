"""Heads of answers as bytes for the client: status line, header section, framing (RFC 9112)."""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers
from proxy.wire.message import ResponseHead

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_PAIR: Final = b": ".join
_COMMON_LENGTHS: Final = (b"Content-Length: ", b"content-length: ")
_LENGTH: Final = re.compile(rb"^content-length:", re.IGNORECASE | re.MULTILINE).search


def section(headers: Headers) -> bytes:
    """A header section, each line with its CRLF."""
    return b"\r\n".join([*map(_PAIR, headers), b""])


def raw_section(head: ResponseHead) -> bytes:
    """The header section of a head, as received where it is known as bytes."""
    return section(head.headers) if head.raw is None else head.raw


def has_length(raw: bytes) -> bool:
    """Whether a header section has a Content-Length."""
    return _COMMON_LENGTHS[0] in raw or _COMMON_LENGTHS[1] in raw or _LENGTH(raw) is not None


def encode(head: ResponseHead, extra: bytes = b"") -> bytes:
    """A whole head. `extra` are lines of the facade's own, each with its CRLF."""
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (head.status, head.reason, raw_section(head), extra)


def chunk(data: bytes) -> bytes:
    """One chunk of a body; `data` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers) -> bytes:
    """The end of a chunked body, with its trailers."""
    return b"0\r\n%b\r\n" % section(trailers) if trailers else LAST_CHUNK
