"""XML read without document types or entities of its own, and written as text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

_DEEPEST = 32


class XmlError(ValueError):
    """The text is no XML that is taken here."""


@dataclass(slots=True)
class Element:
    """An element; `name` is `{namespace}local`, or `local` without a namespace."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def local(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition("}")[2]

    def first(self, name: str) -> Element | None:
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)


def read(body: bytes) -> Element:
    """The root element. Raises `XmlError`: not well-formed, a document type, too deep."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError(f"not well-formed: {error}") from error
    assert reader.root is not None
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == _DEEPEST:
            raise XmlError("too deep")
        named = {_named(key): value for key, value in attributes.items()}
        element = Element(_named(name), named)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].text += text

    def doctype(self, name: str, system: str | None, public: str | None, inner: bool) -> None:
        raise XmlError("a document type is not taken")


def _named(name: str) -> str:
    return "{" + name if "}" in name else name


def element(
    name: str, content: str | Iterable[str] = "", attributes: Mapping[str, str] | None = None
) -> str:
    """An element as text; `content` is text to escape, or elements that are text already."""
    pairs = "".join(f' {key}="{html.escape(value)}"' for key, value in (attributes or {}).items())
    inner = html.escape(content, quote=False) if isinstance(content, str) else "".join(content)
    return f"<{name}{pairs}>{inner}</{name}>" if inner else f"<{name}{pairs}/>"
