"""From the bytes on the wire to text or plain bytes: content codings, media types, charsets.

Codings and charsets carry no meaning of their own, so both sides are brought to the same
form before they are compared. Every step is bounded in what it may produce.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from figway.compare.answer import Decoder
from figway.compare.formats import Family, family_of
from figway.compare.limits import CompareError, Limits

# Labels and what they mean. ISO-8859-1 and ASCII are read as windows-1252, as browsers do
# (WHATWG Encoding, section 4.2). A closed list: Python's own has codecs that are not charsets.
_CHARSETS = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "utf8": "utf-8",
    "x-sjis": "shift_jis",
    "gb2312": "gbk",
    **{
        name: name
        for name in (
            *("utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "koi8-r", "koi8-u"),
            *(f"iso-8859-{part}" for part in (*range(2, 12), 13, 14, 15, 16)),
            *(f"windows-{page}" for page in range(1250, 1259)),
            *("shift_jis", "euc-jp", "iso-2022-jp", "gbk", "gb18030", "big5", "euc-kr"),
        )
    },
}
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)
_PARAMETER = re.compile(r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)""")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type (RFC 9110 section 8.3), lower-case, with its charset set apart."""

    essence: str
    charset: str
    parameters: tuple[tuple[str, str], ...] = ()
    """The other parameters, sorted, without those that only frame the body."""
    boundary: str = ""
    """What frames the parts of a multipart body."""

    @classmethod
    def parse(cls, value: str) -> MediaType:
        """Read a Content-Type leniently: what cannot be read is left out."""
        return _known(value) if len(value) < 200 else cls._parse(value)

    @classmethod
    def _parse(cls, value: str) -> MediaType:
        essence, _, _ = value.partition(";")
        charset = boundary = ""
        others = []
        for name, raw in _PARAMETER.findall(value[len(essence) :]):
            text = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
            if name.lower() == "charset":
                charset = text.strip("'\" ").lower()
            elif name.lower() == "boundary":
                boundary = text
            else:
                others.append((name.lower(), text))
        return cls(essence.strip().lower(), charset, tuple(sorted(others)), boundary)

    def family(self, body: bytes) -> Family:
        """Which canonical form fits; by the looks of the body where the label says nothing."""
        return family_of(self.essence, body)


@lru_cache(maxsize=512)
def _known(value: str) -> MediaType:
    return MediaType._parse(value)


def is_utf8(body: bytes) -> bool:
    """Whether the bytes can be read as UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def content_codings(values: list[str]) -> tuple[str, ...]:
    """The codings applied, in the order they were applied; `identity` left out."""
    names = (name.strip().lower() for value in values for name in value.split(","))
    return tuple(name for name in names if name and name != "identity")


def undo_codings(
    body: bytes, codings: tuple[str, ...], decoders: Mapping[str, Decoder], limits: Limits
) -> bytes:
    """The body with its content codings undone.

    Raises:
        CompareError: `unknown_coding`, `broken_coding` (cut or corrupt) or `too_large`.
    """
    if len(codings) > limits.codings:
        raise CompareError("unknown_coding", "too many content codings")
    for coding in reversed(codings):
        if not body:
            # A bodiless answer may well name the coding that its body would have had.
            return body
        body = _undo(body, coding, decoders, limits.decoded_bytes)
        if len(body) > limits.decoded_bytes:
            raise CompareError("too_large", f"more than {limits.decoded_bytes} bytes decoded")
    if len(body) > limits.decoded_bytes:
        raise CompareError("too_large", f"more than {limits.decoded_bytes} bytes")
    return body


def _undo(body: bytes, coding: str, decoders: Mapping[str, Decoder], most: int) -> bytes:
    try:
        if coding in ("gzip", "x-gzip"):
            return _inflate(body, 31, most)
        if coding == "deflate":
            return _deflate(body, most)
        decoder = decoders.get(coding)
        if decoder is None:
            raise CompareError("unknown_coding", coding[:40])
        return decoder(body, most)
    except CompareError:
        raise
    except Exception as error:
        # Injected decoders raise types of their own; whatever they raise, the data could not be
        # read.
        raise CompareError("broken_coding", f"{coding}: {error}"[:200]) from error


