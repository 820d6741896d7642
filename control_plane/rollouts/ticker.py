"""Looks at every rollout again and again; of several control planes one does, by a lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

from control_plane.clock import now_ms
from control_plane.db import leases
from control_plane.db.engine import Database
from control_plane.rollouts import store
from control_plane.rollouts.service import RolloutService

_log = logging.getLogger(__name__)
LEASE = "rollouts"
LEASE_MS = 15_000
"""Another control plane takes over when the one that acts has been silent for so long."""
_KEEP_POINTS_MS = 14 * 24 * 3_600_000
_LONGEST_LOOK_S = 30.0
_UNREADABLE = "it cannot be read from the database"


class RolloutTicker:
    """One round: every rollout that moves, and what else is watched for events."""

    def __init__(
        self,
        database: Database,
        rollouts: RolloutService,
        owner: str,
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._rollouts = rollouts
        self._owner = owner
        self._watch = watch
        self.acts = False
        """Whether this control plane had the lease at the last round."""
        self.failing: dict[str, str] = {}
        """Rollouts that could not be looked at, and why."""

    async def round(self) -> None:
        """Look at every rollout, if this control plane has the lease. One that cannot be looked at
        keeps no other from its turn."""
        async with self._database.write() as connection:
            self.acts = await leases.take(self._database, connection, LEASE, self._owner, LEASE_MS)
        if not self.acts:
            return
        async with self._database.read() as connection:
            active, unreadable = await store.active(connection)
        self._tell_unreadable(unreadable)
        await asyncio.gather(*(self._look(found.plan.id) for found in active))
        await self._watch()

    def _tell_unreadable(self, rollouts: AbstractSet[str]) -> None:
        told = {name for name, why in self.failing.items() if why == _UNREADABLE}
        for name in told - rollouts:
            del self.failing[name]
        self.failing |= dict.fromkeys(rollouts, _UNREADABLE)

    async def _look(self, rollout: str) -> None:
        try:
            await asyncio.wait_for(self._rollouts.tick(rollout), _LONGEST_LOOK_S)
            self.failing.pop(rollout, None)
        except Exception as error:
            if rollout not in self.failing:
                _log.warning("rollout %s could not be looked at: %s", rollout, error)
            self.failing[rollout] = str(error) or type(error).__name__

    async def trim(self) -> None:
        """Drop figures that are older than they are drawn."""
        async with self._database.write() as connection:
            await store.trim(connection, now_ms() - _KEEP_POINTS_MS)

    async def stop(self) -> None:
        """Let go of the lease, so that another control plane acts at once."""
        if self.acts:
            async with self._database.write() as connection:
                await leases.release(connection, LEASE, self._owner)
