"""Values that refer to elements of a list elsewhere in the same document.

Where new numbers its customers anew, every `customer_id` differs, and none of them matters as long
as it leads to the same customer. Two references agree when the elements that they lead to are equal
but for the member that is referred to.
"""

from __future__ import annotations

from functools import lru_cache

from figway.compare.canonical.json import Value, fingerprint
from figway.compare.limits import Budget
from figway.compare.paths import PathError, Step, parse_path


@lru_cache(maxsize=512)
def steps_to_member(path: str) -> tuple[tuple[Step, ...], str]:
    """The steps to the elements, and the member that names them: `$.customers[*].id`.

    Raises:
        PathError: for a path that does not end in a member of an element.
    """
    *steps, last = parse_path(path) or (Step(None),)
    if not steps or not isinstance(last.selector, str) or last.descend:
        raise PathError(f"{path!r} does not lead to a member of elements, as $.list[*].id does")
    return tuple(steps), last.selector


class References:
    """What the references of one document lead to; made when a rule asks for it."""

    def __init__(self, root: Value, budget: Budget) -> None:
        self._root = root
        self._budget = budget
        self._known: dict[str, dict[str, str]] = {}

    def target(self, path: str, value: Value) -> str | None:
        """The element that `value` leads to, as a text without its own name; None for none."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._index(path)
        return known.get(fingerprint(value))

    def _index(self, path: str) -> dict[str, str]:
        steps, member = steps_to_member(path)
        found: dict[str, str] = {}
        for element in self._at(self._root, steps):
            if isinstance(element, dict) and member in element:
                rest = {name: child for name, child in element.items() if name != member}
                text = fingerprint(rest)
                self._budget.spend(1 + len(text) // 8)
                found.setdefault(fingerprint(element[member]), text)
        return found

    def _at(self, root: Value, steps: tuple[Step, ...]) -> list[Value]:
        places = [root]
        for step in steps:
            below: list[Value] = []
            for place in places:
                self._budget.spend(1)
                below += _children(place, step)
            places = below
        return places


def _children(place: Value, step: Step) -> list[Value]:
    if isinstance(place, dict):
        pairs = [(name, child) for name, child in place.items()]
        return [child for name, child in pairs if _fits(step, name, child)]
    if isinstance(place, list):
        return [child for at, child in enumerate(place) if _fits(step, at, child)]
    return []


def _fits(step: Step, key: str | int, child: Value) -> bool:
    if step.condition is not None:
        return step.condition.holds(child)
    return step.selector in (None, key)
