"""Text that a stranger may have written, made safe to look at: it is shown, and never acts.

Control characters move the cursor of a terminal or worse, bidirectional overrides reorder a line,
invisible characters hide, and lone surrogates cannot be encoded. The two joiners are letters of
Persian and parts of emoji: between characters that are not ASCII they show what they join.
"""

from __future__ import annotations

import re

_ACTS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_JOINED = f"[^\x00-\x7f{_ACTS}]"
_UNSAFE = re.compile(f"(?!(?<={_JOINED})[\u200c\u200d]{_JOINED})[{_ACTS}]")


def neutral(text: str) -> str:
    """`text` with every character that acts instead of showing written as its number."""
    return _UNSAFE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def is_plain(text: str) -> bool:
    """Does every character only show?"""
    return _UNSAFE.search(text) is None


def escaped(text: str) -> str:
    """JSON text with the same characters as escapes, which decode to what they stand for."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2] for at in range(0, len(units), 2))
    return "".join(f"\\u{int.from_bytes(pair):04x}" for pair in pairs)
