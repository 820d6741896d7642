"""Looks that are planned find a read to take, whatever else would take it meanwhile."""

from __future__ import annotations

from proxy.shadow.extra_reads import MOST_KEPT, ExtraReads


def test_reads_are_kept_for_planned_looks() -> None:
    """Prices that rise from request to request waited for a look that never came, as looks
    that could tell nothing more had taken every read."""
    reads = ExtraReads(50)
    for _ in range(10):
        reads.pair()
    reads.kept = 9
    taken = 0
    while reads.spend():
        taken += 1
    assert taken == 5 - MOST_KEPT
    assert [reads.spend(later=True) for _ in range(4)] == [True, True, True, False]
