"""White space in HTML as a browser shows it (CSS Text level 3, section 4.1, `white-space: normal`).

Runs of space are one space. It vanishes where a line of text begins or ends, and after other space,
also across the tags of inline elements; a no-break space is none. So two pages agree exactly when
every word stands beside the same space as before.
"""

from __future__ import annotations

import re

from figway.compare.canonical.elements import Element

KEEP_SPACE = frozenset({"pre", "textarea", "listing"})
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "center"),
        *("colgroup", "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "head", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main"),
        *("menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section", "summary"),
        *("table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul"),
    )
)
_UNSEEN = frozenset(
    (
        *("area", "base", "col", "link", "meta", "param", "script", "source", "style"),
        *("template", "track", "wbr"),
    )
)
# Set in a line of text as one piece, with lines of their own inside.
_BOXES = frozenset(
    (
        *("audio", "button", "canvas", "iframe", "math", "meter", "object", "progress", "select"),
        *("svg", "textarea", "video"),
    )
)
_PIECES = frozenset({"embed", "img", "input"})
_SPACE = re.compile(r"[ \t\n\f\r]+")


class Spacing:
    """Where in a line of text the reading of a page stands."""

    def __init__(self) -> None:
        self._line_begins = True
        self._loose: Element | None = None
        """The element whose last run of text ends in a space, when nothing followed it yet."""
        self._at = 0
        self._kept = 0

    def text(self, element: Element, text: str) -> None:
        """Add a run of text to an element as it shows."""
        if self._kept:
            self._as_it_is(element, text)
            return
        shown = _SPACE.sub(" ", text)
        if self._line_begins or self._loose is not None:
            shown = shown.removeprefix(" ")
        if not shown:
            return
        element.add_text(shown)
        self._line_begins = False
        self._loose = element if shown.endswith(" ") else None
        self._at = len(element.children) - 1

    def _as_it_is(self, element: Element, text: str) -> None:
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        # A newline right after the start tag is dropped (HTML standard, section 13.2.6.4.7).
        if not element.children and element.label.partition("[")[0] in KEEP_SPACE:
            plain = plain.removeprefix("\n")
        if plain:
            element.add_text(plain)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element of this name begins."""
        if name in _BLOCKS:
            self.block()
        elif name in _BOXES:
            self._piece()
            self._line_begins = True
        elif name in _PIECES and attributes.get("type", "").lower() != "hidden":
            self._piece()
        if name in KEEP_SPACE:
            self._kept += 1

    def end(self, name: str) -> None:
        """An element of this name ends."""
        if name in KEEP_SPACE:
            self._kept -= 1
        if name in _BLOCKS:
            self.block()
        elif name in _BOXES:
            self.block()
            self._piece()

    def block(self) -> None:
        """A line of text ends: a space at its end is not seen."""
        if self._loose is not None:
            run = self._loose.children[self._at]
            assert isinstance(run, str)
            if run == " ":
                del self._loose.children[self._at]
            else:
                self._loose.children[self._at] = run.removesuffix(" ")
        self._loose = None
        self._line_begins = True

    def _piece(self) -> None:
        self._line_begins = False
        self._loose = None
