"""The nouns of operations: what a request asks for inside one path, told by its body."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from figway.model.words import Strict


class OperationKind(StrEnum):
    """The protocol that says which operation a request asks for."""

    GRAPHQL = "graphql"
    """GraphQL over HTTP, POST and GET; the chosen operation of the document."""
    SOAP = "soap"
    """SOAP 1.1 and 1.2: the first child of the envelope's body."""
    JSONRPC = "jsonrpc"
    """JSON-RPC 1.0 and 2.0: `method`."""
    FORM = "form"
    """A field of a form, urlencoded or multipart."""


class FaultKind(StrEnum):
    """In which protocol a route's answers say that something is wrong."""

    AUTO = "auto"
    """SOAP and JSON-RPC by the answer's looks; GraphQL where the route names its operations."""
    SOAP = "soap"
    GRAPHQL = "graphql"
    JSONRPC = "jsonrpc"
    NONE = "none"
    """By the status alone."""


class OperationType(StrEnum):
    """What kind of GraphQL operation."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationMatch(Strict):
    """Which operations belong to a route. All that is given must hold; of a batch, for each one.

    A body is read up to 64 KiB. What cannot be read for certain is no operation: the next route
    takes the request, or legacy.
    """

    kind: OperationKind
    names: tuple[str, ...] = ()
    """graphql: names of operations. soap: `{namespace}local`, or `local` in any namespace. jsonrpc:
    methods. form: values of `field`. Any when empty."""
    types: tuple[OperationType, ...] = ()
    """graphql: types; any when empty."""
    fields: tuple[str, ...] = ()
    """graphql: root fields; the operation asks for no other. `__typename` does not count."""
    hashes: tuple[str, ...] = ()
    """graphql: SHA-256 of persisted queries that belong here, also when only the hash is sent."""
    field: str = ""
    """form: the name of the field that names the operation."""
    trust_action: bool = False
    """soap: `names` are SOAP actions, taken from the head alone (SOAPAction, or `action` of the
    media type). The body may say otherwise, so only where every client is one's own."""
