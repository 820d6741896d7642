"""From a comparison to its differences, occurrence by occurrence."""

from __future__ import annotations

from collections.abc import Iterator

from figway.compare.differences import Difference
from figway.compare.verdict import Comparison
from figway.evidence.seen import Changes, Seen

MOST_SEEN = 400


def occurrences(comparison: Comparison) -> Iterator[Seen]:
    """All differences of a comparison, place by place; at most `MOST_SEEN`."""
    number = 0
    for item in comparison.differences:
        for seen in _places(item):
            yield seen
            number += 1
            if number >= MOST_SEEN:
                return


def _places(item: Difference) -> Iterator[Seen]:
    for at in item.places:
        yield Seen(at.exact, item.path, item.kind, item.field, at.legacy, at.new, item.ignored_by)


def changes(comparison: Comparison) -> Changes:
    """Where one side's second answer differs from its first, by their comparison."""
    found = list(occurrences(comparison))
    listed = sum(item.count for item in comparison.differences)
    return Changes(found, whole=len(found) >= listed and not comparison.beyond)
