"""From a comparison to its differences, occurrence by occurrence."""

from __future__ import annotations

from collections.abc import Iterator

from figway.compare.differences import Difference
from figway.compare.verdict import Comparison
from figway.evidence.noise.seen import Changes, Seen

MOST_SEEN = 400


def occurrences(comparison: Comparison) -> Iterator[Seen]:
    """All differences of a comparison, place by place; at most `MOST_SEEN`."""
    number = 0
    sides = {(item.path, item.kind) for item in comparison.differences if item.kind in _OTHER}
    for item in comparison.differences:
        alone = (item.path, _OTHER.get(item.kind)) not in sides
        for seen in _places(item, alone):
            yield seen
            number += 1
            if number >= MOST_SEEN:
                return


_OTHER = {"missing": "added", "added": "missing"}


def _places(item: Difference, alone: bool) -> Iterator[Seen]:
    for at in item.places:
        yield Seen(
            at.exact, item.path, item.kind, item.field, at.legacy, at.new, item.ignored_by, alone
        )


def changes(comparison: Comparison) -> Changes:
    """Where one side's second answer differs from its first, by their comparison."""
    found = list(occurrences(comparison))
    listed = sum(item.count for item in comparison.differences)
    return Changes(found, whole=len(found) >= listed and not comparison.beyond)
