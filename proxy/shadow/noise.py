"""What the shadow worker has learned of legacy's disagreement with itself, per evidence window.

The first pairs of a window are all asked of legacy twice, and mismatches wait until that has taught
something: else each window would begin with a burst of false ones (trap 29). Afterwards a
small sample keeps learning. Nothing is forgotten within a window, and a person's word stands over
all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from figway.compare.differences import signature
from figway.compare.noise import LEAST_SELF_PAIRS, FieldCounts, noise_fields
from figway.compare.verdict import RATED, Comparison

WARM_UP = 20
"""Pairs of a window with which legacy is asked twice, whatever the sample."""
MOST_FIELDS = 2_000


class Noise:
    """Counts of one window, and the fields that they make noise."""

    def __init__(self, sample: int, overruled: Mapping[str, bool]) -> None:
        self.sample = sample
        self.fields: frozenset[str] = frozenset()
        self._overruled = dict(overruled)
        self._counts: dict[str, FieldCounts] = {}
        self._compared = 0
        self._self_compared = 0
        self._asked = 0
        self._judged_at = -1

    def wanted(self, lot: int) -> bool:
        """Whether legacy is asked twice for a pair; `lot` is drawn from 0 to 9 999."""
        if not self.sample:
            return False
        return self._asked < WARM_UP or lot < self.sample

    def asked(self) -> None:
        """Legacy is asked twice indeed: its budget of extra reads allows it."""
        self._asked += 1

    @property
    def learning(self) -> bool:
        """Too little is known yet to call a difference real."""
        return bool(self.sample) and self._self_compared < LEAST_SELF_PAIRS

    def own(self, comparison: Comparison) -> list[str]:
        """Take in legacy against itself; the fields in which it differed."""
        if comparison.verdict not in RATED:
            return []
        self._self_compared += 1
        found = sorted({item.field for item in comparison.differences if not item.ignored_by})
        for field in found:
            self._count(field, FieldCounts(self_differing=1))
        self._judge()
        return found

    def pair(self, comparison: Comparison) -> None:
        """Take in new against legacy."""
        if comparison.verdict not in RATED:
            return
        self._compared += 1
        for field in {item.field for item in comparison.differences if not item.ignored_by}:
            self._count(field, FieldCounts(differing=1))
        if self._compared >= 2 * self._judged_at:
            self._judge()

    def relabel(self, comparison: Comparison) -> Comparison:
        """The verdict in the light of what is noise by now."""
        if comparison.verdict not in RATED:
            return comparison
        found = tuple(
            replace(item, noise=item.ignored_by is None and item.field in self.fields)
            for item in comparison.differences
        )
        if found == comparison.differences:
            return comparison
        found = tuple(sorted(found, key=lambda item: (not item.counts, item.noise)))
        counts = comparison.beyond > 0 or any(item.counts for item in found)
        return replace(
            comparison,
            verdict="mismatch" if counts else "match",
            differences=found,
            signature=signature(found),
        )

    def _count(self, field: str, more: FieldCounts) -> None:
        known = self._counts.get(field)
        if known is not None:
            self._counts[field] = known + more
        elif len(self._counts) < MOST_FIELDS:
            self._counts[field] = more

    def _judge(self) -> None:
        self._judged_at = self._compared
        base = FieldCounts(compared=self._compared, self_compared=self._self_compared)
        counts = {field: found + base for field, found in self._counts.items()}
        words: dict[str, bool] = {}
        for field in counts:
            word = self._overruled.get(field, self._overruled.get(field.rpartition("|")[0]))
            if word is not None:
                words[field] = word
        known = {field: word for field, word in self._overruled.items() if "|" in field}
        self.fields = noise_fields(counts, {**known, **words})
