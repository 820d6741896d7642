"""How far the migration is, and how it came there: the burn-up.

What stood in which stage when is read backwards out of the revisions, each of them once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from control_plane.console.route_row import share_of
from control_plane.publishing.state import Snapshot
from control_plane.services import Services
from figway.model.change import Kind
from figway.model.table import Route, Stage, Table

_MOST_REVISIONS = 2_000


@dataclass(frozen=True, slots=True)
class Done:
    """How much of something new serves whole."""

    done: int
    total: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 0.0


class Step(NamedTuple):
    """How far it was from a moment on."""

    at_ms: int
    routes: float
    capabilities: float


def routes_done(table: Table) -> Done:
    """Routes of which new serves everything."""
    return _Count(table.routes.values()).routes


def capabilities_done(table: Table) -> Done:
    """Capabilities whose every route new serves."""
    return _Count(table.routes.values()).capabilities


class _Count:
    """How many routes and capabilities new serves whole; a route more or less costs nothing."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[str, tuple[str, bool]] = {}
        self._left: dict[str, list[int]] = {}
        """Of each capability: its routes, and those that new does not serve whole."""
        self._moved = self._whole = 0
        for route in routes:
            self.put(route.id, route.capability, share_of(route.stage, route.weight) == 1.0)

    def put(self, name: str, capability: str, moved: bool) -> None:
        """This is how a route stood."""
        self.drop(name)
        capability = capability or f"route {name}"
        self._routes[name] = (capability, moved)
        self._moved += moved
        self._change(capability, 1, not moved)

    def drop(self, name: str) -> None:
        """There was no such route."""
        known = self._routes.pop(name, None)
        if known is not None:
            self._moved -= known[1]
            self._change(known[0], -1, -(not known[1]))

    def _change(self, capability: str, routes: int, unmoved: int) -> None:
        counts = self._left.setdefault(capability, [0, 0])
        self._whole -= counts[0] > 0 and counts[1] == 0
        counts[0] += routes
        counts[1] += unmoved
        self._whole += counts[0] > 0 and counts[1] == 0
        if not counts[0]:
            del self._left[capability]

    @property
    def routes(self) -> Done:
        """Routes."""
        return Done(self._moved, len(self._routes))

    @property
    def capabilities(self) -> Done:
        """Capabilities; a route without one is one of its own."""
        return Done(self._whole, len(self._left))

    @property
    def shares(self) -> tuple[float, float]:
        """Of both."""
        return self.routes.share, self.capabilities.share


class BurnUp:
    """The way so far; of a new revision only that one is read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._steps: tuple[int, list[Step]] = (-1, [])
        self.dates: dict[int, int] = {}
        """When each of the revisions that were read was made."""

    async def steps(self) -> list[Step]:
        """Shares of routes and capabilities on new, oldest first."""
        async with self._lock:
            now, (known, steps) = self._services.state.current, self._steps
            if known > now.revision:  # another database
                known, steps = -1, []
            if known != now.revision:
                newer = await self._read(now, after=known)
                self._steps = (now.revision, (steps + newer)[-_MOST_REVISIONS:])
            return self._steps[1]

    async def _read(self, now: Snapshot, after: int) -> list[Step]:
        """The steps of the revisions after one, each of which is rewound to the one before."""
        found: list[Step] = []
        count = _Count(now.table.routes.values())
        past = await self._services.history.inverses(after, now.revision, _MOST_REVISIONS)
        for number, created_ms, inverse in past:
            self.dates[number] = created_ms
            if not found or count.shares != found[-1][1:]:
                found.append(Step(created_ms, *count.shares))
            else:
                found[-1] = found[-1]._replace(at_ms=created_ms)
            _rewind(count, inverse)
        for number in sorted(self.dates)[:-_MOST_REVISIONS]:
            del self.dates[number]
        return found[::-1]


def _rewind(count: _Count, inverse: list[dict[str, Any]]) -> None:
    """Back to how routes stood before; as plain data, of which defaults are left out."""
    for entry in inverse:
        if entry["kind"] != Kind.ROUTE:
            continue
        value = entry["value"]
        if value is None:
            count.drop(entry["id"])
            continue
        share = share_of(Stage(value.get("stage", Stage.LEGACY)), value.get("weight", 0))
        count.put(entry["id"], value.get("capability", ""), share == 1.0)
