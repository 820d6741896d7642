"""The newest buckets of traffic, taken apart once and kept.

A bucket's rows for everything together (`store.ALL`) grow whenever any of its rows does, so they
tell, for the price of two rows, whether what is kept of the bucket is still what the database
holds: also where another control plane has added to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.traffic.sums import Sums

MOST_ROWS = 40_000
"""Rows kept, of all buckets together: about 2 KB each. What is used least goes first."""

Key = tuple[str, str, str]
"""Route, side, backend."""
Place = tuple[int, int]
"""Seconds a bucket covers, and when it begins."""
Stamp = tuple[tuple[object, ...], ...]
"""What the rows for everything together hold."""


@dataclass(slots=True)
class Bucket:
    """One bucket of time, as of `stamp`. Its sums are replaced, never added to."""

    stamp: Stamp
    rows: dict[Key, Sums]


class Recent:
    """Keeps buckets, within bounds."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most = most_rows
        self._kept: OrderedDict[Place, Bucket] = OrderedDict()
        self._rows = 0

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return self._rows

    def get(self, place: Place, stamp: Stamp) -> Bucket | None:
        """The bucket, if it is kept and still is what `stamp` says."""
        found = self._kept.get(place)
        if found is None or found.stamp != stamp:
            return None
        self._kept.move_to_end(place)
        return found

    def put(self, place: Place, bucket: Bucket) -> None:
        """Keep a bucket that was read whole."""
        self._drop(place)
        self._kept[place] = bucket
        self._rows += len(bucket.rows)
        self._make_room()

    def advance(
        self, place: Place, before: Stamp, after: Stamp, changed: Mapping[Key, Sums]
    ) -> None:
        """Take over what was just written to a bucket; if it was another one, forget it."""
        found = self._kept.get(place)
        if found is None and before:
            return  # of an older bucket only a part is known
        if found is None:
            found = self._kept[place] = Bucket(before, {})
        if found.stamp != before:
            self._drop(place)
            return
        self._rows -= len(found.rows)
        found.rows.update(changed)
        found.stamp = after
        self._rows += len(found.rows)
        self._kept.move_to_end(place)
        self._make_room()

    def _drop(self, place: Place) -> None:
        if (found := self._kept.pop(place, None)) is not None:
            self._rows -= len(found.rows)

    def _make_room(self) -> None:
        while self._rows > self._most and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._rows -= len(oldest.rows)
