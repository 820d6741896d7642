"""Secrets out of HTML and XML: the page is rewritten token by token, its markup left as it was."""

from __future__ import annotations

import html

from figway.compare.canonical.html_tokens import Token, tokens
from figway.redact.redactor import Redactor

_VALUES = ("value", "content")
_URLS = frozenset({"href", "src", "action", "formaction", "cite", "data", "poster"})
_NAMING = ("name", "id", "property", "http-equiv", "autocomplete", "type")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_RAW = frozenset({"script", "style", "xmp"})


def redact_markup(page: str, redactor: Redactor) -> str:
    """The page without secrets in text, attributes, form fields and scripts; comments are left
    out.
    """
    parts = []
    element = ""
    secret = False
    above: list[str] = []
    """The secret element that is open, and what is open below it."""
    for token in tokens(page):
        if token.kind == "start":
            element = token.name
            secret = bool(above) or _is_secret(token, redactor)
            if secret and not token.raw.endswith("/>") and element not in _VOID:
                above.append(element)
            parts.append(_tag(token, redactor, secret))
        elif token.kind == "end":
            if token.name in above:
                del above[len(above) - 1 - above[::-1].index(token.name) :]
            element, secret = "", bool(above)
            parts.append(token.raw)
        elif token.kind == "text":
            parts.append(_text(token, element, redactor, secret))
        elif not token.raw.startswith("<!--"):
            parts.append(redactor.search(token.raw))
    return "".join(parts)


def _is_secret(token: Token, redactor: Redactor) -> bool:
    """Whether what the element holds is secret, by its own name or by what names it."""
    attributes = dict(token.attributes)
    names = [token.name.rpartition(":")[2], *(attributes.get(name, "") for name in _NAMING)]
    return any(name and redactor.policy.hides(name) for name in names)


def _tag(token: Token, redactor: Redactor, secret: bool) -> str:
    changed = dict(token.attributes)
    for name, value in token.attributes:
        if secret and name in _VALUES:
            changed[name] = redactor.hide("field", value) if value else value
        elif name in _URLS and redactor.policy.keeps(name):
            changed[name] = redactor.url(value)
        elif name not in _NAMING:
            changed[name] = redactor.text(value, name.rpartition(":")[2])
        else:
            changed[name] = redactor.search(value)
    if changed == dict(token.attributes):
        return token.raw
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in changed.items())
    # Names of XML elements have their case, which the token's name has lost.
    name = token.raw[1 : 1 + len(token.name)]
    return f"<{name}{written}{' /' if token.raw.endswith('/>') else ''}>"


def _text(token: Token, element: str, redactor: Redactor, secret: bool) -> str:
    plain = token.text
    if not plain.strip():
        return token.raw
    hidden = redactor.hide("field", plain.strip()) if secret else redactor.text(plain, element)
    if hidden == plain:
        return token.raw
    return hidden if element in _RAW else html.escape(hidden, quote=False)
