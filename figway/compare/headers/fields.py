"""The grammar that header fields share (RFC 9110 section 5.6): lists, parameters, quoted strings.

Lenient as user agents are: nothing is refused, and reading is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

_PIECES = {
    mark: re.compile(rf"""(?:"(?:[^"\\]|\\.)*+"?|<[^>]*+>?|[^"<{mark}])++""") for mark in (",", ";")
}
_ESCAPED = re.compile(r"\\(.)")


def split(text: str, mark: str) -> list[str]:
    """The pieces between marks (`,` or `;`) outside quotes and `<...>`, empty ones left out."""
    pieces = (piece.strip(" \t") for piece in _PIECES[mark].findall(text))
    return [piece for piece in pieces if piece]


def unquoted(text: str) -> str:
    """A quoted string without its quotes and escapes; a token as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _ESCAPED.sub(r"\1", text[1:-1])
    return text


def assignment(piece: str) -> tuple[str, str]:
    """`name=value` as a lower-case name and an unquoted value, which may be empty."""
    name, _, value = piece.partition("=")
    return name.strip(" \t").lower(), unquoted(value.strip(" \t"))


def collected(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values by name; the values of a name that occurs again stand in the order sent."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def extended(value: str) -> str:
    """The text of an extended parameter such as `UTF-8''a%20b` (RFC 8187)."""
    charset, mark, rest = value.partition("'")
    _, second, coded = rest.partition("'")
    if not mark or not second:
        return value
    codec = "latin-1" if charset.lower() == "iso-8859-1" else "utf-8"
    return unquote_to_bytes(coded).decode(codec, "backslashreplace")
