"""The chunked coding undone (RFC 9112, 7.1), for bodies of requests and of answers.

Requests are read strictly: a size is bare hexadecimal digits and every line ends in CRLF. Answers
may have white space after a size and lines that end in LF alone, which have one meaning
(`odd` tells). Content that comes in one read leaves as one piece, whatever the sender's chunks
were; a read that holds more of them than the caller wants at once is worked off in several calls,
so that a flood of tiny chunks keeps nobody else waiting.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CHUNKS: Final = 1_024
"""Chunks that one call of `feed` takes unless it is told another number."""
MAX_SIZE_LINE: Final = 256
"""Bytes of a chunk's size and extensions in a request; answers may have `MAX_ANSWER_LINE`."""
MAX_ANSWER_LINE: Final = 4_096
MAX_EXTENSIONS: Final = 16_384
"""Bytes of extensions over a whole body: they cost much and say nothing."""
MAX_TRAILERS: Final = 8_192
"""Bytes of a trailer section."""

_STRICT: Final = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[\t -~\x80-\xff]*)?)\r\n").fullmatch
_LENIENT: Final = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*(?:;[\t -~\x80-\xff]*)?)\r?\n").fullmatch
_PLAIN: Final = re.compile(rb"([0-9A-Fa-f]{1,7})\r\n").match
_LINES_END: Final = re.compile(rb"\n\r?\n").search

_SIZE_LINE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3
_DONE: Final = 4


class BadChunk(ValueError):
    """The coding is malformed or over a limit. `too_large` says which of both."""

    def __init__(self, detail: str, *, too_large: bool = False) -> None:
        super().__init__(detail)
        self.too_large = too_large


def _take_plain(data: bytes, at: int, pieces: list[bytes], most: int) -> int:
    """Take chunks that are here whole and have no extensions; the place behind them."""
    while len(pieces) < most:
        line = _PLAIN(data, at)
        if line is None:
            break
        begin = line.end()
        end = begin + int(line[1], 16)
        if end == begin or data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[begin:end])
        at = end + 2
    return at


class ChunkedReader:
    """Feed it bytes, take content from it. After `done`, `rest` is what follows the body.

    `more` says that bytes in hand were not looked at yet: call `feed(b"")` in a later turn of the
    loop. `taken` counts the chunks of the last call. `trailers` is the trailer section as bytes,
    each line with its end.
    """

    __slots__ = ("_extensions", "_held", "_left", "_lenient", "_state", "more", "odd", "rest",
                 "taken", "trailers")  # fmt: skip

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._state = _SIZE_LINE
        self._held = b""
        self._left = 0
        self._extensions = 0
        self.more = False
        self.odd = False
        self.rest = b""
        self.taken = 0
        self.trailers = b""

    @property
    def done(self) -> bool:
        """Whether the final chunk and the trailers have been read."""
        return self._state == _DONE

    def feed(self, data: bytes, most: int = MAX_CHUNKS) -> bytes:
        """The content of the next `most` chunks of `data`, joined; possibly none.

        Raises `BadChunk`.
        """
        if self._held:
            data, self._held = self._held + data, b""
        self.more = False
        pieces: list[bytes] = []
        at = 0
        size = len(data)
        while at < size and self._state != _DONE:
            if self._state == _DATA:
                end = at + self._left
                piece = data[at:end] if end <= size else data[at:]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            if len(pieces) >= most:
                self._held = data[at:]
                self.more = True
                break
            if self._state == _SIZE_LINE and not self._extensions:
                plain = _take_plain(data, at, pieces, most)
                if plain > at:
                    at = plain
                    continue
            after = self._line(data, at)
            if after < 0:
                self._held = data[at:]
                break
            at = after
        if self._state == _DONE:
            self.rest = data[at:]
        self.taken = len(pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _line(self, data: bytes, at: int) -> int:
        """Take one line from `at`; the place after it, or -1 while it is incomplete."""
        if self._state == _SIZE_LINE:
            return self._size_line(data, at)
        if self._state == _DATA_END:
            return self._data_end(data, at)
        return self._trailer_section(data, at)

    def _size_line(self, data: bytes, at: int) -> int:
        limit = MAX_ANSWER_LINE if self._lenient else MAX_SIZE_LINE
        end = data.find(b"\n", at, at + limit)
        if end < 0:
            if len(data) - at >= limit:
                raise BadChunk("A chunk's size line is too long.")
            return -1
        line = data[at : end + 1]
        match = _STRICT(line)
        if match is None:
            match = _LENIENT(line) if self._lenient else None
            if match is None:
                raise BadChunk("A chunk's size is malformed.")
            self.odd = True
        self._left = int(match[1], 16)
        self._extensions += match.end(2) - match.start(2)
        if self._lenient:  # a signature a chunk is legitimate: content pays for it
            self._extensions = max(0, self._extensions - self._left)
        if self._extensions > MAX_EXTENSIONS:
            raise BadChunk("Chunk extensions are too long.")
        self._state = _DATA if self._left else _TRAILERS
        return end + 1

    def _data_end(self, data: bytes, at: int) -> int:
        end = data[at : at + 2]
        if end == b"\r\n":
            self._state = _SIZE_LINE
            return at + 2
        if self._lenient and end[:1] == b"\n":
            self.odd = True
            self._state = _SIZE_LINE
            return at + 1
        if end == b"\r":
            return -1
        raise BadChunk("A chunk is longer than its size.")

    def _trailer_section(self, data: bytes, at: int) -> int:
        if data[at : at + 2] == b"\r\n":
            self._state = _DONE
            return at + 2
        if self._lenient:
            return self._odd_trailers(data, at)
        end = data.find(b"\r\n\r\n", at, at + MAX_TRAILERS)
        if end < 0:
            return self._incomplete_trailers(data, at)
        self.trailers = data[at : end + 2]
        self._state = _DONE
        return end + 4

    def _odd_trailers(self, data: bytes, at: int) -> int:
        if data[at : at + 1] == b"\n":
            self.odd = True
            self._state = _DONE
            return at + 1
        match = _LINES_END(data[at : at + MAX_TRAILERS])
        if match is None:
            return self._incomplete_trailers(data, at)
        self.trailers = data[at : at + match.start() + 1]
        self.odd = self.odd or match[0] != b"\n\r\n" or b"\n" in self.trailers.replace(b"\r\n", b"")
        self._state = _DONE
        return at + match.end()

    def _incomplete_trailers(self, data: bytes, at: int) -> int:
        if len(data) - at >= MAX_TRAILERS:
            raise BadChunk("The trailer section is too large.", too_large=True)
        return -1
