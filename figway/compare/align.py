"""Which element of one array belongs to which of the other.

Arrays are ordered unless a rule says otherwise. Alignment by a member such as `id` is
used here even without a rule, but only to explain: that the order differs is then one difference,
instead of a change in every element.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from figway.compare.align_content import matches
from figway.compare.canonical.json import Value, fingerprint
from figway.compare.limits import Budget

IDENTITIES = ("id", "_id", "uuid", "key", "code", "sku", "slug", "reference", "ref", "name", "@id")
_MOST_BY_LIKENESS = 50
_FEW = 2


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs of indexes, and what is left over on each side."""

    pairs: tuple[tuple[int, int], ...]
    missing: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    reordered: bool = False
    key: str = ""
    """The member that aligned them, if one did."""


def spots(indexes: Sequence[int], length: int) -> Iterator[tuple[int, str]]:
    """Of elements left over in an array of this length, where each stands: `first` and `last` for
    those with nothing but others of them before or behind, else `within`."""
    first, last = 0, len(indexes)
    while first < last and indexes[first] == first:
        first += 1
    while last > first and indexes[last - 1] == length - len(indexes) + last - 1:
        last -= 1
    for turn, at in enumerate(indexes):
        yield at, "first" if turn < first else "last" if turn >= last else "within"


