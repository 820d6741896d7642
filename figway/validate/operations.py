"""What must hold of a route's operation, alone."""

from __future__ import annotations

import re

from figway.model.operations import OperationKind, OperationMatch, OperationType
from figway.model.table import RouteMatch
from figway.validate.findings import Findings

_GRAPHQL_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*").fullmatch
_SOAP_NAME = re.compile(r"(?:\{[^{}\s]+\})?[^\W\d][\w.-]*").fullmatch
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}").fullmatch
_ONLY_GRAPHQL = ("types", "fields", "hashes")


def check_operation(match: RouteMatch, path: str, findings: Findings) -> None:
    """Check `match.operation` of one route; `path` is where the match stands."""
    operation = match.operation
    if operation is None:
        return
    place = f"{path}.operation"
    for field, why, hint in _wrong(operation):
        findings.error("operation_invalid", f"{place}.{field}", why, hint)
    if OperationType.SUBSCRIPTION in operation.types:
        message = "subscriptions come over WebSocket or as event streams, which are not read"
        hint = "remove the type; the handshake goes by path"
        findings.warning("operation_never", f"{place}.types", message, hint)
    bodied = {"POST", "PUT", "PATCH", "QUERY"}
    if operation.kind is OperationKind.GRAPHQL:
        bodied |= {"GET", "HEAD"}
    if match.methods and not bodied & set(match.methods):
        message = f"{', '.join(match.methods)} carries no {operation.kind.value} operation"
        findings.warning("operation_never", f"{path}.methods", message, "list POST")


def _wrong(operation: OperationMatch) -> list[tuple[str, str, str]]:
    """Field, what is wrong, what to do."""
    kind, wrong = operation.kind, []
    if kind is not OperationKind.GRAPHQL:
        for field in _ONLY_GRAPHQL:
            if getattr(operation, field):
                wrong.append((field, f"{kind.value} has no {field}", "remove them"))
    if (kind is OperationKind.FORM) is not bool(operation.field):
        why = "a form needs the field that names the operation"
        if operation.field:
            why = f"{kind.value} has no field"
        wrong.append(("field", why, "set field for kind form, and for no other"))
    if operation.trust_action and (kind is not OperationKind.SOAP or not operation.names):
        hint = "use it with kind soap, and list actions in names"
        wrong.append(("trust_action", "there is no action to trust", hint))
    return wrong + _wrong_names(operation)


def _wrong_names(operation: OperationMatch) -> list[tuple[str, str, str]]:
    wrong = []
    names = (*operation.names, *operation.types, *operation.fields, *operation.hashes)
    if len(set(names)) != len(names) or not all(names):
        wrong.append(("names", "a name is empty or stands here twice", "list each once"))
    valid, hint = None, ""
    if operation.kind is OperationKind.GRAPHQL:
        valid, hint = _GRAPHQL_NAME, "write names as the document has them, such as GetCart"
    elif operation.kind is OperationKind.SOAP and not operation.trust_action:
        valid, hint = _SOAP_NAME, "write {namespace}local, or local"
    for name in (*operation.names, *operation.fields) if valid else ():
        if name and valid is not None and valid(name) is None:
            what = f"{name[:80]!r} is no name of a {operation.kind.value} operation"
            wrong.append(("names", what, hint))
    for digest in operation.hashes:
        if _SHA256(digest) is None:
            what = f"{digest[:80]!r} is no SHA-256"
            wrong.append(("hashes", what, "write 64 hexadecimal digits"))
    return wrong
