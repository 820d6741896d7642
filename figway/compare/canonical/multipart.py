"""Multipart bodies (RFC 2046) part by part: their headers, and their bodies by their own type.

The boundary frames, so it is not compared; nor are the preamble and the epilogue, which readers
drop. Parts of a form have names, others stand in order. A Content-ID is a label inside the body:
the first part's is `cid:1` wherever it is referred to.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from figway.compare.canonical.json import NotThisFormat, Value, members
from figway.compare.decode import MediaType
from figway.compare.headers.fields import assignment, split
from figway.compare.headers.readers import AnswerContext, read

_MOST_PARTS = 1000
_BREAK = re.compile(rb"\r?\n\r?\n")
_NOT_READ = frozenset({"content-length", "content-id"})

ReadPart = Callable[[bytes, MediaType], Value]
"""(body, media type) -> its canonical form."""


def parse_multipart(body: bytes, media_type: MediaType, read_part: ReadPart) -> Value:
    """The parts: an object by name for `multipart/form-data`, else an array.

    Raises:
        NotThisFormat: there is no boundary, it does not occur, or the last one is missing.
        CompareError: of reading a part.
    """
    parts = [headed(part) for part in _parts(body, media_type)]
    labels = _labels(parts)
    pairs = []
    for headers, content in parts:
        content = _relabelled(content, labels)
        kind = MediaType.parse(headers.get("content-type", ["text/plain"])[-1])
        part: dict[str, Value] = {"body": read_part(_decoded(content, headers), kind)}
        part |= described(headers)
        pairs.append((_name(headers), part))
    if media_type.essence == "multipart/form-data":
        return members([(name, part) for name, part in pairs])
    return [part for _, part in pairs]


def _parts(body: bytes, media_type: MediaType) -> list[bytes]:
    mark = media_type.boundary.encode("latin-1", "replace")
    if not mark:
        raise NotThisFormat("not multipart: no boundary")
    pieces = re.split(rb"(?:\A|\r?\n)--" + re.escape(mark) + rb"(--)?[ \t]*(?=\r?\n|\Z)", body)
    # What was split: text, then `--` or None of the delimiter, text, ...
    parts, ends = pieces[2::2], pieces[1::2]
    if b"--" not in ends:
        raise NotThisFormat("not multipart: it does not end")
    parts = parts[: ends.index(b"--")]
    if len(parts) > _MOST_PARTS:
        raise NotThisFormat(f"not multipart: more than {_MOST_PARTS} parts")
    return [re.sub(rb"\A\r?\n", b"", part) for part in parts]


def headed(part: bytes) -> tuple[dict[str, list[str]], bytes]:
    """Header fields by lower-case name, and what follows them."""
    if part[:1] in (b"\r", b"\n"):
        return {}, re.sub(rb"\A\r?\n", b"", part)
    head, *rest = _BREAK.split(part, maxsplit=1)
    headers: dict[str, list[str]] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).splitlines():
        name, _, value = line.partition(b":")
        text = value.decode("utf-8", "backslashreplace").strip()
        headers.setdefault(name.decode("latin-1").strip().lower(), []).append(text)
    return headers, rest[0] if rest else b""


def _labels(parts: list[tuple[dict[str, list[str]], bytes]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for at, (headers, _) in enumerate(parts, 1):
        label = headers.get("content-id", [""])[0].strip("<>")
        if label:
            found[f"cid:{label}".encode()] = f"cid:{at}".encode()
    return found


def _relabelled(content: bytes, labels: dict[bytes, bytes]) -> bytes:
    if not labels or b"cid:" not in content:
        return content
    any_label = b"|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    return re.sub(any_label, lambda found: labels[found[0]], content)


def _decoded(content: bytes, headers: dict[str, list[str]]) -> bytes:
    """The content without its transfer encoding; as it is where that is broken."""
    import binascii
    import quopri

    coding = headers.get("content-transfer-encoding", [""])[-1].lower()
    if coding == "base64":
        try:
            return binascii.a2b_base64(content)
        except binascii.Error:
            return content
    return quopri.decodestring(content) if coding == "quoted-printable" else content


def described(headers: dict[str, list[str]]) -> dict[str, Value]:
    """A part's own headers as they are compared: `$[*]['header:content-type']`."""
    around = AnswerContext(resolve=lambda url: url)
    found: dict[str, Value] = {}
    for name, values in headers.items():
        if name in _NOT_READ or name == "content-transfer-encoding":
            continue
        value = read(name, values, around)
        found[f"header:{name}"] = value if isinstance(value, str) else dict(value)
    return found


def _name(headers: dict[str, list[str]]) -> str:
    _, *parameters = split(headers.get("content-disposition", [""])[-1], ";") or [""]
    return dict(map(assignment, parameters)).get("name", "")
