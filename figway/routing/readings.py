"""What programs may read from the bytes of a path.

One decodes once and another three times, one resolves dots that another takes for a name, one
merges slashes that another counts. Each of these readings leads somewhere else, so no single one is
the most lenient: what a second round of decoding makes an innocent path is a guarded one after the
first. `readings` gives all that differ in structure. What only makes names alike (case, accents,
Unicode's compatibility forms, further rounds of decoding, parameters) is folded in each of them.

Some readings leave a part out: a URL parser takes what follows two slashes for a host, a front
controller takes its own name out of a path (`/index.php/orders`), and frameworks take a format from
the end of one (`/orders.json`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import product
from typing import Final

EMPTY: Final = b""
"""An empty segment, where slashes are not merged: no variable takes it."""
NAMELESS: Final = b"\0"
"""A segment that is no literal of any template, such as dots that are taken for a name."""
MAX_READINGS: Final = 32
"""Of one path; more are too many to look at."""
MAX_SEGMENTS: Final = 128
"""Of a path that has more than one reading."""

MAX_LETTERS: Final = 4_096
"""Octets of a path that holds others than ASCII: one letter of Unicode may stand for eighteen."""

_ROUNDS: Final = 3
"""How often a path may be decoded on its way through an application."""
_ESCAPE: Final = re.compile(rb"%(?:[uU]([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))")
_OVERLONG: Final = re.compile(rb"\xc0([\x80-\xbf])|\xc1([\x80-\xbf])|\xe0\x80([\x80-\xbf])")
_SOFT: Final = b"\1"
"""Stands for a slash that was encoded: it separates segments for some, and for others it does not.
So does a backslash."""
_HARD: Final = b"\3"
_NO_NAME: Final = b"\2"
_STAND_INS: Final = bytes.maketrans(_SOFT + _HARD, _NO_NAME * 2)
_ENDS: Final = re.compile(rb"[\0?#]").search
"""What ends a path for some, where it was encoded."""
_BLANK: Final = bytes(range(4, 0x21)) + b"\x7f\x85\xa0+"
"""What some strip from the ends of a segment, or of a path: white space in any encoding."""
_LOOKALIKES: Final = str.maketrans(
    "\u2044\u2215\u2216\u29f5\u29f9\u00a5\u20a9\u0085\u1680\u2028\u2029", "//\\\\\\\\\\    "
)
"""What Windows takes for a slash, a backslash or a blank where a code page has no such letter."""
_UNSEEN: Final = frozenset({"Mn", "Me", "Cf"})
"""Categories of characters that some comparisons ignore: accents, joiners, soft hyphens."""
_SCRIPT: Final = re.compile(
    rb"[^.].*\.(?:php[0-9]?|phtml|f?cgi|pl|py|rb|dll|exe|as[hmp]x|aspx?|jspx?|cfm|do|action)"
).fullmatch
_INDEX: Final = re.compile(rb"(?:index|default|home|welcome)\.[a-z0-9]+").fullmatch
_FORMAT: Final = re.compile(
    rb"(.+)\.(?:json|xml|html?|xhtml|csv|txt|ya?ml|rss|atom|pdf|do|action)"
).fullmatch
ALIASED: Final = re.compile(
    rb"\.(?:php[0-9]?|phtml|f?cgi|pl|py|rb|dll|exe|as[hmp]x|aspx?|jspx?|cfm|do|action|json|xml|html?"
    rb"|xhtml|csv|txt|ya?ml|rss|atom|pdf)(?:/|\Z)|/(?:index|default|home|welcome)\.|:\$|\+(?:/|\Z)|/\+"
).search
"""Finds what has another reading in a path of plain lower-case letters."""

_Stacks = dict[tuple[bytes, ...], None]


def readings(path: bytes) -> list[tuple[bytes, ...]] | None:
    """The segments that each program might read, in lower case; None where there are too many.

    Literals in them compare with those of `literals_of`.
    """
    text = _text(path)
    if len(text) > MAX_LETTERS and not text.isascii():
        return None
    found: _Stacks = {}
    for parts in _split(text):
        for fewer in _left_out(parts):
            read = _resolve(fewer)
            if read is None or len(found) > MAX_READINGS:
                return None
            found.update(read)
    return list(found)


def literals_of(segment: bytes) -> list[bytes]:
    """The literals that a segment of a template stands for, folded as `readings` folds them."""
    names = [_name(part) for part in next(_split(_text(b"/" + segment)))]
    return [name for name in names if name not in (EMPTY, b"..")]


def _text(path: bytes) -> bytes:
    """Decoded as often as may be, names alike; slashes that were encoded are `_SOFT`. What is
    longer than `MAX_LETTERS` is only decoded."""
    for _ in range(_ROUNDS):
        decoded = _OVERLONG.sub(_shorten, _ESCAPE.sub(_decode, path))
        if decoded == path:
            break
        path = decoded
    if path.isascii() or len(path) > MAX_LETTERS:
        return path.lower()
    marked = path.replace(b"/", _HARD).decode("utf-8", "surrogateescape").translate(_LOOKALIKES)
    letters = unicodedata.normalize("NFKD", marked)
    unseen = [letter for letter in set(letters) if unicodedata.category(letter) in _UNSEEN]
    if unseen:
        letters = letters.translate(str.maketrans("", "", "".join(unseen)))
    text = letters.upper().casefold().encode("utf-8", "surrogateescape")
    return text.replace(b"/", _SOFT).replace(_HARD, b"/")


def _decode(found: re.Match[bytes]) -> bytes:
    code = int(found[1] or found[2], 16)
    if code == 0x2F:
        return _SOFT
    if found[1] is not None:
        return chr(code).encode("utf-8", "surrogatepass").translate(_STAND_INS)
    return bytes([code]).translate(_STAND_INS)


def _shorten(found: re.Match[bytes]) -> bytes:
    """The character that an overlong encoding in UTF-8 stands for."""
    if found[2] is not None:
        return bytes([0x40 | (found[2][0] & 0x3F)])
    character = bytes([(found[1] or found[3])[0] & 0x3F])
    return _SOFT if character == b"/" else character.translate(_STAND_INS)


def _split(text: bytes) -> Iterator[list[bytes]]:
    """The parts of a path, the lenient way first: each kind of slash separates, or it does not."""
    kinds = [slash for slash in (_SOFT, b"\\") if slash in text]
    for separates in product((b"/", _NO_NAME), repeat=len(kinds)):
        one = text
        for slash, stands_for in zip(kinds, separates, strict=True):
            one = one.replace(slash, stands_for)
        parts = one.split(b"/")
        if parts[0] == EMPTY:
            del parts[0]
        if parts and parts[-1] == EMPTY:
            del parts[-1]
        yield parts


def _left_out(parts: list[bytes]) -> Iterator[list[bytes]]:
    """The parts, and what is left of them where one is taken for something else."""
    ways = [parts]
    if parts and parts[0] == EMPTY:  # `//host/...`, as URL parsers read it
        host = next((at for at, part in enumerate(parts) if part != EMPTY), len(parts))
        ways.append(parts[host + 1 :])
    for way in ways[:]:
        for at, part in enumerate(way[:16]):
            name = _name(part)
            last = at == len(way) - 1
            if (_INDEX if last else _SCRIPT)(name) is not None:
                ways.append(way[:at] + way[at + 1 :])
                break
    for way in ways[:]:
        shown = None if not way else _FORMAT(_name(way[-1]))
        if shown is not None:
            ways.append([*way[:-1], shown[1]])
    yield from ways


def _resolve(parts: list[bytes]) -> _Stacks | None:
    """What the parts may come to, each way once; None where there are too many."""
    stacks: _Stacks = {(): None}
    ended: _Stacks = {}
    names: list[bytes] = []
    for part in parts:
        name = _name(part)
        plain, ends = name not in (EMPTY, b".."), _ENDS(part) is not None
        if plain:
            names.append(name)
            if not ends:
                continue
        if len(parts) > MAX_SEGMENTS:
            return None
        stacks, names = _extended(stacks, names), []
        if not plain:
            stacks = _branched(stacks, part, up=name == b"..")
        if ends:
            ended.update(stacks)
        if len(stacks) + len(ended) > MAX_READINGS:
            return None
    return {**_extended(stacks, names), **ended}


def _extended(stacks: _Stacks, names: list[bytes]) -> _Stacks:
    if not names:
        return stacks
    more = tuple(names)
    return dict.fromkeys(stack + more for stack in stacks)


def _branched(stacks: _Stacks, part: bytes, *, up: bool) -> _Stacks:
    """With a part that is resolved by some, and a segment for others."""
    segment = EMPTY if part == EMPTY else NAMELESS
    found: _Stacks = {}
    for stack in stacks:
        found[stack[:-1] if up else stack] = None
        found[(*stack, segment)] = None
    return found


def _name(part: bytes) -> bytes:
    """A part without parameters, and what file systems ignore; `..` stands for itself."""
    end = _ENDS(part)
    if end is not None:
        part = part[: end.start()]
    name = part.partition(b";")[0].strip(_BLANK)
    if b":$" in name:  # a stream of NTFS, such as `::$DATA`
        name = name.partition(b":$")[0].rstrip(b":")
    return name if name == b".." else name.rstrip(b"." + _BLANK)
