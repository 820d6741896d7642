"""XML and HTML elements as the same kind of tree as JSON, so that one walk and one path language
serve all.

An element is an object: `@name` for attributes, `text()` for its text, `order()` for the order of
its children, and for each kind of child an array under its label: `$.html.body[*].p[*]`. An
element with text only is that string.
"""

from __future__ import annotations

from figway.compare.canonical_json import Order, Value

TEXT = "text()"
ORDER = "order()"


class ElementBuilder:
    """Collects the events of a parser into a tree, never deeper than `depth`: what is deeper is
    flattened.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._top = _Element("", {})
        self._open = [self._top]
        self.too_deep = False

    @property
    def label(self) -> str:
        """The label of the innermost open element, empty at the top."""
        return self._open[-1].label

    @property
    def depth(self) -> int:
        """How many elements are open."""
        return len(self._open) - 1

    def start(self, label: str, attributes: dict[str, str], *, leaf: bool = False) -> None:
        """An element begins; a `leaf` has no content and no end."""
        element = _Element(label, attributes)
        self._open[-1].children.append(element)
        if leaf:
            return
        if len(self._open) > self._depth:
            self.too_deep = True
        else:
            self._open.append(element)

    def end(self) -> None:
        """The innermost element ends."""
        if len(self._open) > 1:
            self._open.pop()

    def open_labels(self) -> list[str]:
        """Labels of the open elements, innermost last."""
        return [element.label for element in self._open[1:]]

    def text(self, text: str) -> None:
        """A run of text, as it should be compared; empty runs say nothing."""
        if text:
            self._open[-1].texts.append(text)
            self._open[-1].children.append(None)

    def tree(self) -> Value:
        """The whole: an object with the top elements under their labels, unindexed when alone."""
        value = self._top.value()
        if isinstance(value, dict):
            return {
                label: part[0] if isinstance(part, list) and len(part) == 1 else part
                for label, part in value.items()
            }
        return value


class _Element:
    __slots__ = ("attributes", "children", "label", "texts")

    def __init__(self, label: str, attributes: dict[str, str]) -> None:
        self.label = label
        self.attributes = attributes
        self.texts: list[str] = []
        self.children: list[_Element | None] = []

    def value(self) -> Value:
        text = " ".join(self.texts)
        if not self.attributes and all(child is None for child in self.children):
            return text
        found: dict[str, Value] = {f"@{name}": value for name, value in self.attributes.items()}
        order = []
        for child in self.children:
            if child is None:
                order.append("#text")
            else:
                order.append(child.label)
                found.setdefault(child.label, []).append(child.value())
        if text:
            found[TEXT] = text
        if len(set(order)) > 1:
            found[ORDER] = Order(order)
        return found
