"""Text as an array of lines, whatever its line ends; binary as its size and hash."""

from __future__ import annotations

import hashlib

from figway.compare.canonical_json import Value

_MOST_LINES = 20_000


def parse_text(text: str) -> Value:
    """Lines without their ends. Past 20 000 lines the rest is one element, to bound the work."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", _MOST_LINES)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def describe_binary(body: bytes) -> Value:
    """One string that is equal exactly when the bytes are."""
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}"
