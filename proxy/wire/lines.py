"""Header lines of requests, read once where they repeat.

Browsers send the same dozen lines with nearly every request. What such a line says is kept for the
names in `_REPEATING`, whose values are few and no secret. The rest (cookies, credentials, trace
ids) is read anew each time; of it only the name is kept. What is kept is bounded and thrown away as
a whole when it is full, so that a client who varies such lines costs the memory of `MAX_KNOWN`
lines, and a request never more than one reading a line.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.forwarded import is_claim
from figway.message.headers import HOP_BY_HOP, NOT_CARRIED
from figway.message.overrides import OVERRIDES, known_as

TOKEN: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
"""Octets of a field name or method (RFC 9110, 5.6.2), for a character class."""

ACTED_ON: Final = (
    HOP_BY_HOP
    | OVERRIDES
    | {
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
)
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
_TOKENS: Final = re.compile(rb"[" + TOKEN + rb"]++").fullmatch
MAX_NAMES: Final = 1_024
"""Names that are kept, of at most `_MAX_NAME` bytes."""
_MAX_NAME: Final = 64
_COMMON: Final = bytes(octet if octet >= 0x20 and octet != 0x7F else 0x20 for octet in range(256))
"""Changes a value that holds a control character, and no other."""


class Name:
    """A field's name as it is looked up, and what becomes of its lines: see `Line`. `repeats` says
    that they are worth keeping."""

    __slots__ = ("acted_on", "carried", "lowered", "repeats")

    def __init__(self, lowered: bytes) -> None:
        self.lowered = lowered = known_as(lowered)
        claim = is_claim(lowered)
        self.acted_on = claim or lowered in ACTED_ON
        self.carried = not claim and lowered not in NOT_CARRIED
        self.repeats = lowered in _REPEATING


class Line:
    """One line: the name in lower case, the value, whether the facade acts on the field, and
    whether a backend is sent the line as it is."""

    __slots__ = ("acted_on", "carried", "name", "value")

    def __init__(self, name: Name, value: bytes) -> None:
        self.name = name.lowered
        self.value = value
        self.acted_on = name.acted_on
        self.carried = name.carried


KNOWN: Final[dict[bytes, Line]] = {}
"""The lines that were kept, by their octets."""
NAMES: Final[dict[bytes, Name]] = {}
"""The names that were kept, as they were spelled."""


def read(line: bytes) -> Line | None:
    """Read a line that is not in `KNOWN`; None where it is not of the common form: one space, no
    tab, nothing empty. What is rarer is another reader's business."""
    spelled, _, value = line.partition(b": ")
    if not value or value[0] == 0x20 or value[-1] == 0x20 or value.translate(_COMMON) != value:
        return None
    name = NAMES.get(spelled)
    if name is None:
        name = _name(spelled)
        if name is None:
            return None
    made = Line(name, value)
    if name.repeats and len(line) <= _MAX_LINE:
        if len(KNOWN) >= MAX_KNOWN:
            KNOWN.clear()
        KNOWN[line] = made
    return made


def _name(spelled: bytes) -> Name | None:
    """A name that is not in `NAMES`; None where it is none (RFC 9110, 5.1)."""
    if _TOKENS(spelled) is None:
        return None
    name = Name(spelled.lower())
    if len(spelled) <= _MAX_NAME:
        if len(NAMES) >= MAX_NAMES:
            NAMES.clear()
        NAMES[spelled] = name
    return name
