"""What the readers ask of a request's head: media type, charset, coding, query string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from figway.message.http import RequestHead
from figway.operation.operation import Unread, UnreadReason

_PARAMETER = re.compile(r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]*)\s*""")
_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
MOST_PAIRS = 1_000
"""Pairs of a form or query; more are unread, as frameworks leave out what comes after (PHP's
`max_input_vars`)."""
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type, taken apart: `essence` in lower case, parameters by lower-case name."""

    essence: str
    parameters: dict[str, str]

    @property
    def is_utf8(self) -> bool:
        """Whether nothing else than UTF-8 is named."""
        return self.parameters.get("charset", "").lower() in _UTF8


def media_type(value: bytes | None) -> ContentType:
    """Read a Content-Type. Raises `Unread` for one that readers could take differently."""
    text = (value or b"").decode("latin-1")
    essence = text.partition(";")[0]
    parameters: dict[str, str] = {}
    at = len(essence)
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            if text[at:].strip("; \t"):
                raise Unread(UnreadReason.AMBIGUOUS)
            break
        name, raw = found[1].lower(), found[2]
        if name in parameters or ("*" in name and not name.startswith("filename*")):
            raise Unread(UnreadReason.AMBIGUOUS)
        parameters[name] = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
        at = found.end()
    if "," in essence:
        raise Unread(UnreadReason.AMBIGUOUS)  # several header lines
    return ContentType(essence.strip().lower(), parameters)


def check_coding(head: RequestHead) -> None:
    """Raises `Unread` where the body has a content coding."""
    coding = head.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise Unread(UnreadReason.COMPRESSED)


def pairs_of(text: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string or urlencoded form, decoded (WHATWG URL, 5.1).

    Raises `Unread` for what is not percent-encoded UTF-8.
    """
    if _BROKEN_ESCAPE.search(text):
        raise Unread(UnreadReason.MALFORMED)
    if text.count(b"&") >= MOST_PAIRS:
        raise Unread(UnreadReason.TOO_LONG)
    found = []
    for pair in text.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            found.append((_plain(name), _plain(value)))
    return found


def _plain(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Unread(UnreadReason.MALFORMED) from None
