"""XML 1.0 by its information: no comments, no prefixes, no indentation.

Names carry their namespace as `{uri}local`, and so do values that are names, such as `xsi:type`.
Space counts wherever there is text beside it, and in an element that holds nothing else; between
elements it counts where no line end shows that it only indents. Entities that a document declares
for itself are refused: they are how a small document becomes a large one, and how it reads files.
"""

from __future__ import annotations

from figway.compare.canonical.elements import Element, ElementBuilder
from figway.compare.canonical.json import NotThisFormat, Value
from figway.compare.limits import Budget, CompareError

DOCTYPE = "doctype()"

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_SOAP12 = "{http://www.w3.org/2003/05/soap-envelope}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_QNAME_ATTRIBUTES = {
    _SCHEMA: frozenset({"type", "ref", "base", "itemType", "substitutionGroup", "refer"}),
    _WSDL: frozenset({"type", "element", "message", "binding"}),
}
_QNAME_ELEMENTS = frozenset({"faultcode", f"{_SOAP12}Value"})


def parse_xml(text: str, budget: Budget, depth: int) -> Value:
    """The tree of `text`.

    Raises:
        NotThisFormat: it is not well-formed.
        CompareError: `declares_entities`, `too_deep` or the budget's own.
    """
    from xml.parsers import expat

    events = _Events(budget, depth)
    # Entities beyond the five of XML are refused below, so nothing that is parsed can grow.
    parser = expat.ParserCreate("utf-8", " ")
    # One run of text is one call: where expat cuts it by itself depends on what stands before.
    parser.buffer_text = True
    parser.buffer_size = max(len(text) * 4, 1024)
    parser.StartNamespaceDeclHandler = events.declared
    parser.StartElementHandler = events.start
    parser.EndElementHandler = events.end
    parser.CharacterDataHandler = events.text
    parser.ProcessingInstructionHandler = events.instruction
    parser.StartDoctypeDeclHandler = events.doctype
    parser.EntityDeclHandler = events.entity
    try:
        parser.Parse(text.encode("utf-8", "backslashreplace"), True)
    except expat.ExpatError as error:
        raise NotThisFormat(f"not XML: {error}") from error
    return events.builder.tree(_runs)


class _Events:
    """What the parser tells, collected."""

    def __init__(self, budget: Budget, depth: int) -> None:
        self.builder = ElementBuilder(depth)
        self._budget = budget
        self._depth = depth
        self._scopes: list[dict[str, str]] = [{}]
        self._fresh: dict[str, str] = {}

    def declared(self, prefix: str | None, uri: str | None) -> None:
        self._fresh[prefix or ""] = uri or ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._budget.spend(2 + len(attributes))
        scope = self._scopes[-1]
        if self._fresh:
            self._budget.spend(len(scope) + len(self._fresh))
            scope, self._fresh = {**scope, **self._fresh}, {}
        self._scopes.append(scope)
        label = _name(name)
        values = {_name(key): value for key, value in attributes.items()}
        for key in values:
            if _names_something(label, key):
                values[key] = _resolved(values[key], scope)
        self.builder.start(label, values)
        if self.builder.too_deep:
            raise CompareError("too_deep", f"more than {self._depth} levels")

    def end(self, _: str) -> None:
        element, scope = self.builder.element, self._scopes.pop()
        if element.label in _QNAME_ELEMENTS and len(element.children) == 1:
            text = element.children[0]
            if isinstance(text, str):
                element.children[0] = _resolved(text.strip(), scope)
        self.builder.end()

    def text(self, data: str) -> None:
        self.builder.element.add_text(data)

    def instruction(self, target: str, data: str) -> None:
        self._budget.spend(2)
        self.builder.leaf(f"?{target}", data.strip())

    def doctype(self, name: str, system: str | None, public: str | None, _: int) -> None:
        parts = [name, *(["PUBLIC", public] if public else []), *([system] if system else [])]
        self.builder.top.more[DOCTYPE] = " ".join(parts)

    def entity(self, *_: object) -> None:
        raise CompareError("declares_entities")


def _name(name: str) -> str:
    uri, _, local = name.rpartition(" ")
    return f"{{{uri}}}{local}" if uri else local


def _names_something(element: str, attribute: str) -> bool:
    """Whether an attribute's value is a qualified name, whose prefix stands for a namespace."""
    if attribute == f"{_XSI}type":
        return True
    namespace = element[: element.find("}") + 1]
    return attribute in _QNAME_ATTRIBUTES.get(namespace, ())


def _resolved(value: str, scope: dict[str, str]) -> str:
    prefix, colon, local = value.strip().partition(":")
    if not colon:
        prefix, local = "", prefix
    uri = scope.get(prefix)
    return f"{{{uri}}}{local}" if uri and local else value


def _runs(element: Element) -> None:
    """Drop the runs of space that only indent."""
    if element.attributes.get(_SPACE) == "preserve":
        return
    children = element.children
    texts = [child for child in children if isinstance(child, str)]
    if not texts or any(text.strip(" \t\r\n") for text in texts):
        return
    if len(texts) == len(children):
        element.children = [text for text in texts if "\n" not in text]
        return
    last = len(children) - 1
    element.children = [
        child
        for at, child in enumerate(children)
        if not isinstance(child, str) or (0 < at < last and "\n" not in child)
    ]
