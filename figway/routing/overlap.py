"""How the matches of two routes relate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from figway.model.operations import OperationMatch
from figway.model.table import Condition, ConditionKind, RouteMatch
from figway.routing.match import value_check
from figway.routing.operations import apart, covers, rank

Placed = tuple[str, str, Condition]
"""Where a condition looks, under which name, and the condition."""

_TEXT = (ConditionKind.PREFIX, ConditionKind.SUFFIX, ConditionKind.CONTAINS)


def conditions(match: RouteMatch) -> Iterator[Placed]:
    """All conditions of a route. Header names compare without case (RFC 9110, 5.1)."""
    for condition in match.headers:
        yield "header", condition.name.lower(), condition
    for condition in match.query:
        yield "query", condition.name, condition
    for condition in match.cookies:
        yield "cookie", condition.name, condition


def count(match: RouteMatch) -> int:
    """The number of conditions, by which routes are ranked."""
    return len(match.headers) + len(match.query) + len(match.cookies)


def disjoint(one: Condition, other: Condition) -> bool:
    """Can no value satisfy both? Both look at the same place. False where that is not certain."""
    kinds = {one.kind, other.kind}
    if ConditionKind.ABSENT in kinds:
        return len(kinds) == 2
    if one.kind is ConditionKind.EXACT:
        return not value_check(other)(one.value.encode())
    if other.kind is ConditionKind.EXACT:
        return not value_check(one)(other.value.encode())
    a, b = one.value, other.value
    if kinds == {ConditionKind.PREFIX}:
        return not (a.startswith(b) or b.startswith(a))
    if kinds == {ConditionKind.SUFFIX}:
        return not (a.endswith(b) or b.endswith(a))
    return False


def implies(one: Condition, other: Condition) -> bool:
    """Does every value that satisfies `one` satisfy `other`? False where that is not certain."""
    if one == other:
        return True
    if one.kind is ConditionKind.ABSENT or other.kind is ConditionKind.ABSENT:
        return one.kind is other.kind
    if other.kind is ConditionKind.PRESENT:
        return True
    if one.kind is ConditionKind.EXACT:
        return value_check(other)(one.value.encode())
    if one.kind in _TEXT and other.kind in (one.kind, ConditionKind.CONTAINS):
        return value_check(other)(one.value.encode())
    return False


def contradicts(match: RouteMatch) -> bool:
    """Do a route's own conditions exclude each other?"""
    return count(match) > 1 and any(
        one[:2] == other[:2] and disjoint(one[2], other[2])
        for one, other in combinations(conditions(match), 2)
    )


def tie(one: RouteMatch, other: RouteMatch) -> bool:
    """Can a request meet both routes with neither more specific? Host and path are the same."""
    if count(one) != count(other) or bool(one.methods) != bool(other.methods):
        return False
    if one.methods and not set(one.methods) & set(other.methods):
        return False
    if rank(one.operation) != rank(other.operation):
        return False
    if one.operation and other.operation and apart(one.operation, other.operation):
        return False
    return not any(
        a[:2] == b[:2] and disjoint(a[2], b[2]) for a in conditions(one) for b in conditions(other)
    )


def shadows(one: RouteMatch, other: RouteMatch) -> bool:
    """Does `one` take every request of `other`? Host and path are the same, and they do not tie."""
    if bool(one.methods) != bool(other.methods) or not _covers(one.operation, other.operation):
        return False
    if count(one) <= count(other):
        return False
    if not set(other.methods) <= set(one.methods):
        return False
    return all(
        any(a[:2] == b[:2] and implies(b[2], a[2]) for b in conditions(other))
        for a in conditions(one)
    )


def _covers(one: OperationMatch | None, other: OperationMatch | None) -> bool:
    """Does a route of `one` come before one of `other`, and take all its operations?"""
    if one is None or other is None:
        return one is other
    return rank(one) == rank(other) and covers(one, other)


def may_meet(one: RouteMatch, other: RouteMatch) -> bool:
    """May one request meet both routes? True where that is not certain."""
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return False
    if one.operation and other.operation and apart(one.operation, other.operation):
        return False
    hosts = [(a.lower(), b.lower()) for a in one.hosts for b in other.hosts]
    if hosts and not any(_hosts_meet(*pair) for pair in hosts):
        return False
    return _paths_meet(one.path, other.path) and not any(
        a[:2] == b[:2] and disjoint(a[2], b[2]) for a in conditions(one) for b in conditions(other)
    )


def _hosts_meet(one: str, other: str) -> bool:
    return one == other or _is_under(one, other) or _is_under(other, one)


def _is_under(host: str, wild: str) -> bool:
    return wild.startswith("*.") and host.endswith(wild[1:])


def _paths_meet(one: str, other: str) -> bool:
    a, b = one.rstrip("/").split("/"), other.rstrip("/").split("/")
    for mine, theirs in zip(a, b, strict=False):
        if "**" in mine or "**" in theirs:
            return True
        if mine != theirs and not ({"{", "*"} & {*mine, *theirs}):
            return False
    longer = a[len(b) :] or b[len(a) :]
    return not longer or "**" in longer[0]
