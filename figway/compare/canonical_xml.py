"""XML 1.0 by its information: no comments, no prefixes, no space between elements.

Names carry their namespace as `{uri}local`. Entities that a document declares for itself are
refused: they are how a small document becomes a large one, and how it reads files.
"""

from __future__ import annotations

from figway.compare.canonical_json import NotThisFormat, Value
from figway.compare.elements import ElementBuilder
from figway.compare.limits import Budget, CompareError


def parse_xml(text: str, budget: Budget, depth: int) -> Value:
    """The tree of `text`.

    Raises:
        NotThisFormat: it is not well-formed.
        CompareError: `declares_entities`, `too_deep` or the budget's own.
    """
    from xml.parsers import expat

    builder = ElementBuilder(depth)

    def start(name: str, attributes: dict[str, str]) -> None:
        budget.spend(2 + len(attributes))
        builder.start(_name(name), {_name(key): value for key, value in attributes.items()})
        if builder.too_deep:
            raise CompareError("too_deep", f"more than {depth} levels")

    def characters(data: str) -> None:
        builder.text(data.strip())

    def entity(*_: object) -> None:
        raise CompareError("declares_entities")

    # Entities beyond the five of XML are refused below, so nothing that is parsed can grow.
    parser = expat.ParserCreate("utf-8", " ")
    # One run of text is one call: where expat cuts it by itself depends on what stands before.
    parser.buffer_text = True
    parser.buffer_size = max(len(text) * 4, 1024)
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: builder.end()
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(text.encode("utf-8", "backslashreplace"), True)
    except expat.ExpatError as error:
        raise NotThisFormat(f"not XML: {error}") from error
    return builder.tree()


def _name(name: str) -> str:
    uri, _, local = name.rpartition(" ")
    return f"{{{uri}}}{local}" if uri else local
