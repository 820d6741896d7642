"""Member names in another style: `user_id`, `userId`, `UserID` and `user-id` are one name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_BETWEEN = re.compile(r"[_\-. ]+")


def plain_style(name: str) -> str:
    """A name without what its style adds: case, underscores, hyphens, dots, spaces."""
    return _BETWEEN.sub("", name).casefold()


def restyled(legacy: Iterable[str], new: Mapping[str, object]) -> dict[str, str]:
    """By legacy's name: the name in another style that stands for it in new.

    Only names that the other side lacks, and only where exactly one fits on each side.
    """
    left, known = [], set()
    for name in legacy:
        known.add(name)
        if name not in new:
            left.append(name)
    right = [name for name in new if name not in known]
    if not left or not right:
        return {}
    here, there = Counter(map(plain_style, left)), Counter(map(plain_style, right))
    by_style = {plain_style(name): name for name in right}
    return {
        name: by_style[style]
        for name in left
        if here[style := plain_style(name)] == there[style] == 1
    }
