"""Adding a report to the buckets that it falls into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.traffic import store
from control_plane.traffic.recent import MOST_ROWS, Bucket, Key, Place, Recent, Stamp
from control_plane.traffic.sums import Sums

STEPS = (store.RECENT_S, store.MINUTE_S, store.COARSE_S)


@dataclass(frozen=True, slots=True)
class Merged:
    """What was written to one bucket; it counts once the transaction is committed."""

    place: Place
    before: Stamp
    after: Stamp
    totals: Mapping[Key, Sums]

    def note(self, recent: Recent) -> None:
        """Tell those who keep buckets."""
        recent.advance(self.place, self.before, self.after, self.totals)


async def merge(
    database: Database,
    connection: AsyncConnection,
    recent: Recent,
    place: Place,
    sums: Mapping[Key, Sums],
) -> Merged:
    """Add to one bucket of time. What it held is read only if it is not known any more."""
    step_s, bucket_ms = place
    stamps = await store.stamps(connection, step_s, bucket_ms, bucket_ms + 1)
    before = stamps.get(bucket_ms, ())
    held = await _held(connection, recent, place, before, sums) if before else {}
    totals = {key: held[key].plus(found) if key in held else found for key, found in sums.items()}
    await store.put(database, connection, step_s, bucket_ms, totals)
    return Merged(place, before, store.stamp_after(before, totals), totals)


async def _held(
    connection: AsyncConnection,
    recent: Recent,
    place: Place,
    before: Stamp,
    sums: Mapping[Key, Sums],
) -> Mapping[Key, Sums]:
    known = recent.get(place, before)
    if known is not None:
        return known.rows
    # Read whole it is known from now on; but with very many routes it would be forgotten at once.
    if recent.rows < MOST_ROWS // 2:
        recent.put(place, Bucket(before, await store.bucket(connection, *place)))
        kept = recent.get(place, before)
        if kept is not None:
            return kept.rows
    return await store.bucket(connection, *place, routes={route for route, _, _ in sums})


async def summed(
    connection: AsyncConnection, recent: Recent, step_s: int, from_ms: int, to_ms: int
) -> dict[tuple[str, str], Sums]:
    """The buckets that begin between the two moments, by route and side.

    Of a bucket that is known nothing is read but its stamp.
    """
    found: dict[tuple[str, str], Sums] = {}
    for bucket_ms, stamp in sorted(
        (await store.stamps(connection, step_s, from_ms, to_ms)).items()
    ):
        known = recent.get((step_s, bucket_ms), stamp)
        if known is None:
            known = Bucket(stamp, await store.bucket(connection, step_s, bucket_ms))
            recent.put((step_s, bucket_ms), known)
        for (route, side, _), sums in known.rows.items():
            total = found.get((route, side))
            if total is None:
                total = found[route, side] = Sums()
            total.add(sums)
    return found
