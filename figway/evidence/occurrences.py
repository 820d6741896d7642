"""From a comparison to its differences, occurrence by occurrence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from figway.compare.differences import Difference
from figway.compare.verdict import Comparison
from figway.evidence.noise.seen import Changes, Seen, list_of

MOST_SEEN = 400


def occurrences(comparison: Comparison) -> Iterator[Seen]:
    """All differences of a comparison, place by place; at most `MOST_SEEN`."""
    number = 0
    sides = {(item.path, item.kind) for item in comparison.differences if item.kind in _OTHER}
    lists = _lists(comparison) if sides else {}
    for item in comparison.differences:
        alone = (item.path, _OTHER.get(item.kind)) not in sides
        for seen in _places(item, alone, lists):
            yield seen
            number += 1
            if number >= MOST_SEEN:
                return


_OTHER = {"missing": "added", "added": "missing"}


def _lists(comparison: Comparison) -> dict[str, Counter[str]]:
    """By list, how many elements one side lacks, and how many the other."""
    found: dict[str, Counter[str]] = {}
    for item in comparison.differences:
        for at in item.places if item.kind in _OTHER else ():
            if at.spot:
                found.setdefault(list_of(at.exact), Counter())[item.kind] += 1
    return found


def _places(item: Difference, alone: bool, lists: Mapping[str, Counter[str]]) -> Iterator[Seen]:
    for at in item.places:
        counts = lists[list_of(at.exact)] if at.spot else _NONE
        yield Seen(
            at.exact,
            item.path,
            item.kind,
            item.field,
            at.legacy,
            at.new,
            item.ignored_by,
            alone,
            at.spot,
            max(counts["missing"], counts["added"]),
            counts["missing"] != counts["added"],
        )


_NONE: Counter[str] = Counter()


def changes(comparison: Comparison) -> Changes:
    """Where one side's second answer differs from its first, by their comparison."""
    found = list(occurrences(comparison))
    listed = sum(item.count for item in comparison.differences)
    return Changes(found, whole=len(found) >= listed and not comparison.beyond)
