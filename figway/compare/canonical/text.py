"""Text as an array of lines; binary as its size and hash; and what the signs of a text are.

Where two texts have the same lines, their line ends, their last newline and a byte order mark may
still differ. Clients see that, so it is compared apart from the lines, as facts under names that
no member has: `$['line-ends()']`.
"""

from __future__ import annotations

import hashlib
import re

from figway.compare.canonical.json import Value

BOM = "bom()"
LINE_ENDS = "line-ends()"
LAST_NEWLINE = "last-newline()"

_MOST_LINES = 20_000
_LINE_END = re.compile(r"\r\n|\r|\n")
_NAMES = {"\r\n": "CRLF", "\n": "LF", "\r": "CR"}


def parse_text(text: str) -> Value:
    """Lines without their ends. Past 20 000 lines the rest is one element, to bound the work."""
    lines: list[Value] = []
    lines += text.replace("\r\n", "\n").replace("\r", "\n").split("\n", _MOST_LINES)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def describe_binary(body: bytes) -> str:
    """One string that is equal exactly when the bytes are."""
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}"


def line_ends(legacy: str, new: str) -> tuple[Value, Value]:
    """How the lines of two texts end, as far as the two can be held against each other."""
    left, right = _LINE_END.findall(legacy), _LINE_END.findall(new)
    if not left or not right or left == right:
        return None, None
    if len(left) == len(right) and len({*left, *right}) > 1:
        return _ends(left), _ends(right)
    kinds = [", ".join(sorted({_NAMES[end] for end in side})) for side in (left, right)]
    return kinds[0], kinds[1]


def _ends(found: list[str]) -> Value:
    kinds = sorted({_NAMES[end] for end in found})
    if len(kinds) == 1:
        return kinds[0]
    where = hashlib.blake2b("\0".join(found).encode(), digest_size=4).hexdigest()
    return f"{', '.join(kinds)} mixed ({where})"


def ends_in_newline(text: str) -> bool:
    """Whether the last line is ended."""
    return text.endswith(("\n", "\r"))
