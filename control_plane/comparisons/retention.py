"""How long comparisons are kept."""

from __future__ import annotations

from control_plane.clock import now_ms
from control_plane.comparisons import builds, examples, replays, store
from control_plane.comparisons.examples import Keep
from control_plane.db.engine import Database
from control_plane.settings import Settings

_DAY_MS = 86_400_000
_SEEN_MS = 2 * _DAY_MS  # a batch that comes back later than this would be counted again
_CHUNK = 1_000


class Retention:
    """Deletes what is older, or takes more space, than the settings keep."""

    def __init__(self, database: Database, settings: Settings, keep: Keep) -> None:
        self._database = database
        self._settings = settings
        self._keep = keep

    async def trim(self) -> None:
        """Delete it."""
        now = now_ms()
        before = now - self._settings.keep_comparison_days * _DAY_MS
        async with self._database.write() as connection:
            gone = await store.trim(connection, before_ms=before, batches_before=now - _SEEN_MS)
            await builds.drop(connection, gone)
            await replays.trim(connection, before, now - replays.EXPIRE_MS)
        older = now - self._settings.keep_example_days * _DAY_MS
        while await self._trim_pairs(older) >= _CHUNK:
            pass

    async def _trim_pairs(self, older: int) -> int:
        # In pieces, so that no batch waits long for the lock.
        async with self._database.write() as connection:
            await store.lock(self._database, connection)
            gone = await examples.drop_older(connection, older, _CHUNK)
            return gone + await examples.keep_bytes(connection, self._keep.bytes)
