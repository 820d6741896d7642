"""Reads rollouts: where they stand, what they did, and which routes they move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_plane.db.engine import Database
from control_plane.http.problems import not_found
from control_plane.publishing.state import TableState
from control_plane.rollouts import store
from control_plane.rollouts.store import StoredRollout, TimelineEntry
from figway.rollout.lint import routes_of


class RolloutReader:
    """The rollouts of this installation, as they are stored."""

    def __init__(self, database: Database, state: TableState) -> None:
        self._database = database
        self._state = state

    async def all(self) -> list[StoredRollout]:
        """Every rollout by id."""
        async with self._database.read() as connection:
            return await store.everything(connection)

    async def get(self, rollout: str) -> StoredRollout:
        """One rollout. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            found = await store.read(connection, rollout)
        if found is None:
            raise not_found("rollout", rollout)
        return found

    async def timeline(self, rollout: str, before: int | None, limit: int) -> list[TimelineEntry]:
        """Its timeline, newest first."""
        async with self._database.read() as connection:
            return await store.timeline(connection, rollout, before=before, limit=limit)

    async def points(self, rollout: str, since_ms: int) -> Sequence[tuple[int, Any]]:
        """The figures of its gates and guards since then."""
        async with self._database.read() as connection:
            return await store.points(connection, rollout, since_ms)

    async def moving(self) -> dict[str, StoredRollout]:
        """By route: the rollout that moves it at present."""
        async with self._database.read() as connection:
            active = await store.everything(connection, active=True)
        table = self._state.current.table
        return {route.id: found for found in active for route in routes_of(found.plan.scope, table)}

    async def counted(self) -> tuple[list[StoredRollout], list[tuple[str, str, int]]]:
        """Every rollout, and how often which guard led back: (rollout, guard, times)."""
        async with self._database.read() as connection:
            return await store.everything(connection), await store.aborts(connection)

    async def started_by(self, rollout: str) -> str:
        """Who started a rollout; empty if nobody did."""
        found = await self.known(rollout)
        return "" if found is None or found.state is None else found.state.started_by

    async def known(self, rollout: str) -> StoredRollout | None:
        """One rollout; None when there is none."""
        async with self._database.read() as connection:
            return await store.read(connection, rollout)
