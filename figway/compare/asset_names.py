"""Hashes in the names of assets: `app.3f9a1c07.js`, `index-BxK3mQ9a.css`, `logo.png?v=3f9a1c07`.

A build gives a file the hash of its content as a part of its name, so another build of the same
page names other files. What stands for a hash is told by its alphabet, its length and its place;
numbers in the names of pictures are ids as often as not, and no hashes.
"""

from __future__ import annotations

import re
from typing import Final

from figway.compare.tokens import ALPHABETS

PLACEHOLDER: Final = "[hash]"
_LONGEST = 8_192
"""Characters of a text in which hashes are looked for."""
_CODE = r"(?:m?js|css|map|woff2?|ttf)"
_ANY = r"(?:m?js|css|map|woff2?|ttf|png|jpe?g|gif|svg|webp|avif|ico|json)"
_HEX = r"(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])(?:[0-9a-f]{%d,64}|[0-9A-F]{%d,64})"
_MIXED = r"(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{8,32}"
_WOVEN = r"(?=[A-Za-z]*[0-9]+[A-Za-z])(?:[0-9a-z]{8,32}|[0-9A-Z]{8,32})"
_NAMED = re.compile(
    rf"(?<=[._~-])(?:"
    rf"(?:{_HEX % (8, 8)}|{_MIXED})(?=(?:[._~-][A-Za-z0-9._~-]{{0,60}})?\.{_ANY}(?![A-Za-z0-9]))"
    rf"|(?:{_HEX % (6, 6)}|{_WOVEN}|[0-9]{{8,20}})"
    rf"(?=(?:[._~-][A-Za-z0-9._~-]{{0,60}})?\.{_CODE}(?![A-Za-z0-9])))"
)
_IN_QUERY = r"\?(?:v|ver|version|h|hash|rev)="
_ASKED = re.compile(
    rf"(?<=\.)({_ANY}{_IN_QUERY})((?=[A-Za-z_%-]*[0-9])[0-9A-Za-z_%-]{{6,64}})(?![0-9A-Za-z_.%-])"
)


def without_hashes(text: str) -> str:
    """The text with `[hash]` for each hash in the name of an asset."""
    if len(text) > _LONGEST or "." not in text:
        return text
    return _NAMED.sub(PLACEHOLDER, _ASKED.sub(rf"\1{PLACEHOLDER}", text))


def hash_pattern(legacy: str, new: str) -> str | None:
    """An RE2 pattern of the hashes in which two texts differ; None where something else differs,
    empty where no one pattern covers them.

    It takes what stands on both sides of a hash along, as RE2 looks at nothing around it.
    """
    if legacy == new or without_hashes(legacy) != without_hashes(new):
        return None
    sides = [[*_hashes(text)] for text in (legacy, new)]
    unequal = [pair for pair in zip(*sides, strict=True) if pair[0] != pair[1]]
    found = [piece for pair in unequal for piece in pair]
    frames = {(before, after) for before, _, after in found}
    hashes = [text for _, text, _ in found]
    alphabet = next((name for name, shape in ALPHABETS if all(map(shape.fullmatch, hashes))), "")
    if len(frames) != 1 or not alphabet:
        return ""
    [(before, after)] = frames
    low, high = min(map(len, hashes)), max(map(len, hashes))
    return f"{before}{alphabet}{{{low}{'' if low == high else f',{high}'}}}{after}"


def _hashes(text: str) -> list[tuple[str, str, str]]:
    """What stands before a hash, the hash, what stands after it; in the order of the text."""
    found = [(at.start(2), (_IN_QUERY, at[2], "")) for at in _ASKED.finditer(text)]
    plain = _ASKED.sub(lambda at: f"{at[1]}{'=' * len(at[2])}", text)  # as long, and no hash
    found += [
        (at.start(), (re.escape(text[at.start() - 1]), at[0], re.escape(text[at.end()])))
        for at in _NAMED.finditer(plain)
    ]
    return [piece for _, piece in sorted(found)]
