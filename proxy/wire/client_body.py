"""The chunked coding of request bodies (RFC 9112, 7.1), read strictly.

Sizes are bare hexadecimal digits, extensions are taken within a limit and dropped, every line ends
in CRLF, and trailers may not name a field that frames, routes or authenticates.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.headers import HOP_BY_HOP
from figway.message.http import Headers
from proxy.wire.client_head import BadRequest, trailer_fields

MAX_SIZE_LINE: Final = 256
"""Bytes of a chunk's size and extensions."""
MAX_EXTENSIONS: Final = 16_384
"""Bytes of extensions over a whole body: they cost much and say nothing."""
MAX_TRAILERS: Final = 8_192
"""Bytes of a trailer section."""

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[\t -~\x80-\xff]*)?)\r\n").fullmatch
_FORBIDDEN: Final = HOP_BY_HOP | {
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"host",
    b"trailer",
}
_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedReader:
    """Feed it bytes, take pieces of the body from it. After `done`, `rest` is what follows."""

    __slots__ = ("_extensions", "_held", "_left", "_state", "rest", "trailers")

    def __init__(self) -> None:
        self._state = _SIZE_LINE
        self._held = b""
        self._left = 0
        self._extensions = 0
        self.trailers: Headers = []
        self.rest = b""

    @property
    def done(self) -> bool:
        """Whether the final chunk and the trailers have been read."""
        return self._state == _DONE

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body that `data` completes. Raises `BadRequest`."""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            step = self._line(data, at)
            if step is None:
                self._held = data[at:]
                return pieces
            at = step
        if self._state == _DONE:
            self.rest = data[at:]
        return pieces

    def _line(self, data: bytes, at: int) -> int | None:
        """Take one line from `at`; the place after it, or None when it is incomplete."""
        if self._state == _DATA_END:
            if data[at : at + 2] == b"\r\n":
                self._state = _SIZE_LINE
                return at + 2
            if data[at : at + 2] == b"\r":
                return None
            raise _bad("A chunk is longer than its size.")
        if self._state == _SIZE_LINE:
            return self._size_line(data, at)
        return self._trailer_section(data, at)

    def _size_line(self, data: bytes, at: int) -> int | None:
        end = data.find(b"\n", at, at + MAX_SIZE_LINE)
        if end < 0:
            if len(data) - at >= MAX_SIZE_LINE:
                raise _bad("A chunk's size line is too long.")
            return None
        size = _SIZE(data[at : end + 1])
        if size is None:
            raise _bad("A chunk's size is malformed.")
        self._extensions += size.end(2) - size.start(2)
        if self._extensions > MAX_EXTENSIONS:
            raise _bad("Chunk extensions are too long.")
        self._left = int(size[1], 16)
        self._state = _DATA if self._left else _TRAILERS
        return end + 1

    def _trailer_section(self, data: bytes, at: int) -> int | None:
        if data[at : at + 2] == b"\r\n":
            self._state = _DONE
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + MAX_TRAILERS)
        if end < 0:
            if len(data) - at >= MAX_TRAILERS:
                raise BadRequest(431, "trailers_too_large", "The trailer section is too large.")
            return None
        self.trailers = trailer_fields(data[at : end + 2])
        for name, _ in self.trailers:
            if name.lower() in _FORBIDDEN:
                raise _bad(f"The field {name.decode()} may not be a trailer.")
        self._state = _DONE
        return end + 4


def _bad(detail: str) -> BadRequest:
    return BadRequest(400, "bad_chunk", detail)
