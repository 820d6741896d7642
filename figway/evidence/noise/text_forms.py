"""Texts with slots: which parts of a text vary, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from figway.compare.detect import JWT_PATTERN, UUID_PATTERN
from figway.compare.moments import HTTP_DATE_PATTERN, ISO_PATTERN
from figway.evidence.noise.clocks import IN_TEXT
from figway.evidence.noise.values import Reading, read

MOST_PARTS = 2_000
"""Parts of a text that is looked into; a longer one varies as a whole."""

_PARTS = re.compile(
    rf"{UUID_PATTERN}|{JWT_PATTERN}|{HTTP_DATE_PATTERN}|{ISO_PATTERN}|{IN_TEXT}"
    r"|(?<==)[A-Za-z0-9+/_~%.-]{16,}=*"
    r"|(?<![\w.,])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])"
    r"|[0-9]+\.[0-9]{1,9}(?![\w.])|(?<![\w.])[0-9]+(?![\w])|\w+|\s+|."
)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?|[0-9]{1,3}(?:,[0-9]{3}){1,4}")
_NUMBERED = re.compile(r"([^\W\d]*)([0-9]{1,15})([^\W\d]*)")

_COUNTED = frozenset({"integer", "decimal", "instant"})

Slot = tuple[str, str, str]
"""What stands before it, its text on one side, its text on the other."""


@lru_cache(maxsize=2_048)
def parts(text: str) -> tuple[str, ...]:
    """A text in words, numbers, moments, tokens, spaces and marks; empty for too many."""
    found: list[str] = []
    for part in _PARTS.finditer(text):
        found.append(part[0])
        if len(found) > MOST_PARTS:
            return ()
    return tuple(found)


def slots(one: str, other: str) -> list[Slot] | None:
    """Where two texts of one skeleton differ; None if they have no skeleton in common."""
    left, right = parts(one), parts(other)
    if len(left) != len(right) or not left:
        return None
    if len(left) == 1:
        numbered = _numbered(one, other)
        return None if numbered is None else [numbered]
    found = list(_differing(left, right))
    # Half of the words in another way is another text, not the same one with slots.
    words = sum(part[0].isalnum() for part in left)
    others = sum(not (_is_number(here) and _is_number(there)) for _, here, there in found)
    return found if found and 2 * others <= max(2, words) else None


def differ_in_numbers(one: str, other: str) -> bool:
    """Whether two texts are the same but for numbers and moments in them."""
    found = slots(one, other)
    return found is not None and all(
        read_part(part).nature in _COUNTED for _, here, there in found for part in (here, there)
    )


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _differing(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[Slot]:
    before = word = ""
    for here, there in zip(left, right, strict=True):
        if here != there:
            numbered = None if here.isdigit() else _numbered(here, there)
            yield numbered or (before, here, there)
            before = word = "#"
        elif here[0].isalnum():
            before = word = "0" if here.isdigit() else here
        elif not here.isspace():
            before = f"{word}{here}"  # `Expires=` is not `Signature=`


def _numbered(here: str, there: str) -> Slot | None:
    """Where two words differ in their one number alone: `row12`, `ember7041`, `4711`."""
    left, right = _NUMBERED.fullmatch(here), _NUMBERED.fullmatch(there)
    if left is None or right is None or left[1] != right[1] or left[3] != right[3]:
        return None
    return left[1] or left[3], left[2], right[2]


def read_part(text: str) -> Reading:
    """A part of a text as a value: digits are a number there."""
    found = read(text)
    if found.nature == "word" and _NUMBER.fullmatch(text):
        plain = text.replace(",", "")
        return Reading("integer" if plain.isdigit() else "decimal", text, float(plain))
    return found
