"""What one value is by itself: a moment, a token, a number, a word, a text.

A volatile value (a moment of now, a UUID, a drawn token) shows it by its writing alone. That says
nothing of whether it may differ; it says which form legacy's variation there could have.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from figway.compare.moments import moment
from figway.evidence.noise.clocks import counted, holds_moment, written

Nature = Literal[
    "absent", "null", "boolean", "integer", "decimal", "instant", "token", "word", "text", "tree"
]
"""A word is a string without white space that looks drawn by nobody; a tree an object or array."""

VOLATILE: frozenset[Nature] = frozenset({"instant", "token"})
NUMBERS: frozenset[Nature] = frozenset({"integer", "decimal"})

FINE = 1e15
"""Numbers below count no moments finer than milliseconds."""
LONGEST = 4_096
"""Characters of a string that are looked at; a longer one is a tree: too much for one value."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_HEX = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")
_OPAQUE = re.compile(r"[A-Za-z0-9+/_=.~:%-]{12,}")
_SPACE = re.compile(r"\s")
_COUNT = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?")
_DIGIT = re.compile(r"[0-9]")
_FRACTION = re.compile(r"[.,][0-9]+")
_NEEDS_CLOCK = re.compile(r"[0-9]:[0-9]{2}")
DECIMAL = "%"
"""Stands for a digit of a fraction of a second in a moment's notation."""

TOKEN_KINDS = ("uuid", "ulid", "jwt", "hex", "token")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as it reads by itself."""

    nature: Nature
    text: str = ""
    """The value's own text; a number's shortest one."""
    number: float = 0.0
    """A number's value; a moment's seconds since 1970."""
    notation: str = ""
    """How a moment is written, with its offset; which token it is."""


ABSENT = Reading("absent", "(absent)")


def read(value: object) -> Reading:
    """Read one value. Never raises; what is too long or has members is a tree."""
    if value is None:
        return Reading("null", "null")
    if isinstance(value, bool):
        return Reading("boolean", str(value).lower())
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _read_text(value) if len(value) <= LONGEST else Reading("tree")
    return Reading("tree")


def read_header(value: object) -> Reading:
    """Read the value of a header field, where numbers are written as texts."""
    found = read(value)
    if found.nature == "word" and _COUNT.fullmatch(found.text):
        return Reading("decimal" if "." in found.text else "integer", found.text, float(found.text))
    return found


def read_at(path: str, value: object) -> Reading:
    """Read the value at a path of an answer."""
    return read_header(value) if path.startswith("header:") else read(value)


def _number(value: float) -> Reading:
    try:
        number = float(value)
    except OverflowError:
        return Reading("tree")
    if not math.isfinite(number):
        return Reading("word", str(value))
    found = moment(value)
    if found is not None:
        return Reading("instant", repr(value), found[1], f"{found[0]}{_places(value)}")
    if number >= FINE and (fine := counted(number)) is not None:
        return Reading("instant", repr(value), fine[1], fine[0])
    return Reading("integer" if number.is_integer() else "decimal", repr(value), number)


def _places(value: float) -> str:
    return ".#" if isinstance(value, float) and not value.is_integer() else ""


@lru_cache(maxsize=8_192)
def _read_text(text: str) -> Reading:
    found = moment(text)
    if found is not None and (_NEEDS_CLOCK.search(text) or text.isdigit()):
        return Reading("instant", text, found[1], _notation(text))
    if (other := written(text)) is not None:
        return Reading("instant", text, other[1], other[0])
    kind = token_kind(text)
    if kind and not (kind == "token" and holds_moment(text)):
        return Reading("token", text, notation=kind)
    return Reading("text" if _SPACE.search(text.strip()) else "word", text)


def _notation(text: str) -> str:
    """The writing of a moment without its digits; the offset stays, and how many decimals."""
    body, offset = text, ""
    if found := re.search(r"([+-][0-9]{2}:?[0-9]{2})$", text):
        body, offset = text[: found.start()], found[1]
    body = _FRACTION.sub(lambda part: "." + DECIMAL * (len(part[0]) - 1), body)
    if "," in text:  # an HTTP date: its names of days and months are digits of another kind
        body = re.sub(r"[A-Za-z]{3,}(?<!GMT)", "a", body)
    return _DIGIT.sub("#", body) + offset


@lru_cache(maxsize=8_192)
def token_kind(text: str) -> str:
    """`uuid`, `ulid`, `jwt`, `hex` or `token` for what looks drawn by lot; else empty."""
    if len(text) < 12 or len(text) > LONGEST:
        return ""
    if _UUID.fullmatch(text):
        return "uuid"
    if _JWT.fullmatch(text):
        return "jwt"
    if _HEX.fullmatch(text) and not text.isdigit() and not text.isalpha():
        return "hex"
    if _ULID.fullmatch(text) and not text.isalpha() and not text.isdigit():
        return "ulid"
    return "token" if _OPAQUE.fullmatch(text) and drawn(text) else ""


def drawn(text: str) -> bool:
    """Whether a text looks drawn by lot: digits among letters, and hardly repeating itself."""
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    if not digits or letters < 3:
        return False
    counts = [text.count(character) for character in set(text)]
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    turns = sum(
        a.isdigit() != b.isdigit() or (a.isupper() and b.islower() and not a.isdigit())
        for a, b in pairwise(text)
    )
    return entropy >= 2.8 and turns >= max(3, len(text) // 6)


ALPHABETS: tuple[tuple[str, str], ...] = (
    ("0-9", "0123456789"),
    ("a-f", "abcdef"),
    ("g-z", "ghijklmnopqrstuvwxyz"),
    ("A-F", "ABCDEF"),
    ("G-Z", "GHIJKLMNOPQRSTUVWXYZ"),
)
_CLASS = {character: name for name, members in ALPHABETS for character in members}


def alphabet(text: str) -> frozenset[str]:
    """The classes of characters in a text; punctuation is a class of its own each."""
    return frozenset(_CLASS.get(character, character) for character in set(text))


def share_apart(one: float, other: float) -> float:
    """How far two numbers are apart, as a share of the larger."""
    larger = max(abs(one), abs(other))
    return abs(one - other) / larger if larger else 0.0
