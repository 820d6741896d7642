"""What an operation is called where operations are counted: its name, and nothing of its data.

    graphql   the name; `{ cart user }`, the root fields, of one without a name; `sha256:` and the
              hash of a persisted query that no full request has told of
    soap      `{namespace}local`
    jsonrpc   the method
    form      the value of the field that names the operation

Clients choose these words. What looks like a secret or a person's address stands as `(hidden)`, and
what is too long to be a name, or beyond a bound of the count, as `(other)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from figway.model.operations import OperationKind, OperationType
from figway.operation.operation import Operation

HIDDEN: Final = "(hidden)"
OTHER: Final = "(other)"
HASH: Final = "sha256:"
LONGEST: Final = 200
"""Characters of a name that is counted by itself."""


class OperationLabel(NamedTuple):
    """One line of an inventory: protocol, the form field that was read, GraphQL's type, name."""

    kind: str
    field: str
    type: str
    name: str

    def other(self) -> OperationLabel:
        """The line that it is counted under when there is no room for its own."""
        return OperationLabel(self.kind, self.field, "", OTHER)


def label_of(operation: Operation, is_secret: Callable[[str], bool]) -> OperationLabel:
    """The label of an operation; `is_secret` tells of a word that must not be kept."""
    name = _name(operation)
    field = operation.field[:LONGEST]
    plain = OperationLabel(operation.kind.value, field, operation.type, name)
    if len(name) > LONGEST or not name.isprintable():
        return plain.other()
    return plain._replace(name=HIDDEN) if is_secret(name) else plain


def _name(operation: Operation) -> str:
    if operation.name or operation.kind is not OperationKind.GRAPHQL:
        return operation.name
    if not operation.type:
        return HASH + operation.hash
    return "{ " + " ".join(sorted(operation.fields)) + " }"


def operation_of(label: OperationLabel) -> Operation | None:
    """The operation that a label stands for; None where it stands for no single one."""
    kind, field, type_, name = label
    if name in (HIDDEN, OTHER) or kind not in set(OperationKind):
        return None
    known = OperationKind(kind)
    if not name:
        return None  # a form whose field is empty: no route can name it
    if known is OperationKind.GRAPHQL and name.startswith(HASH):
        return Operation(known, hash=name.removeprefix(HASH))
    if known is OperationKind.GRAPHQL and name.startswith("{"):
        return Operation(known, type=type_, fields=tuple(name.strip("{ }").split()))
    return Operation(known, name, type_, field=field)


def condition_of(label: OperationLabel) -> dict[str, object] | None:
    """The `operation` of a route that takes what a label stands for, in JSON form; None where the
    label stands for no single operation."""
    operation = operation_of(label)
    if operation is None:
        return None
    found: dict[str, object] = {"kind": operation.kind.value}
    if operation.field:
        found["field"] = operation.field
    if operation.hash:
        return {**found, "hashes": [operation.hash]}
    if operation.type in set(OperationType):
        found["types"] = [operation.type]
    if operation.kind is OperationKind.GRAPHQL and not operation.name:
        return {**found, "fields": list(operation.fields)}
    return {**found, "names": [operation.name]}
