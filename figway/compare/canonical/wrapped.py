"""JSON in a wrapper: a call (JSONP), or a line that keeps scripts from running it."""

from __future__ import annotations

import re

CALLBACK = "callback()"
PREFIX = "prefix()"

# `/**/ typeof cb === 'function' && cb({...});`, and the plain call.
_CALL = re.compile(
    r"\s*+(?:/\*.{0,40}?\*/)?\s*+(?:typeof\s[\w.$\[\]]{1,200}+\s*===?\s*['\"]function['\"]\s*&&\s*)?"
    r"([A-Za-z_$][\w.$\[\]'\"]{0,200}+)\s*+\((?=\s*+[\[{])",
    re.S,
)
_END = re.compile(r"\)\s*;?\s*\Z")
_GUARD = re.compile(r"\s*+(\)\]\}',?|while\s?\(1\);|for\s?\(;;\);)")


def looks_like_json(text: str) -> bool:
    """Whether a text begins as an object or an array."""
    return text.lstrip(" \t\r\n")[:1] in ("{", "[")


def unwrapped(text: str) -> tuple[str, dict[str, str]]:
    """The JSON within, and what it was wrapped in; the text as it is where there is no wrapper."""
    if found := _CALL.match(text):
        end = _END.search(text, max(found.end(), len(text) - 100))
        if end:
            return text[found.end() : end.start()], {CALLBACK: found[1]}
    elif found := _GUARD.match(text):
        return text[found.end() :], {PREFIX: found[1]}
    return text, {}
