"""Chunked bodies of requests: read strictly, with trailers that cannot change the request."""

from __future__ import annotations

from typing import Final

from figway.message.headers import HOP_BY_HOP
from figway.message.http import Headers
from proxy.wire.chunked import MAX_CHUNKS, BadChunk, ChunkedReader
from proxy.wire.client_head import BadRequest, trailer_fields

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


class ChunkedBody:
    """Feed it bytes, take content from it. After `done`, `rest` is what follows the body.

    `more` says that bytes in hand wait for a later turn of the loop: call `feed(b"")` then. `taken`
    counts the chunks of the last call.
    `trailers` may not name a field that frames, routes or authenticates.
    """

    __slots__ = ("_reader", "done", "more", "rest", "taken", "trailers")

    def __init__(self) -> None:
        self._reader = ChunkedReader()
        self.done = False
        self.more = False
        self.rest = b""
        self.taken = 0
        self.trailers: Headers = []

    def feed(self, data: bytes, most: int = MAX_CHUNKS) -> bytes:
        """The content of the next `most` chunks of `data`, joined. Raises `BadRequest`."""
        reader = self._reader
        try:
            content = reader.feed(data, most)
        except BadChunk as error:
            if error.too_large:
                raise BadRequest(431, "trailers_too_large", str(error)) from None
            raise BadRequest(400, "bad_chunk", str(error)) from None
        self.more = reader.more
        self.taken = reader.taken
        if reader.done:
            self.rest = reader.rest
            self._check(reader.trailers)
            self.done = True
        return content

    def _check(self, section: bytes) -> None:
        if not section:
            return
        self.trailers = trailer_fields(section)
        for name, _ in self.trailers:
            if name.lower() in _FORBIDDEN:
                detail = f"The field {name.decode()} may not be a trailer."
                raise BadRequest(400, "bad_chunk", detail)
