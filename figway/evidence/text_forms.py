"""Texts with slots: which parts of a text vary, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from figway.compare.detect import JWT_PATTERN, UUID_PATTERN
from figway.compare.moments import HTTP_DATE_PATTERN, ISO_PATTERN
from figway.evidence.values import Reading, read

MOST_PARTS = 2_000
"""Parts of a text that is looked into; a longer one varies as a whole."""

_PARTS = re.compile(
    rf"{UUID_PATTERN}|{JWT_PATTERN}|{HTTP_DATE_PATTERN}|{ISO_PATTERN}"
    r"|[0-9]+\.[0-9]+(?![\w.])|(?<![\w.])[0-9]+(?![\w])|\w+|\s+|."
)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")

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
    if len(left) != len(right) or len(left) < 2:
        return None
    found = list(_differing(left, right))
    # Half of the words in another way is another text, not the same one with slots.
    words = sum(part[0].isalnum() for part in left)
    return found if found and 2 * len(found) <= max(2, words) else None


def _differing(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[Slot]:
    before = ""
    for here, there in zip(left, right, strict=True):
        if here != there:
            yield before, here, there
            before = "#"
        elif not here.isspace():
            before = "0" if here.isdigit() else here


def read_part(text: str) -> Reading:
    """A part of a text as a value: digits are a number there."""
    found = read(text)
    if found.nature == "word" and _NUMBER.fullmatch(text):
        return Reading("integer" if text.isdigit() else "decimal", text, float(text))
    return found
