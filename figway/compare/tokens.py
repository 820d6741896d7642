"""Tokens: values drawn by lot, such as session ids, and whether two are of one form.

A token is told from a code that means something (`SHOE-RED-0042-EUR39`, `user-0012345678-abc`) by
how its characters mix: one drawn by lot changes between letters and digits all the time, and two of
them share no more characters than chance gives.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

LEAST = 16
"""Characters of the shortest text that is taken for a token."""
_LONGEST = 8192
UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
JWT_PATTERN = r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
_UUID, _JWT = re.compile(UUID_PATTERN), re.compile(JWT_PATTERN)
_NIL = "00000000-0000-0000-0000-000000000000"
_TOKEN = re.compile(r"[A-Za-z0-9+/_=.~%:!*|-]{16,}")
_LONG_HEX = re.compile(r"(?:[0-9a-f]{24,}|[0-9A-F]{24,})")
_HEX = re.compile(r"(?:[0-9a-f]+|[0-9A-F]+)")
_MARKS = re.compile(r"[-_.:/|~!*%+=]+")
_PREFIX = re.compile(r"[A-Za-z]{1,12}(?:%3A|[-_:.])")

ALPHABETS = (
    ("[0-9a-f]", re.compile(r"[0-9a-f]+")),
    ("[0-9A-F]", re.compile(r"[0-9A-F]+")),
    ("[0-9a-z]", re.compile(r"[0-9a-z]+")),
    ("[0-9A-Z]", re.compile(r"[0-9A-Z]+")),
    ("[0-9A-Za-z]", re.compile(r"[0-9A-Za-z]+")),
    ("[0-9A-Za-z_-]", re.compile(r"[0-9A-Za-z_-]+")),
    ("[0-9A-Za-z+/=]", re.compile(r"[0-9A-Za-z+/=]+")),
    ("[0-9A-Za-z_=.-]", re.compile(r"[0-9A-Za-z_=.-]+")),
    ("[0-9A-Za-z+/_=.~%:!*|-]", re.compile(r"[0-9A-Za-z+/_=.~%:!*|-]+")),
)
"""Character classes of tokens as RE2 writes them, the narrow ones first."""


def looks_random(text: str) -> bool:
    """Whether a text of 16 or more characters looks drawn by lot."""
    if not LEAST <= len(text) <= _LONGEST or _TOKEN.fullmatch(text) is None:
        return False
    digits = sum(character.isdigit() for character in text)
    if not digits or digits == len(text) or _entropy(text) < 2.8:
        return False
    if _LONG_HEX.fullmatch(text) or _UUID.fullmatch(text):
        return True
    pieces = [piece for piece in _MARKS.split(text) if piece]
    if len(pieces) > 1 and all(piece.isdigit() or piece.isalpha() for piece in pieces):
        return False
    plain = "".join(pieces)
    return 4 * _changes(plain) >= len(plain) - 1


def same_form(legacy: str, new: str) -> bool:
    """Whether two unequal values are two tokens of one form: alphabet, length, and what they begin
    with.
    """
    if _NIL in (legacy, new):
        return False
    for shape in (_UUID, _JWT):
        if shape.fullmatch(legacy) or shape.fullmatch(new):
            return bool(shape.fullmatch(legacy) and shape.fullmatch(new))
    begins = _prefix(legacy), _prefix(new)
    if begins[0] != begins[1]:
        return False
    left, right = legacy[len(begins[0]) :], new[len(begins[1]) :]
    return (
        _both_random(left, right)
        and 2 * max(len(left), len(right)) <= 3 * min(len(left), len(right))
        and bool(_HEX.fullmatch(left)) == bool(_HEX.fullmatch(right))
        and not _alike(left, right)
    )


def _both_random(left: str, right: str) -> bool:
    """One in 250 tokens of 32 letters and digits has no digit: beside one that has some, letters of
    both cases will do."""
    here, there = looks_random(left), looks_random(right)
    return (here or _may_be_random(left)) and (there or _may_be_random(right)) and (here or there)


def _may_be_random(text: str) -> bool:
    letters = LEAST <= len(text) <= _LONGEST and text.isascii() and text.isalpha()
    return letters and _entropy(text) >= 2.8 and 4 * _changes(text) >= len(text) - 1


def token_pattern(legacy: str, new: str) -> str:
    """An RE2 pattern for tokens of the form that both have."""
    prefix = _prefix(legacy)
    sides = [text[len(prefix) :] for text in (legacy, new)]
    alphabet = next((name for name, shape in ALPHABETS if all(map(shape.fullmatch, sides))), "")
    low, high = sorted(len(side) for side in sides)
    # RE2 counts to 1000 at most.
    if not alphabet or high > 1000:
        return ""
    return f"{re.escape(prefix)}{alphabet}{{{low}{'' if low == high else f',{high}'}}}"


def describe(value: str) -> str:
    """What may be shown of a cookie's value, which is a credential as often as not: its size."""
    return f"a token of {len(value)} characters" if value else "empty"


def _prefix(text: str) -> str:
    found = _PREFIX.match(text)
    return found[0] if found and len(text) - found.end() >= LEAST else ""


def _entropy(text: str) -> float:
    counts = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in counts)


def _kind(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.islower() else 2


def _changes(text: str) -> int:
    return sum(_kind(one) != _kind(other) for one, other in pairwise(text))


def _alike(legacy: str, new: str) -> bool:
    """Whether they share more characters in place than chance gives two tokens."""
    same = sum(one == other for one, other in zip(legacy, new, strict=False))
    return same > 6 and 3 * same > min(len(legacy), len(new))
