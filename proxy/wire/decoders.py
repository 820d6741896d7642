"""Content codings beyond gzip and deflate: br and zstd, where `figway[shadow]` is installed.

Each stops once it has produced more than it may, so that a bomb costs no more than its limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from figway.compare.answer import Decoder

try:
    import brotli
except ImportError:  # not installed: such answers end as compare_error, unknown_coding
    brotli = None
try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment,unused-ignore]

_PIECE = 65_536
_WINDOW = 1 << 27


def _brotli(body: bytes, most: int) -> bytes:
    decoder = brotli.Decompressor()
    parts = [decoder.process(body, output_buffer_limit=_PIECE)]
    size = len(parts[0])
    while size <= most and not decoder.is_finished():
        part = decoder.process(b"", output_buffer_limit=_PIECE)
        if not part:
            raise ValueError("ends early")
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _zstd(body: bytes, most: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    parts, size = [], 0
    with decoder.stream_reader(body, read_across_frames=True) as reader:
        while size <= most and (part := reader.read(_PIECE)):
            parts.append(part)
            size += len(part)
    if size <= most and not _complete(body):
        raise ValueError("ends early")
    return b"".join(parts)


def _complete(body: bytes) -> bool:
    """A stream reader takes a cut frame for its end; the plain decompressor does not."""
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    for at in range(0, len(body), 1_024):
        decoder.decompress(body[at : at + 1_024])
        if decoder.eof:
            return True
    return False


def decoders() -> Mapping[str, Decoder]:
    """What is installed, by the name of the coding."""
    found: dict[str, Decoder] = {}
    if brotli is not None:
        found["br"] = _brotli
    if zstandard is not None:
        found["zstd"] = _zstd
    return found
