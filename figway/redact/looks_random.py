"""Text that nobody would remember: what is drawn at random is taken for a secret.

A list of names never ends, so what is unknown is hidden where it looks like a key: letters and
digits that change kind at nearly every step, or long hexadecimal digits. Words, slugs, camel case,
UUIDs, ULIDs, dates and numbers are left alone.
"""

from __future__ import annotations

import re
from typing import Final

LEAST: Final = 16
"""Characters below which nothing is told from looks."""
_LONG_HEX: Final = 32
_RUN_OF_A_KIND: Final = re.compile(r"[0-9]+|[a-z]+|[A-Z]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+/_~-]{14,}+={0,2}")
_UUID: Final = re.compile(
    r"\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?"
)
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PIECE: Final = re.compile(r"[A-Za-z0-9]+")
_DATE: Final = re.compile(r"(?:19|20)[0-9]{6}T?[0-9]{0,6}Z?")
_MEAN_RUN_OF_LONG: Final = 3.0
_MEAN_RUN: Final = 2.0
"""Mean length of runs of one kind of character. Random base 62 has 1.5, camel case 2.5 and more."""


def looks_random(text: str) -> bool:
    """Whether one piece of text without spaces looks like a key, a session or a signature."""
    if len(text) < LEAST or _UUID.fullmatch(text) or _ULID.fullmatch(text):
        return False
    pieces = _PIECE.findall(text)
    joined = "".join(pieces)
    if len(joined) < LEAST or joined.isdigit() or _DATE.fullmatch(joined):
        return False
    if any(_random_piece(piece) for piece in pieces):
        return True
    if all(_is_word(piece) for piece in pieces):
        return False
    # Base64 has `/`, `-` and `_` anywhere: the whole is judged where its pieces are no words.
    return _random_piece(joined) or (len(joined) >= _LONG_HEX and _mixed(joined))


def _random_piece(piece: str) -> bool:
    if len(piece) < LEAST or piece.isdigit():
        return False
    digits = sum(character.isdigit() for character in piece)
    if _HEX.fullmatch(piece) and digits:
        return len(piece) >= _LONG_HEX or len(piece) - digits >= 4 <= digits
    runs = _RUN_OF_A_KIND.findall(piece)
    return len(runs) >= 7 and len(piece) / len(runs) < _MEAN_RUN


def _mixed(text: str) -> bool:
    """Digits, lower and upper case by turns: base 64 that happens to hold something like words."""
    runs = _RUN_OF_A_KIND.findall(text)
    kinds = {(run[0].isdigit(), run[0].isupper()) for run in runs}
    return len(kinds) == 3 and len(text) / len(runs) < _MEAN_RUN_OF_LONG


def _is_word(piece: str) -> bool:
    """A word, a capitalised one, an acronym, or a number."""
    return piece.isdigit() or piece.islower() or piece.isupper() or piece.istitle()


def random_parts(text: str) -> list[tuple[int, int]]:
    """Start and end of each part of `text` that looks random."""
    if len(text) < LEAST:
        return []
    return [found.span() for found in _TOKEN.finditer(text) if looks_random(found[0])]
