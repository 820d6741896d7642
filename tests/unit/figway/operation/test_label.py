"""What an operation is called where operations are counted, and the route made from the name."""

from __future__ import annotations

import pytest

from figway.model.codec import from_data
from figway.model.operations import OperationKind, OperationMatch
from figway.operation.label import HIDDEN, OTHER, OperationLabel, condition_of, label_of
from figway.operation.operation import Operation
from figway.routing.operations import takes

G, S, J, F = (OperationKind(kind) for kind in ("graphql", "soap", "jsonrpc", "form"))
HASH = "ab" * 32
NAMED = {
    "a named query": (Operation(G, "GetCart", "query", ("cart",)), ("query", "GetCart")),
    "without a name": (Operation(G, "", "query", ("user", "cart")), ("query", "{ cart user }")),
    "by hash alone": (Operation(G, "", hash=HASH), ("", f"sha256:{HASH}")),
    "soap": (Operation(S, "{urn:shop}Get"), ("", "{urn:shop}Get")),
    "jsonrpc": (Operation(J, "order.get"), ("", "order.get")),
    "form": (Operation(F, "search", field="action"), ("", "search")),
}


def harmless(name: str) -> bool:
    return False


@pytest.mark.parametrize("name", NAMED)
def test_a_route_made_from_a_label_takes_the_operation(name: str) -> None:
    operation, (type_, called) = NAMED[name]
    label = label_of(operation, harmless)
    assert (label.type, label.name) == (type_, called)
    condition = condition_of(label)
    assert condition is not None
    match = from_data(OperationMatch, condition)
    assert takes(match)(operation)
    assert not takes(match)(Operation(operation.kind, "Other", "mutation", ("x",), "", "action"))


@pytest.mark.parametrize("word", ["x" * 201, "a\tb", "a\x7fb"])
def test_what_is_no_name_is_counted_with_the_others(word: str) -> None:
    label = label_of(Operation(F, word, field="action"), harmless)
    assert label == OperationLabel("form", "action", "", OTHER)
    assert condition_of(label) is None


def test_what_looks_like_a_secret_is_hidden() -> None:
    label = label_of(Operation(F, "ann@example.org", field="q"), lambda name: "@" in name)
    assert label.name == HIDDEN
    assert condition_of(label) is None


def test_why_nothing_was_read_makes_no_route() -> None:
    assert condition_of(OperationLabel("unread", "", "", "malformed")) is None
