"""Makes any text safe to look at: what a stranger sent is shown, and never acts.

Escaping for HTML is the templates' own business (autoescape). This is about what escaping lets
through: control characters, bidirectional overrides that reorder a line, invisible characters,
lone surrogates that cannot be encoded, and lines of a megabyte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from control_plane.plain_text import neutral

MOST_LINES = 2_000
MOST_WIDTH = 2_000
MOST_SHORT = 300


def finalize(value: Any) -> Any:
    """What templates pass every expression through: nothing is shown that was not neutralised."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return neutral(value)
    return "" if value is None else value


def clip(text: Any, most: int = MOST_SHORT) -> str:
    """One line of at most `most` characters, saying how much is missing."""
    line = " ".join(str(text).split("\n"))
    if len(line) <= most:
        return line
    return f"{line[:most]}… ({len(line):,} characters)".replace(",", " ")


@dataclass(frozen=True, slots=True)
class Shown:
    """The lines of a text that are shown, and what was left out."""

    lines: tuple[str, ...]
    left_out: str


def lines(text: str, most_lines: int = MOST_LINES, most_width: int = MOST_WIDTH) -> Shown:
    """A text cut to lines that a browser can lay out."""
    found = text[: most_lines * most_width].split("\n")
    kept = tuple(clip(line, most_width) for line in found[:most_lines])
    total = text.count("\n") + 1
    return Shown(kept, f"{total - len(kept)} more lines" if total > len(kept) else "")


_REDACTED = re.compile(r"\[redacted:([a-z_]{1,20}):([0-9a-f]{8})\]")


def redactions(value: Any) -> Markup:
    """Text with what was redacted standing out; equal secrets carry the same few characters."""
    made = Markup()
    text, at = neutral(str(value)), 0
    for found in _REDACTED.finditer(text):
        made += text[at : found.start()]
        made += Markup('<mark title="hidden before it was stored">{} {}</mark>').format(
            f"▒ {found[1]}", found[2][:4]
        )
        at = found.end()
    return made + text[at:]