def by_position(legacy: Sequence[Value], new: Sequence[Value]) -> Alignment:
    """In order; where the lengths differ, what is equal at both ends is set aside first."""
    shorter = min(len(legacy), len(new))
    if len(legacy) == len(new):
        return Alignment(tuple(zip(range(shorter), range(shorter), strict=True)))
    start = 0
    while start < shorter and legacy[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and legacy[-1 - end] == new[-1 - end]:
        end += 1
    middle = min(len(legacy), len(new)) - end
    pairs = [(at, at) for at in range(middle)]
    pairs += [(len(legacy) - at, len(new) - at) for at in range(end, 0, -1)]
    return Alignment(
        tuple(pairs),
        tuple(range(middle, len(legacy) - end)),
        tuple(range(middle, len(new) - end)),
    )


def by_content(legacy: Sequence[Value], new: Sequence[Value], budget: Budget) -> Alignment:
    """Equal elements belong to each other, in order; what stands between two of them does by place.

    Where the two differ in too much for that, all belongs by position.
    """
    found = matches(legacy, new, budget)
    if found is None:
        return by_position(legacy, new)
    pairs: list[tuple[int, int]] = []
    missing: list[int] = []
    added: list[int] = []
    here = there = 0
    for left, right in (*found, (len(legacy), len(new))):
        together = min(left - here, right - there)
        pairs += [(here + at, there + at) for at in range(together)]
        missing += range(here + together, left)
        added += range(there + together, right)
        if left < len(legacy) and right < len(new):
            pairs.append((left, right))
        here, there = left + 1, right + 1
    return Alignment(tuple(pairs), tuple(missing), tuple(added))


def shifts(legacy: Sequence[Value], new: Sequence[Value]) -> bool:
    """Whether by position more than a few elements differ, as after one that was left out."""
    if len(legacy) != len(new):
        return bool(legacy and new)
    unequal = 0
    for one, other in zip(legacy, new, strict=True):
        unequal += one != other
        if unequal > _FEW:
            return True
    return False


def by_key(legacy: Sequence[Value], new: Sequence[Value], key: str) -> Alignment:
    """By the value of one member; elements that share it, or lack it, are told apart by their
    turn.
    """
    left, right = _names(legacy, key), _names(new, key)
    places = {name: at for at, name in enumerate(right)}
    pairs = tuple((at, places[name]) for at, name in enumerate(left) if name in places)
    paired = {there for _, there in pairs}
    there_in_order = [there for _, there in pairs]
    return Alignment(
        pairs,
        tuple(at for at, name in enumerate(left) if name not in places),
        tuple(at for at in range(len(new)) if at not in paired),
        reordered=there_in_order != sorted(there_in_order),
        key=key,
    )


def _names(elements: Sequence[Value], key: str) -> list[tuple[str, int]]:
    turns: Counter[str] = Counter()
    names = []
    for element in elements:
        name = fingerprint(element[key]) if isinstance(element, dict) and key in element else ""
        names.append((name, turns[name]))
        turns[name] += 1
    return names


def in_step(legacy: Sequence[Value], new: Sequence[Value]) -> bool:
    """Whether a member names the elements of both arrays, uniquely, alike and in the same order.

    A quick look at what is most often the case; no only means that more must be looked at.
    """
    first = legacy[0] if len(legacy) == len(new) and legacy else None
    if not isinstance(first, dict):
        return False
    key = next((key for key in IDENTITIES if key in first), None)
    if key is None:
        return False
    left, right = (
        [element.get(key) if isinstance(element, dict) else None for element in side]
        for side in (legacy, new)
    )
    return (
        left == right
        and all(type(name) in (str, int) for name in left)
        and len(set(left)) == len(left)
    )


def identity(legacy: Sequence[Value], new: Sequence[Value]) -> str:
    """A member that names the elements of both arrays, uniquely, with half of the names on both
    sides.
    """
    for key in IDENTITIES:
        left, right = _identities(legacy, key), _identities(new, key)
        if left and right and 2 * len(left & right) >= max(len(left), len(right)):
            return key
    return ""


def _identities(elements: Sequence[Value], key: str) -> set[str]:
    names = set()
    for element in elements:
        value = element.get(key) if isinstance(element, dict) else None
        if not isinstance(value, str | int) or isinstance(value, bool):
            return set()
        names.add(fingerprint(value))
    return names if len(names) == len(elements) else set()


def is_reordered(legacy: Sequence[Value], new: Sequence[Value], allowance: int) -> tuple[bool, int]:
    """Whether two unequal arrays of one length hold the same elements in another order, and what
    finding out has cost, in characters. False once it would cost more than `allowance`.
    """
    counts: Counter[str] = Counter()
    cost = 0
    for elements, one in ((legacy, 1), (new, -1)):
        for element in elements:
            text = fingerprint(element)
            cost += len(text)
            if cost > allowance:
                return False, cost
            counts[text] += one
    return not any(counts.values()), cost


def as_sets(legacy: Sequence[Value], new: Sequence[Value], budget: Budget) -> Alignment:
    """Equal elements first, wherever they are; then the most alike of what is left."""
    spare: defaultdict[str, list[int]] = defaultdict(list)
    for at in range(len(new) - 1, -1, -1):
        text = fingerprint(new[at])
        budget.spend(1 + len(text) // 8)
        spare[text].append(at)
    pairs, left = [], []
    for at, element in enumerate(legacy):
        text = fingerprint(element)
        budget.spend(1 + len(text) // 8)
        places = spare.get(text)
        if places:
            pairs.append((at, places.pop()))
        else:
            left.append(at)
    right = sorted(at for places in spare.values() for at in places)
    pairs += _alike(legacy, new, left, right, budget)
    taken_left, taken_right = {a for a, _ in pairs}, {b for _, b in pairs}
    order = [there for _, there in sorted(pairs)]
    return Alignment(
        tuple(sorted(pairs)),
        tuple(at for at in left if at not in taken_left),
        tuple(at for at in right if at not in taken_right),
        reordered=order != sorted(order),
    )


def _alike(
    legacy: Sequence[Value],
    new: Sequence[Value],
    left: list[int],
    right: list[int],
    budget: Budget,
) -> list[tuple[int, int]]:
    if not left or not right:
        return []
    if len(left) * len(right) > _MOST_BY_LIKENESS**2:
        # Too many to try each with each: in the order of their texts, which likens by the first
        # members.
        by_text = (
            sorted(left, key=lambda at: fingerprint(legacy[at])),
            sorted(right, key=lambda at: fingerprint(new[at])),
        )
        return list(zip(*by_text, strict=False))
    budget.spend(4 * len(left) * len(right))
    ranked = sorted(
        (-_likeness(legacy[a], new[b]), a + b, abs(a - b), a, b) for a in left for b in right
    )
    taken_left: set[int] = set()
    taken_right: set[int] = set()
    pairs = []
    for _, _, _, a, b in ranked:
        if a not in taken_left and b not in taken_right:
            taken_left.add(a)
            taken_right.add(b)
            pairs.append((a, b))
    return pairs


def _likeness(a: Value, b: Value) -> float:
    """0 for nothing in common; more for the same type, more yet for each equal member or a near
    number.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        common = [name for name in list(a)[:50] if name in b and b[name] == a[name]]
        return 1.0 + len(common)
    left, right = _number(a), _number(b)
    if left is not None and right is not None:
        return 2.0 / (1.0 + abs(left - right) / (abs(left) + abs(right) + 1e-300))
    return 1.0 if type(a) is type(b) else 0.0


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return float(value)
