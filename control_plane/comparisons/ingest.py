"""Batches into the database: each once, whole, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.comparisons import builds, examples, store
from control_plane.comparisons.batches import BatchIn, RouteIn
from control_plane.comparisons.examples import Keep
from control_plane.comparisons.records import PairHead
from control_plane.comparisons.stored_pairs import summaries
from control_plane.db.engine import Database
from control_plane.http.problems import invalid
from control_plane.publishing.hub import Hub, event
from figway.evidence.window import BuildEvidence

_SKEW_MS = 300_000  # a proxy whose clock is further off is counted under our own
_MOST_TOLD = 20

Deltas = dict[store.Key, dict[str, BuildEvidence]]


class BatchIngest:
    """Takes what proxies compared, and tells those who watch."""

    def __init__(self, database: Database, keep: Keep, live: Hub) -> None:
        self._database = database
        self._keep = keep
        self._live = live

    async def take(self, batches: Sequence[BatchIn]) -> list[bool]:
        """Count batches; of each, False if it was counted before. All of them or none.

        Raises:
            ApiProblem: 422 for what is no evidence, or what JSON cannot say.
        """
        now = now_ms()
        deltas = [_deltas(batch, number) for number, batch in enumerate(batches)]
        stored: list[list[PairHead] | None] = []
        async with self._database.write() as connection:
            for batch, delta in zip(batches, deltas, strict=True):
                stored.append(await self._count(connection, batch, delta, now))
        if self._live.streams:
            for batch, pairs in zip(batches, stored, strict=True):
                if pairs is not None:
                    self._tell(batch, pairs)
        return [pairs is not None for pairs in stored]

    async def _count(
        self, connection: AsyncConnection, batch: BatchIn, deltas: Deltas, now: int
    ) -> list[PairHead] | None:
        database = self._database
        reported = _by_key(batch)
        from_ms, to_ms = batch.from_ms, batch.to_ms
        if abs(now - to_ms) >= _SKEW_MS or from_ms > to_ms:
            from_ms, to_ms = now, now
        if not await store.first_time(database, connection, batch, now):
            return None
        await store.put_worker(database, connection, batch, now)
        await store.merge_windows(database, connection, reported, from_ms, to_ms)
        await builds.merge(database, connection, deltas)
        await store.merge_minutes(database, connection, reported, to_ms)
        await store.merge_fields(database, connection, reported, from_ms, to_ms)
        return await examples.add(database, connection, reported, batch.instance, now, self._keep)

    def _tell(self, batch: BatchIn, stored: Sequence[PairHead]) -> None:
        for route in batch.routes:
            mine = [
                row for row in stored if row.route == route.route and row.window == route.window
            ]
            told: dict[str, Any] = {
                "route": route.route,
                "window": route.window,
                "instance": batch.instance,
                "at_ms": batch.to_ms,
                "captured": route.captured,
                "verdicts": route.verdicts,
                "dropped": route.dropped,
                "examples": [row.model_dump(mode="json") for row in summaries(mine[:_MOST_TOLD])],
            }
            self._live.publish(event("comparisons", told))


def _by_key(batch: BatchIn) -> dict[store.Key, list[RouteIn]]:
    found: dict[store.Key, list[RouteIn]] = defaultdict(list)
    for route in batch.routes:
        found[route.route, route.window].append(route)
    return found


def _deltas(batch: BatchIn, number: int) -> Deltas:
    try:
        return {
            key: found
            for key, parts in _by_key(batch).items()
            if (found := builds.deltas_of(parts))
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise invalid(
            f"batches.{number}.routes.evidence", f"this is no evidence: {error!r}"[:300]
        ) from None
