"""HTML cut into tags and text in one pass, in linear time whatever it is fed.

Not a browser's parser: enough of the HTML standard's tokenizer (section 13.2.5) that two pages
made by two programs can be compared, and that a page can be rewritten piece by piece.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

RAW_TEXT = frozenset({"script", "style", "textarea", "title", "xmp"})

# Possessive throughout (`++`, `*+`): what has been read is never read again.
_TAG = re.compile(
    r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>"'=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|=|["'])*+)>"""
)
# Signs that open nothing; the last of a run may yet open a tag.
_STRAY = re.compile(r"<+(?=<)|<")
_ATTRIBUTE = re.compile(
    r"""([^\s"'>/=][^\s>/=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?+"""
)


@dataclass(frozen=True, slots=True)
class Token:
    """One piece. `raw` pieces joined are the page; `text` is unescaped unless it is raw text."""

    kind: Literal["start", "end", "text", "other"]
    raw: str
    name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""


def unescape(text: str) -> str:
    """Character references resolved; a number too long to be one is left as it is."""
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:
        return text


def tokens(page: str) -> Iterator[Token]:
    """The tokens of a page, in order. What is never closed ends the page as one piece of text."""
    at, size = 0, len(page)
    while at < size:
        mark = page.find("<", at)
        if mark < 0:
            break
        if mark > at:
            yield _text(page[at:mark])
        token = _markup(page, mark)
        if token is None:
            at = mark
            break
        yield token
        at = mark + len(token.raw)
        if token.kind == "start" and token.name in RAW_TEXT:
            end = re.compile(rf"</{re.escape(token.name)}(?=[\s/>])", re.I).search(page, at)
            if end is None:
                break
            if end.start() > at:
                raw = page[at : end.start()]
                plain = raw if token.name in ("script", "style", "xmp") else unescape(raw)
                yield Token("text", raw, text=plain)
            at = end.start()
    if at < size:
        yield _text(page[at:])


def _text(raw: str) -> Token:
    return Token("text", raw, text=unescape(raw))


def _markup(page: str, at: int) -> Token | None:
    """The tag, comment or declaration that starts here; None when it is never closed."""
    if found := _TAG.match(page, at):
        if found[1]:
            return Token("end", found[0], found[2].lower())
        return Token("start", found[0], found[2].lower(), _attributes(found[3]))
    following = page[at + 1 : at + 2]
    if following.isalpha() and following.isascii():
        return None
    if page.startswith("<!--", at):
        end, width = page.find("-->", at + 4), 3
    elif page.startswith("<![CDATA[", at):
        end, width = page.find("]]>", at), 3
        if end >= 0:
            return Token("text", page[at : end + 3], text=page[at + 9 : end])
    elif following in ("!", "?", "/") and following:
        end, width = page.find(">", at), 1
    else:
        stray = _STRAY.match(page, at)
        return _text(stray[0] if stray else "<")
    return None if end < 0 else Token("other", page[at : end + width])


def _attributes(written: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(written):
        # The first of two attributes of one name counts (HTML standard 13.2.5.33).
        found.setdefault(name.lower(), unescape(double or single or bare))
    return tuple(found.items())
