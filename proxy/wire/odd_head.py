"""Reading response heads that are odd and have one meaning.

Old servers end lines with a bare LF, fold fields, write a space before the colon. RFC 9112 lets a
proxy mend most of that, and asks for it where a recipient could be misled (5.1, 5.2). Such a head
is taken apart into fields here, and each kind of oddity is named so that it can be counted. What
has two meanings is refused: `docs/concepts/routing.md` lists it.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers

BARE_LF: Final = "bare_lf"
"""A line ends in LF alone (RFC 9112, 2.2)."""
STATUS_LINE: Final = "status_line"
"""More than one space between the parts of the status line."""
VERSION: Final = "version"
"""Another version than HTTP/1.0 and HTTP/1.1 in a head that has the form of HTTP/1."""
SPACE_BEFORE_COLON: Final = "space_before_colon"
"""White space between a field's name and its colon (RFC 9112, 5.1)."""
FOLDED: Final = "folded_field"
"""A field goes on in the next line (RFC 9112, 5.2)."""
CONTROL: Final = "control_character"
"""A control character other than NUL, CR and LF in a value: a space (RFC 9110, 5.5)."""
SAME_LENGTH: Final = "repeated_length"
"""One Content-Length, said more than once with the same number (RFC 9112, 6.3)."""
IDENTITY: Final = "identity_coding"
"""`Transfer-Encoding: identity`, which never said anything (RFC 2616, 3.6)."""
FRAMING_WITHOUT_BODY: Final = "framing_without_body"
"""Content-Length or Transfer-Encoding in a 1xx or 204 answer (RFC 9110, 8.6)."""
CHUNK_LINE: Final = "chunk_line"
"""White space after a chunk's size, or a line of the chunked coding that ends in LF alone."""

ODDITIES: Final = (
    BARE_LF,
    STATUS_LINE,
    VERSION,
    SPACE_BEFORE_COLON,
    FOLDED,
    CONTROL,
    SAME_LENGTH,
    IDENTITY,
    FRAMING_WITHOUT_BODY,
    CHUNK_LINE,
)

_END: Final = re.compile(rb"\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/(\d)\.(\d)([ \t]+)(\d{3})(?:([ \t]+)([^\r\n]*))?")
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_NEVER_FOLDED: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_ANY_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_CONTROLS: Final = _ANY_CONTROL.search
_NOT_PASSED: Final = re.compile(rb"[\x00\r\n]").search


class BadResponse(ValueError):
    """The answer is not well-formed HTTP/1.x, or frames itself ambiguously. The text says how."""


class OddHead:
    """A head taken apart. `major` and `minor` are the version's digits; `odd` names what was
    mended, each kind once."""

    __slots__ = ("headers", "major", "minor", "odd", "reason", "status")

    def __init__(self, major: int, minor: int, status: int, reason: bytes) -> None:
        self.major = major
        self.minor = minor
        self.status = status
        self.reason = reason
        self.headers: Headers = []
        self.odd: list[str] = []

    def note(self, kind: str) -> None:
        """Say once that something of `kind` was mended."""
        if kind not in self.odd:
            self.odd.append(kind)


def find_end(data: bytes, start: int = 0) -> int:
    """Where the body begins, or -1 while the head is not complete. Lines may end in LF alone."""
    match = _END.search(data, start)
    return -1 if match is None else match.end()


def read_odd_head(data: bytes) -> OddHead:
    """Take apart `data`, a whole head with its empty line. Raises `BadResponse`."""
    lines = data.split(b"\n")[:-2]  # what ends the head is an empty line, and nothing after it
    bare = any(line[-1:] != b"\r" for line in lines) or not data.endswith(b"\r\n")
    stripped = [line[:-1] if line[-1:] == b"\r" else line for line in lines]
    head = _status_line(stripped[0])
    if bare:
        head.note(BARE_LF)
    for line in stripped[1:]:
        _field(head, line)
    return head


def read_odd_fields(data: bytes) -> Headers:
    """Trailer fields, each line with its LF or CRLF. Raises `BadResponse`."""
    section = OddHead(1, 1, 200, b"")
    for line in data.split(b"\n")[:-1]:
        _field(section, line[:-1] if line[-1:] == b"\r" else line)
    return section.headers


def _status_line(line: bytes) -> OddHead:
    match = _STATUS.fullmatch(line)
    if match is None or _NOT_PASSED(line):
        raise BadResponse("The answer does not start with an HTTP/1.x status line.")
    status = int(match[4])
    if status < 100:
        raise BadResponse("The status is not a number of three digits.")
    head = OddHead(int(match[1]), int(match[2]), status, (match[6] or b"").rstrip(b" \t"))
    if match[3] != b" " or match[5] not in (None, b" "):
        head.note(STATUS_LINE)
    if head.major != 1 or head.minor > 1:
        head.note(VERSION)
    return head


def _field(head: OddHead, line: bytes) -> None:
    if line[:1] in (b" ", b"\t"):
        _unfold(head, line)
        return
    name, colon, value = line.partition(b":")
    if not colon:
        raise BadResponse("A line of the response head has no colon.")
    bare = name.rstrip(b" \t")
    if bare != name:
        head.note(SPACE_BEFORE_COLON)
    if _TOKEN(bare) is None:
        raise BadResponse("The name of a response field is malformed.")
    head.headers.append((bare, _value(head, value)))


def _unfold(head: OddHead, line: bytes) -> None:
    if not head.headers:
        raise BadResponse("The first line after the status line is folded.")
    name, value = head.headers[-1]
    if name.lower() in _NEVER_FOLDED:
        raise BadResponse("A field that frames the answer is folded.")
    head.note(FOLDED)
    head.headers[-1] = (name, (value + b" " + _value(head, line)).strip(b" \t"))


def _value(head: OddHead, value: bytes) -> bytes:
    if _CONTROLS(value):
        if _NOT_PASSED(value):
            raise BadResponse("The response head holds a bare CR or NUL.")
        head.note(CONTROL)
        value = _ANY_CONTROL.sub(b" ", value)
    return value.strip(b" \t")
