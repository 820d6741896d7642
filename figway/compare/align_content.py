"""Alignment of two arrays by what their elements are, where no member names them.

One line inserted at the top of a text, or one object deleted from the middle of a list, is one
difference, and not one at every place after it. The shortest edit script is found by Myers'
algorithm ("An O(ND) difference algorithm and its variations", 1986), for few edits only: arrays
that differ in more are compared by position.
"""

from __future__ import annotations

from collections.abc import Sequence

from figway.compare.canonical.json import Value, fingerprint
from figway.compare.limits import Budget

MOST_EDITS = 64
_LONGEST = 20_001

Pairs = list[tuple[int, int]]


def matches(legacy: Sequence[Value], new: Sequence[Value], budget: Budget) -> Pairs | None:
    """Indexes of equal elements, ascending on both sides; None where the two differ in too much.

    Raises:
        CompareError: the budget's own.
    """
    if max(len(legacy), len(new)) > _LONGEST or abs(len(legacy) - len(new)) > MOST_EDITS:
        return None
    left, right = _names(legacy, budget), _names(new, budget)
    # Always from the same side, so that the two sides can be swapped.
    if (len(left), left) > (len(right), right):
        found = _matches(right, left, budget)
        return None if found is None else [(there, here) for here, there in found]
    return _matches(left, right, budget)


def _names(elements: Sequence[Value], budget: Budget) -> list[str]:
    names = []
    for element in elements:
        name = fingerprint(element)
        budget.spend(1 + len(name) // 64)
        names.append(name)
    return names


def _matches(left: list[str], right: list[str], budget: Budget) -> Pairs | None:
    """`reach[k]` is how far the left side is read on diagonal k, which is left minus right."""
    reach = {1: 0}
    steps: list[dict[int, int]] = []
    for edits in range(MOST_EDITS + 1):
        steps.append(dict(reach))
        budget.spend(1 + edits)
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            start = x
            while x < len(left) and x - k < len(right) and left[x] == right[x - k]:
                x += 1
            budget.spend((x - start) // 8)
            reach[k] = x
            if x >= len(left) and x - k >= len(right):
                return _traced(steps, len(left), len(right))
    return None


def _traced(steps: list[dict[int, int]], x: int, y: int) -> Pairs:
    """The equal elements on the way that led to the end, found backwards."""
    pairs: Pairs = []
    for edits in range(len(steps) - 1, -1, -1):
        reach, k = steps[edits], x - y
        down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        before = reach[k + 1] if down else reach[k - 1]
        begin = before if down else before + 1
        while x > begin and y > begin - k:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = before, before - (k + 1 if down else k - 1)
    pairs.reverse()
    return pairs
