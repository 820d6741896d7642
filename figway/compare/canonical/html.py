"""HTML by what a reader and a browser make of it.

Attribute order, letter case of names and comments say nothing, and space says nothing where a
browser drops it: at the edges of blocks, and beside other space. Beside text and inline elements
it is one space. A doctype, conditional comments, ESI and SSI are instructions, and compared.
"""

from __future__ import annotations

import re

from figway.compare.canonical.elements import TEXT, Element, ElementBuilder
from figway.compare.canonical.html_spacing import Spacing
from figway.compare.canonical.html_tokens import Token, tokens
from figway.compare.canonical.json import NotThisFormat, Value, parse_json
from figway.compare.canonical.xml import DOCTYPE
from figway.compare.limits import Budget

_VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"),
        *("param", "source", "track", "wbr"),
    )
)
# Start tags that end an open element of these names (HTML standard, section 13.1.2.4), as far as
# common.
_ENDS = {
    "li": {"li"},
    "p": {"p"},
    "div": {"p"},
    "ul": {"p"},
    "table": {"p"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "option": {"option"},
    "tr": {"td", "th", "tr"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "body": {"head"},
}
_SCRIPTS = frozenset({"script", "style"})
_FOREIGN = frozenset({"svg", "math"})
# Elements that their `name` tells apart: their place among others may shift without meaning.
_NAMED = frozenset({"input", "select", "textarea", "button", "meta", "form"})
# Attributes that say all by being there, whatever their value (HTML standard, section 2.3.2).
_BOOLEAN = frozenset(
    (
        *("allowfullscreen", "async", "autofocus", "autoplay", "checked", "controls", "default"),
        *("defer", "disabled", "formnovalidate", "inert", "ismap", "itemscope", "loop"),
        *("multiple", "muted", "nomodule", "novalidate", "open", "playsinline", "readonly"),
        *("required", "reversed", "selected"),
    )
)
_CASELESS = frozenset({"method", "enctype", "formmethod", "dir", "shape", "scope"})
_ASCII_SPACE = re.compile(r"[ \t\n\f\r]+")
# Comments that something on the way to the reader obeys: ESI and SSI processors, old browsers,
# templates that a script binds.
_OBEYED = re.compile(r"<!--(?:esi\b|\[if\b|<!\[endif|#|\s*/?ko\b)|<!\[(?:if|endif)\b", re.I)


def parse_html(text: str, budget: Budget, depth: int, *, self_closing: bool = False) -> Value:
    """The tree of a page. Any text at all is HTML. `self_closing`: `<div/>` ends itself (XHTML).

    Raises:
        CompareError: the budget's own.
    """
    page = _Page(budget, depth, self_closing)
    for token in tokens(text):
        budget.spend(3 + len(token.attributes))
        page.take(token)
    page.spacing.block()
    return page.builder.tree(_as_they_are)


class _Page:
    """A page while it is read."""

    def __init__(self, budget: Budget, depth: int, self_closing: bool) -> None:
        self.builder = ElementBuilder(depth)
        self.spacing = Spacing()
        self._budget = budget
        self._self_closing = self_closing
        self._foreign = 0

    def take(self, token: Token) -> None:
        """One more piece."""
        if token.kind == "text":
            self._text(token.text)
        elif token.kind == "start":
            self._start(token)
        elif token.kind == "end":
            self._end(token.name)
        else:
            self._other(token.raw)

    def _text(self, text: str) -> None:
        element = self.builder.element
        tag = _tag(element.label)
        if tag in _SCRIPTS:
            _script(element, text)
        else:
            self.spacing.text(element, text)

    def _start(self, token: Token) -> None:
        for _ in range(3):
            if _tag(self.builder.element.label) not in _ENDS.get(token.name, ()):
                break
            self._budget.spend(1)
            self._close()
        attributes = _canonical(dict(token.attributes))
        self.spacing.start(token.name, attributes)
        closed = token.raw.endswith("/>") and (
            self._self_closing or self._foreign > 0 or ":" in token.name
        )
        leaf = token.name in _VOID or closed
        before = self.builder.depth
        self.builder.start(_label(token.name, attributes), attributes, leaf=leaf)
        if self.builder.depth == before:
            self.spacing.end(token.name)
        else:
            self._foreign += token.name in _FOREIGN

    def _end(self, name: str) -> None:
        labels = self.builder.open_labels()
        self._budget.spend(len(labels))
        for back, label in enumerate(reversed(labels), 1):
            if _tag(label) == name:
                for _ in range(back):
                    self._close()
                return

    def _close(self) -> None:
        tag = _tag(self.builder.element.label)
        self.spacing.end(tag)
        self._foreign -= tag in _FOREIGN
        self.builder.end()

    def _other(self, raw: str) -> None:
        if raw[:9].lower() == "<!doctype":
            # Without one, or with an old one, browsers lay the page out differently.
            name = " ".join(_ASCII_SPACE.split(raw[9:-1].strip())).lower()
            self.builder.top.more.setdefault(DOCTYPE, name)
        elif _OBEYED.match(raw):
            self.builder.leaf("comment()", _ASCII_SPACE.sub(" ", raw))


def _script(element: Element, text: str) -> None:
    """A script as it is, but for its edges; data for scripts (`application/ld+json`) by value."""
    plain = text.replace("\r\n", "\n").strip(" \t\n\f\r")
    if element.attributes.get("type", "").lower().endswith("json"):
        try:
            element.more[TEXT] = parse_json(plain)
        except NotThisFormat:
            element.add_text(plain)
    elif plain:
        element.add_text(plain)


def _canonical(attributes: dict[str, str]) -> dict[str, str]:
    for name, value in attributes.items():
        if name in _BOOLEAN:
            attributes[name] = ""
        elif name in _CASELESS:
            attributes[name] = value.lower()
        elif name == "class":
            attributes[name] = " ".join(
                sorted({word for word in _ASCII_SPACE.split(value) if word})
            )
    return attributes


def _label(tag: str, attributes: dict[str, str]) -> str:
    name = attributes.get("name") or attributes.get("property")
    if tag in _NAMED and name:
        return f"{tag}[name={name[:60]}]"
    if tag == "input" and attributes.get("type", "").lower() == "password":
        # Told apart so that its value is known for what it is wherever it is shown.
        return "input[type=password]"
    return tag


def _tag(label: str) -> str:
    return label.partition("[")[0]


def _as_they_are(element: Element) -> None:
    """Space was dealt with as the page was read: see `Spacing`."""
