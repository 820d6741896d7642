"""XML and HTML elements as the same kind of tree as JSON, so that one walk and one path language
serve all.

An element is an object: `@name` for attributes, `text()` for its text, `order()` for the order of
its children, and for each kind of child an array under its label: `$.html.body[*].p[*]`. An
element with text only is that string. Between children, `text()` is an array of the runs of text,
and `order()` tells where each stands: text that moves across a child shows.
"""

from __future__ import annotations

from collections.abc import Callable

from figway.compare.canonical.json import Order, Value

TEXT = "text()"
ORDER = "order()"

Runs = Callable[["Element"], None]
"""Brings the runs of text among an element's children to their canonical form, in place."""


class Element:
    """An element while it is read. A child that is a string is a run of text."""

    __slots__ = ("attributes", "children", "label", "more")

    def __init__(self, label: str, attributes: dict[str, str]) -> None:
        self.label = label
        self.attributes = attributes
        self.children: list[Element | str] = []
        self.more: dict[str, Value] = {}
        """What else is to be compared of it, such as a parsed form of its text."""

    def add_text(self, text: str) -> None:
        """A run of text, or more of the one that came before."""
        if self.children and isinstance(self.children[-1], str):
            self.children[-1] += text
        else:
            self.children.append(text)

    def value(self, runs: Runs) -> Value:
        """The tree of it and of all in it."""
        runs(self)
        texts: list[Value] = [child for child in self.children if isinstance(child, str)]
        plain = len(texts) == len(self.children)
        if plain and not self.attributes and not self.more:
            return texts[0] if texts else ""
        found: dict[str, Value] = {f"@{name}": value for name, value in self.attributes.items()}
        found |= self.more
        groups: dict[str, list[Value]] = {}
        for child in self.children:
            if not isinstance(child, str):
                groups.setdefault(child.label, []).append(child.value(runs))
        found |= groups
        if texts and TEXT not in self.more:
            found[TEXT] = texts[0] if plain else texts
        order = ["#text" if isinstance(child, str) else child.label for child in self.children]
        if len(set(order)) > 1:
            found[ORDER] = Order(order)
        return found


class ElementBuilder:
    """Collects the events of a parser into a tree, never deeper than `depth`: what is deeper is
    flattened.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.top = Element("", {})
        self._open = [self.top]
        self.too_deep = False

    @property
    def element(self) -> Element:
        """The innermost open element; the top has no label."""
        return self._open[-1]

    @property
    def depth(self) -> int:
        """How many elements are open."""
        return len(self._open) - 1

    def start(self, label: str, attributes: dict[str, str], *, leaf: bool = False) -> None:
        """An element begins; a `leaf` has no content and no end."""
        element = Element(label, attributes)
        self._open[-1].children.append(element)
        if leaf:
            return
        if len(self._open) > self._depth:
            self.too_deep = True
        else:
            self._open.append(element)

    def leaf(self, label: str, text: str) -> None:
        """A child that is nothing but a text, such as a processing instruction."""
        element = Element(label, {})
        element.children.append(text)
        self._open[-1].children.append(element)

    def end(self) -> None:
        """The innermost element ends."""
        if len(self._open) > 1:
            self._open.pop()

    def open_labels(self) -> list[str]:
        """Labels of the open elements, innermost last."""
        return [element.label for element in self._open[1:]]

    def tree(self, runs: Runs) -> Value:
        """The whole: an object with the top elements under their labels, unindexed when alone."""
        value = self.top.value(runs)
        if isinstance(value, dict):
            return {
                label: part[0]
                if isinstance(part, list) and len(part) == 1 and label != TEXT
                else part
                for label, part in value.items()
            }
        return value
