"""Pages of a list: whether a page that is shifted can be explained by data that moved on.

Legacy and new are asked at two moments. An item that comes in between moves every later one down,
so the page of one side begins an item earlier than that of the other. Then the total beside the
list has grown as well. Where the same total stands on both sides, nothing moved, and the shift is
new's own: an offset that is off by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from figway.compare.align import Alignment
from figway.compare.canonical.json import Value

_TOTAL = re.compile(
    r"(?!.*[Pp]age)(?:total|.*(?:_t|T)otal|total.*|count|.*(?:_c|C)ount|hits|num_?[Ff]ound|num_?[Rr]esults)"
).fullmatch
_DEEPEST = 3
_MOST = 200


def shift(found: Alignment, length: int) -> int:
    """By how many elements new's page begins later (or, below 0, earlier) than legacy's, both
    having `length`; 0 where one is no such part of the other."""
    by = len(found.missing)
    if not by or by != len(found.added) or found.reordered or by > len(found.pairs):
        return 0
    head, tail = tuple(range(by)), tuple(range(length - by, length))
    if (found.missing, found.added) == (head, tail):
        return by
    return -by if (found.missing, found.added) == (tail, head) else 0


def same_total(legacy: Value, new: Value, length: int) -> bool:
    """Whether both documents tell the same total of a list of which they hold a page of `length`.
    False where none is told."""
    found = list(_totals(legacy, new, _DEEPEST))[:_MOST]
    told = [(here, there) for here, there in found if max(here, there) > length]
    return bool(told) and all(here == there for here, there in told)


def _totals(legacy: Value, new: Value, depth: int) -> Iterator[tuple[int, int]]:
    if not (isinstance(legacy, dict) and isinstance(new, dict)) or not depth:
        return
    for name, here in legacy.items():
        there = new.get(name)
        if type(here) is int and type(there) is int and _TOTAL(name):
            yield here, there
        elif isinstance(here, dict):
            yield from _totals(here, there, depth - 1)
