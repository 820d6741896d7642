"""Elements that new's list holds twice, where legacy's holds each once.

Where a list is drawn anew at each asking, every element of it may differ, and one that stands there
twice looks like any other. That legacy never doubles one is seen on the list as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from figway.compare.align import IDENTITIES, Alignment
from figway.compare.canonical.json import Value, fingerprint
from figway.compare.limits import Budget

TWICE = "twice()"
"""The name of the finding: `$.picks['twice()']`, with the number of elements too many."""
_LEAST, _MOST = 2, 2_000


def doubled(legacy: Sequence[Value], new: Sequence[Value], found: Alignment, budget: Budget) -> int:
    """How many elements new's list has too many, where that would be hidden among elements that
    differ; 0 where legacy's list has such elements too, or they are of numbers."""
    if (
        len(legacy) < _LEAST
        or max(len(legacy), len(new)) > _MOST
        or not _hidden(legacy, new, found)
    ):
        return 0
    key = _key(legacy)
    left = _names(legacy, key, budget)
    if left is None or len(set(left)) < len(left):
        return 0
    right = _names(new, key, budget)
    return 0 if right is None else len(right) - len(set(right))


def _hidden(legacy: Sequence[Value], new: Sequence[Value], found: Alignment) -> bool:
    """Whether more differs than elements that new has besides."""
    return bool(found.missing) or any(legacy[here] != new[there] for here, there in found.pairs)


def _key(elements: Sequence[Value]) -> str:
    """The member that names each of them; empty for none."""
    first = elements[0]
    if not isinstance(first, dict):
        return ""
    return next((key for key in IDENTITIES if isinstance(first.get(key), str | int)), "")


def _names(elements: Sequence[Value], key: str, budget: Budget) -> list[str] | None:
    """What each is known by; None where one is known by nothing."""
    names = []
    for element in elements:
        value = _named(element, key) if key else element
        if not isinstance(value, str | int if key else str | dict):
            return None
        name = fingerprint(value)
        budget.spend(1 + len(name) // 8)
        names.append(name)
    return names


def _named(element: Value, key: str) -> Value:
    return element.get(key) if isinstance(element, dict) else None
