"""Which operations a route takes, and how the operations of two routes relate."""

from __future__ import annotations

from collections.abc import Callable

from figway.message.http import RequestHead
from figway.model.operations import OperationKind, OperationMatch
from figway.operation.operation import Ask, Operation

Takes = Callable[[Operation], bool]
_META = "__typename"


def rank(match: OperationMatch | None) -> int:
    """How specific a condition on operations is: 2 for one that says which, 1 for any of a kind,
    0 for none."""
    if match is None:
        return 0
    return 2 if match.names or match.types or match.fields or match.hashes else 1


def ask_of(match: OperationMatch | None) -> Ask | None:
    """What must be read of a body for a route; None where the head tells."""
    if match is None or match.trust_action:
        return None
    return match.kind, match.field


def action_check(match: OperationMatch) -> Callable[[RequestHead], bool]:
    """The check of a route that trusts the action of the head."""
    names = frozenset(match.names)

    def named(head: RequestHead) -> bool:
        from figway.operation.soap import action  # expat, for those that need it

        return action(head) in names

    return named


def takes(match: OperationMatch) -> Takes:
    """Whether a route takes one operation."""
    if match.kind is OperationKind.GRAPHQL:
        return _takes_graphql(match)
    names = frozenset(match.names)
    if not names:
        return lambda operation: True
    if match.kind is OperationKind.SOAP:
        return lambda operation: operation.name in names or local_name(operation.name) in names
    return lambda operation: operation.name in names


def local_name(name: str) -> str:
    """`GetOrder` of `{urn:shop}GetOrder`."""
    return name.rpartition("}")[2]


def _takes_graphql(match: OperationMatch) -> Takes:
    names, types = frozenset(match.names), frozenset(match.types)
    fields, hashes = frozenset(match.fields), frozenset(hash.lower() for hash in match.hashes)
    only_hashes = bool(hashes) and not (names or types or fields)

    def takes_it(operation: Operation) -> bool:
        if operation.hash in hashes:
            return True
        if only_hashes or not operation.type:
            return False
        if (names and operation.name not in names) or (types and operation.type not in types):
            return False
        asked = {name for name in operation.fields if name != _META}
        return not fields or (bool(asked) and asked <= fields)

    return takes_it


# -- beside each other -------------------------------------------------------------------------


def apart(one: OperationMatch, other: OperationMatch) -> bool:
    """Can no operation belong to both? False where that is not certain."""
    if one.trust_action != other.trust_action:
        return False
    if one.kind is not other.kind:
        # One body may be a GraphQL request and a JSON-RPC request at once, and nothing else.
        return {one.kind, other.kind} != {OperationKind.GRAPHQL, OperationKind.JSONRPC}
    if one.kind is OperationKind.FORM and one.field != other.field:
        return False
    by_names = _no_name_in_common(one, other)
    if one.kind is not OperationKind.GRAPHQL:
        return by_names
    if set(one.hashes) & set(other.hashes):
        return False
    return (
        by_names
        or _nothing_in_common(one.types, other.types)
        or _nothing_in_common(one.fields, other.fields)
        or _by_hash_alone(one)
        or _by_hash_alone(other)
    )


def covers(one: OperationMatch, other: OperationMatch) -> bool:
    """Does every operation of `other` belong to `one`? False where that is not certain."""
    if (one.kind, one.field, one.trust_action) != (other.kind, other.field, other.trust_action):
        return False
    if one == other:
        return True
    if one.hashes or other.hashes:
        return False
    return (
        _holds(one.names, other.names)
        and _holds(one.types, other.types)
        and _holds(one.fields, other.fields)
    )


def _by_hash_alone(match: OperationMatch) -> bool:
    return bool(match.hashes) and not (match.names or match.types or match.fields)


def _nothing_in_common(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return bool(some) and bool(others) and not set(some) & set(others)


def _no_name_in_common(one: OperationMatch, other: OperationMatch) -> bool:
    if not _nothing_in_common(one.names, other.names):
        return False
    if one.kind is not OperationKind.SOAP or one.trust_action:
        return True
    mine, theirs = set(one.names), set(other.names)
    plain = {name for name in mine ^ theirs if "{" not in name}
    return not plain & ({local_name(name) for name in mine} & {local_name(name) for name in theirs})


def _holds(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return not some or (bool(others) and set(others) <= set(some))
