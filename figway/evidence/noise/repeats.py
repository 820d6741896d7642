"""A request that was made again: both sides answered twice, and which has moved on since?

Data that both read move on alike. What each side draws for itself agrees neither time. A side that
keeps an answer for too long stands still where the other moves, and a fault stays with its
requests. Each is counted by place, in `PlaceLooks`; what the counts say is in `field_state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from figway.evidence.noise.seen import Changes, Seen, equal, list_of, touched

MOVES = frozenset({"still", "ahead", "rested", "went", "roamed"})
"""Counts of which side has moved on."""


def told(before: Sequence[Seen], now: Sequence[Seen], legacy: Changes) -> Iterator[tuple[str, str]]:
    """(place, name of the count) of all that one repeat tells.

    `before` and `now` are the differences of both pairs, `legacy` how its answer has changed.
    """
    then = {seen.exact: seen for seen in before}
    differed = {seen.place for seen in before}
    differing = {seen.place: seen for seen in now}
    moved = _moved(legacy)
    yield from ((place, "paced") for place in moved - differed - differing.keys())
    yield from ((place, "loosed") for place in moved & (differed ^ differing.keys()))
    for place in differing.keys() - differed:
        if name := _who_moved(differing[place], legacy):
            yield place, name
    yield from _rests(then, now, legacy)


def differ_twice(before: Sequence[Seen], now: Sequence[Seen], legacy: Changes) -> frozenset[str]:
    """The places that differ in both pairs though legacy has moved on."""
    return frozenset(
        _moved(legacy) & {seen.place for seen in before} & {seen.place for seen in now}
    )


def stands(seen: Iterable[Seen], place: str, legacy: Changes, new: Changes) -> bool:
    """Whether both sides say the same again at a place that differs, and differ by no move."""
    here = [one for one in seen if one.place == place]
    return bool(here) and not any(_stirred(legacy, one) or _stirred(new, one) for one in here)


def _moved(legacy: Changes) -> set[str]:
    return {seen.place for seen in legacy.by_exact.values() if seen.ignored_by is None}


def _who_moved(seen: Seen, legacy: Changes) -> str:
    """Which side has moved on at a place where both agreed before: `still` where new says what
    legacy said before, `ahead` where legacy says what it said; empty where neither is so."""
    change = legacy.at(seen)
    if change is None:
        return "" if legacy.near(seen) else "ahead"
    return "still" if change.kind == seen.kind and equal(seen.other, change.one) else ""


_RESTS = {
    (True, False): "rested",
    (True, True): "went",
    (False, True): "roamed",
    (False, False): "",
}
"""By whether legacy, and new, says another value."""
_RESTED = ("", "rested", "roamed", "went")
"""Of the elements of a list one tells of all: the last of these."""


def _rests(
    then: Mapping[str, Seen], now: Iterable[Seen], legacy: Changes
) -> Iterator[tuple[str, str]]:
    """Where both sides differed then and now: which of them says another value."""
    found: dict[str, str] = {}
    for seen in now:
        before = then.get(seen.exact)
        if before is None or not before.kind == seen.kind == "changed" or legacy.near(seen):
            continue
        name = _RESTS[legacy.at(seen) is not None, not equal(before.other, seen.other)]
        found[seen.place] = max(name, found.get(seen.place, ""), key=_RESTED.index)
    return ((place, name) for place, name in found.items() if name)


def _stirred(changes: Changes, seen: Seen) -> bool:
    """Whether a place has changed or, for an element, anything in its list."""
    here = list_of(seen.exact) if seen.spot else ""
    within = bool(here) and any(item.exact.startswith(here) for item in changes.seen)
    return within or touched(changes, seen)
