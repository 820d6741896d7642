"""Our readers beside graphql-core and lxml: the same operation, or unread; never a wrong name.

`make operations` tries 100 000 documents of each; `make test` some of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import graphql
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from figway.operation import soap
from figway.operation.graphql_document import Definition, read_document
from figway.operation.operation import Unread
from tests.support.tables import Head
from tests.support.thorough import examples
from tests.unit.figway.operation.documents import Generator, envelope, mutated, mutated_bytes

DOCUMENTS = int(os.environ.get("DOCUMENTS", "0"))
EACH = 50
"""Documents of one example."""
TRIES = settings(
    max_examples=max(1, DOCUMENTS // EACH) if DOCUMENTS else examples(60), deadline=None
)


def ours(text: str) -> tuple[Definition, ...] | None:
    try:
        return read_document(text)
    except Unread:
        return None


def reference(text: str) -> dict[str, tuple[str, frozenset[str]]] | None:
    """By name: type and root fields, as graphql-core has them. None for what it refuses."""
    try:
        document = graphql.parse(text)
    except (graphql.GraphQLError, RecursionError):
        return None
    fragments = {
        entry.name.value: entry
        for entry in document.definitions
        if isinstance(entry, graphql.FragmentDefinitionNode)
    }
    found = {}
    for entry in document.definitions:
        if isinstance(entry, graphql.OperationDefinitionNode):
            name = entry.name.value if entry.name else ""
            found[name] = (entry.operation.value, frozenset(_fields(entry, fragments, set())))
    return found


def _fields(node: Any, fragments: dict[str, Any], seen: set[str]) -> Iterator[str]:
    for entry in node.selection_set.selections:
        if isinstance(entry, graphql.FieldNode):
            yield entry.name.value
        elif isinstance(entry, graphql.InlineFragmentNode):
            yield from _fields(entry, fragments, seen)
        elif entry.name.value not in seen and entry.name.value in fragments:
            seen.add(entry.name.value)
            yield from _fields(fragments[entry.name.value], fragments, seen)


@TRIES
@given(st.integers(0, 1 << 62))
def test_documents_of_the_grammar_are_read_as_graphql_core_reads_them(seed: int) -> None:
    for at in range(EACH):
        text = Generator(seed + at).document()
        expected = reference(text)
        assert expected is not None, text
        found = ours(text)
        assert found is not None, text
        assert {one.name: (one.type, frozenset(one.fields)) for one in found} == expected, text


@TRIES
@given(st.integers(0, 1 << 62))
def test_a_mutated_document_is_read_alike_or_not_at_all(seed: int) -> None:
    for at in range(EACH):
        text, found = _mutated(seed + at)
        if found is not None:
            expected = reference(text)
            assert {one.name: (one.type, frozenset(one.fields)) for one in found} == expected, text


def test_many_mutated_documents_can_still_be_read() -> None:
    """What is held to the reference above is not nothing: of these, as of all, some are read."""
    assert sum(_mutated(seed)[1] is not None for seed in range(400)) >= 20


def _mutated(seed: int) -> tuple[str, tuple[Definition, ...] | None]:
    text = mutated(Generator(seed).document(), random.Random(seed))
    return text, ours(text)


def named(data: bytes) -> str | None:
    head = Head(headers=[(b"content-type", b"text/xml; charset=utf-8")])
    try:
        [operation] = soap.read(head, data, complete=True)
    except Unread:
        return None
    return operation.name


REFUSED = "(refused)"


def by_lxml(data: bytes) -> str | None:
    """The first child of Body as lxml has it; None where there is none, `REFUSED` for no document.

    Expat takes a few documents that libxml2 does not, such as one with a blank in a namespace: of
    those lxml cannot say what the name is.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return REFUSED
    namespace = etree.QName(root).namespace
    if etree.QName(root).localname != "Envelope":
        return None
    body = root.find(f"{{{namespace}}}Body")
    children = [] if body is None else [child for child in body if isinstance(child.tag, str)]
    return children[0].tag if children else None


@TRIES
@given(st.integers(0, 1 << 62))
def test_envelopes_are_read_as_lxml_reads_them(seed: int) -> None:
    for at in range(EACH):
        data = envelope(random.Random(seed + at))
        assert named(data) == by_lxml(data), data


@TRIES
@given(st.integers(0, 1 << 62))
def test_a_mutated_envelope_is_read_alike_or_not_at_all(seed: int) -> None:
    for at in range(EACH):
        chance = random.Random(seed + at)
        data = mutated_bytes(envelope(chance), chance)
        found = named(data)
        assert found is None or by_lxml(data) in (found, REFUSED), data
