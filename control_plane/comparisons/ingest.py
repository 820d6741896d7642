"""A batch into the database: once, whole, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from control_plane.comparisons import examples, store
from control_plane.comparisons.batches import BatchIn, RouteIn
from control_plane.comparisons.examples import Keep
from control_plane.db.engine import Database

_SKEW_MS = 300_000  # a proxy whose clock is further off is counted under our own


async def ingest(
    database: Database, batch: BatchIn, keep: Keep, now: int
) -> list[dict[str, Any]] | None:
    """Count a batch; the rows of its examples, or None if it was counted before."""
    reported: dict[store.Key, list[RouteIn]] = defaultdict(list)
    for route in batch.routes:
        reported[route.route, route.window].append(route)
    from_ms, to_ms = batch.from_ms, batch.to_ms
    if abs(now - to_ms) >= _SKEW_MS or from_ms > to_ms:
        from_ms, to_ms = now, now
    async with database.write() as connection:
        if not await store.first_time(database, connection, batch, now):
            return None
        await store.put_worker(database, connection, batch, now)
        await store.merge_windows(database, connection, reported, from_ms, to_ms)
        await store.merge_minutes(database, connection, reported, to_ms)
        await store.merge_fields(database, connection, reported, from_ms, to_ms)
        return await examples.add(database, connection, reported, batch.instance, now, keep)
