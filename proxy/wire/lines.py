"""Header lines of requests, read once where they repeat.

Browsers send the same dozen lines with nearly every request. A line of the common form is read by
one expression, and what it says is kept for the names in `_REPEATING`, whose values are few and no
secret. The rest (cookies, credentials, trace ids) is read anew each time. What is kept is bounded
and thrown away as a whole when it is full, so that a client who varies such lines costs the memory
of `MAX_KNOWN` lines, and a request never more than one reading a line.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.forwarded import is_claim
from figway.message.headers import HOP_BY_HOP, NOT_CARRIED

TOKEN: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
"""Octets of a field name or method (RFC 9110, 5.6.2), for a character class."""

ACTED_ON: Final = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"cookie",
    b"expect",
    b"figway-hop",
    b"figway-shadow",
    b"figway-side",
    b"host",
    b"idempotency-key",
    b"origin",
    b"traceparent",
}
"""Fields that are read, dropped or replaced on the common path, in lower case; so are those that
speak for a proxy in front (`figway.message.forwarded.is_claim`)."""

MAX_KNOWN: Final = 2_048
"""Lines that are kept; some 300 bytes each, `_MAX_LINE` at most."""
_MAX_LINE: Final = 512
_REPEATING: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-type",
        b"dnt",
        b"host",
        b"pragma",
        b"priority",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"te",
        b"upgrade-insecure-requests",
        b"user-agent",
    }
)
_COMMON: Final = re.compile(
    rb"([" + TOKEN + rb"]++): ((?! )[ -~\x80-\xff]++(?<! ))"
).fullmatch  # no tab, nothing empty, one space: what is rarer is another reader's business


class Line:
    """One line: the name in lower case, the value, whether the facade acts on the field, and
    whether a backend is sent the line as it is."""

    __slots__ = ("acted_on", "carried", "name", "value")

    def __init__(self, name: bytes, value: bytes) -> None:
        self.name = name
        self.value = value
        claim = is_claim(name)
        self.acted_on = claim or name in ACTED_ON
        self.carried = not claim and name not in NOT_CARRIED


KNOWN: Final[dict[bytes, Line]] = {}
"""The lines that were kept, by their octets."""


def read(line: bytes) -> Line | None:
    """Read a line that is not in `KNOWN`; None where it is not of the common form."""
    match = _COMMON(line)
    if match is None:
        return None
    name = match[1].lower()
    made = Line(name, match[2])
    if name in _REPEATING and len(line) <= _MAX_LINE:
        if len(KNOWN) >= MAX_KNOWN:
            KNOWN.clear()
        KNOWN[line] = made
    return made
