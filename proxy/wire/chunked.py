"""Undoing the chunked coding of an answer (RFC 9112, 7.1) with llhttp, trailers included."""

from __future__ import annotations

from typing import Final

import httptools

from figway.message.http import Headers
from proxy.wire.response_head import BadResponse

MAX_OVERHEAD: Final = 65_536
"""Bytes that may pass without any content: chunk extensions, trailers."""

_HEAD: Final = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"
_NOT_TRAILERS: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection"})


class ChunkedReader:
    """Takes the bytes after the head. `done` tells the end, `extra` that more came after it."""

    __slots__ = ("_overhead", "_parser", "_pieces", "done", "extra", "trailers")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._overhead = 0
        self.done = False
        self.extra = False
        self.trailers: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(_HEAD)
        self.trailers.clear()

    def feed(self, data: bytes) -> bytes:
        """The content in `data`, possibly none. Raises `BadResponse`."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.done:
                raise BadResponse(f"The chunked body is malformed: {error}.") from None
            self.extra = True
        if self.done and not self.extra:
            # llhttp skips line breaks between messages: what follows the last one is extra, too.
            self.extra = not b"\r\n\r\n".endswith(data[len(data.rstrip(b"\r\n")) :])
        pieces = self._pieces
        if not pieces:
            self._overhead += len(data)
            if self._overhead > MAX_OVERHEAD:
                raise BadResponse("The chunked body holds too much beside its content.")
            return b""
        self._overhead = 0
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return content

    def on_message_begin(self) -> None:
        if self.done:
            self.extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer that would reframe the message is dropped (RFC 9110, 6.5.1).
        if not self.done and name.lower() not in _NOT_TRAILERS:
            self.trailers.append((name, value.strip(b" \t")))

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        self.done = True
