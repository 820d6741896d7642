"""Views of a page: what of it is compared where its markup is meant to differ.

    text    what a reader sees: lines of text, one for each block, and the labels of controls
    forms   what breaks a journey: forms with method, action and fields; the values of hidden ones
    links   where the page leads and what it loads: targets, in the order of their first mention

A new page in another framework has other elements, classes and scripts. Its text, its forms and its
links are still to be the old page's. Targets on a known backend's host or the facade's are paths;
hashes in names of assets (`app.3f9a1c07.js`) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from figway.compare.answer import Context
from figway.compare.asset_names import without_hashes
from figway.compare.canonical.html_tokens import Token, tokens
from figway.compare.canonical.json import Value
from figway.compare.limits import Budget
from figway.model.words import HtmlView

_SILENT = frozenset({"script", "style", "template", "noscript", "head", "title", "svg"})
_INLINE = frozenset(
    (
        *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "kbd"),
        *("mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var"),
        *("wbr", "label", "img", "input"),
    )
)
_TARGETS = {
    "a": "href", "area": "href", "link": "href", "script": "src", "img": "src", "iframe": "src",
    "source": "src", "video": "src", "audio": "src", "embed": "src",
}  # fmt: skip
_FIELDS = frozenset({"input", "select", "textarea", "button"})
_SPACE = re.compile(r"\s+")


def view_html(page: str, views: Iterable[HtmlView], context: Context, budget: Budget) -> Value:
    """The tree of some views of a page.

    Raises:
        CompareError: the budget's own.
    """
    reader = _Reader(context)
    for token in tokens(page):
        budget.spend(3 + len(token.attributes))
        reader.take(token)
    reader.end_line()
    found: dict[str, Any] = {
        HtmlView.TEXT: reader.lines,
        HtmlView.FORMS: reader.forms,
        HtmlView.LINKS: list(dict.fromkeys(reader.links)),
    }
    return {view.value: found[view] for view in HtmlView if view in frozenset(views)}


def plain_target(target: str, context: Context) -> str:
    """A link's target: a path where it is ours, without the hash in an asset's name."""
    target = target.strip()
    try:
        parts = urlsplit(target)
    except ValueError:
        return target
    hosts = {*context.backend_hosts, context.facade.rpartition("//")[2].lower()}
    if parts.netloc and parts.netloc.lower() in hosts:
        target = target.partition("//")[2]
        slash = target.find("/")
        target = target[slash:] if slash >= 0 else "/"
    return without_hashes(target)


class _Reader:
    """Follows a page, and collects all views of it: they share one pass."""

    def __init__(self, context: Context) -> None:
        self.lines: list[Value] = []
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self._context = context
        self._line: list[str] = []
        self._silent = ""
        self._form: dict[str, Any] | None = None

    def take(self, token: Token) -> None:
        """One more piece."""
        if self._silent:
            if token.kind == "start":
                self._link(token.name, dict(token.attributes))
            elif token.kind == "end" and token.name == self._silent:
                self._silent = ""
        elif token.kind == "text":
            self._line.append(token.text)
        elif token.kind == "start":
            self._start(token.name, dict(token.attributes))
        elif token.kind == "end":
            if token.name == "form":
                self._form = None
            if token.name not in _INLINE:
                self.end_line()

    def end_line(self) -> None:
        """A block ends: what was read of it is a line."""
        text = _SPACE.sub(" ", "".join(self._line)).strip()
        self._line.clear()
        if text:
            self.lines.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._link(name, attributes)
        if name in _SILENT:
            self._silent = name
        if name not in _INLINE:
            self.end_line()
        if name == "form":
            self._form = self._new_form(attributes)
            self.forms.append(self._form)
        elif name in _FIELDS:
            self._field(name, attributes)
        elif name == "img" and attributes.get("alt"):
            self._line.append(f" {attributes['alt']} ")

    def _link(self, name: str, attributes: dict[str, str]) -> None:
        target = attributes.get(_TARGETS.get(name, ""), "")
        if target and not target.startswith(("#", "data:", "javascript:")):
            self.links.append(plain_target(target, self._context))

    def _new_form(self, attributes: dict[str, str]) -> dict[str, Any]:
        return {
            "name": attributes.get("name") or attributes.get("id", ""),
            "method": attributes.get("method", "get").lower(),
            "action": plain_target(attributes.get("action", ""), self._context),
            "fields": {},
        }

    def _field(self, name: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text" if name == "input" else name).lower()
        if kind in ("submit", "button", "reset") and attributes.get("value"):
            self._line.append(f" {attributes['value']} ")
        if self._form is None or not attributes.get("name"):
            return
        field: dict[str, Any] = {"type": kind}
        if kind == "hidden":
            field["value"] = attributes.get("value", "")
        if "required" in attributes:
            field["required"] = True
        known = self._form["fields"].setdefault(attributes["name"][:200], [])
        known.append(field)