def _deflate(body: bytes, most: int) -> bytes:
    """`deflate` is zlib's format; some servers send it without the wrapper (RFC 9110 8.4.1.2)."""
    try:
        return _inflate(body, zlib.MAX_WBITS, most)
    except zlib.error:
        return _inflate(body, -zlib.MAX_WBITS, most)


def _inflate(body: bytes, window: int, most: int) -> bytes:
    parts: list[bytes] = []
    room = most + 1
    while body and room > 0:
        stream = zlib.decompressobj(window)
        part = stream.decompress(body, room)
        parts.append(part)
        room -= len(part)
        if room > 0 and not stream.eof:
            raise CompareError("broken_coding", "ends early")
        # gzip may be several members in a row (RFC 1952 section 2.2); padding after them is
        # ignored.
        body = stream.unused_data.lstrip(b"\0") if window == 31 else b""
    return b"".join(parts)


_BOM = b"\xef\xbb\xbf"
_BOMS = ((_BOM, "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_XML_ENCODING = re.compile(rb"""\A<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")


def codec_named(charset: str) -> str | None:
    """The codec that a label means; None for no label and for one that means nothing."""
    return _CHARSETS.get(charset)


def codec_within(body: bytes, essence: str) -> str | None:
    """The codec that a body names itself: by a byte order mark, or in a page's `<meta>`."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return codec
    if essence in ("text/html", "application/xhtml+xml") and (
        found := _META_CHARSET.search(body[:2048])
    ):
        return _CHARSETS.get(found[1].decode("ascii", "replace").lower())
    return None


def has_bom(body: bytes) -> bool:
    """Whether UTF-8 text begins with a byte order mark, which many readers trip over."""
    return body.startswith(_BOM)


def to_bytes(text: str, family: Family, charset: str) -> bytes:
    """Text as `to_text` reads it again: by its label, then by what it says of itself, else UTF-8.

    Raises:
        UnicodeEncodeError: for a character that the charset does not have.
    """
    codec = _CHARSETS.get(charset)
    start = text[:2048].encode("utf-8", "replace")
    if codec is None and family == "html" and (meta := _META_CHARSET.search(start)):
        codec = _CHARSETS.get(meta[1].decode("ascii", "replace").lower())
    if codec is None and family == "xml" and (named := _XML_ENCODING.search(start[:512])):
        codec = _CHARSETS.get(named[1].decode("ascii", "replace").lower())
    return text.encode(codec or "utf-8")


_MARKED: frozenset[Family] = frozenset({"html", "xml", "text", "csv"})
_IN_UTF8: frozenset[Family] = frozenset({"json", "json-lines", "json-sequence", "xml", "events"})


def to_text(body: bytes, family: Family, charset: str) -> str:
    """The body as text: by its label, then by what it says of itself, then UTF-8, then
    windows-1252.

    Bytes that are not of the charset are kept apart as lone surrogates, so that two bodies with
    different broken bytes differ, and a body equals itself.
    """
    codec = _CHARSETS.get(charset)
    if codec is None and family in _MARKED:
        codec = next((name for mark, name in _BOMS if body.startswith(mark)), None)
    if codec is None and family == "html" and (meta := _META_CHARSET.search(body[:2048])):
        codec = _CHARSETS.get(meta[1].decode("ascii", "replace").lower())
    if codec is None and family == "xml" and (named := _XML_ENCODING.search(body[:512])):
        codec = _CHARSETS.get(named[1].decode("ascii", "replace").lower())
    if codec is None and family == "json":
        # UTF-16 and UTF-32 have a zero byte beside each sign that JSON begins with.
        codec = json.detect_encoding(body) if b"\0" in body[:4] else "utf-8"
    if codec is None or codec == "utf-8":
        codec = "utf-8" if codec or family in _IN_UTF8 or is_utf8(body) else "cp1252"
    text = _decode(body, codec)
    return text.removeprefix("\ufeff")


def _decode(body: bytes, codec: str) -> str:
    try:
        return body.decode(codec, "surrogateescape")
    except UnicodeDecodeError:
        return body.decode(codec, "backslashreplace")
