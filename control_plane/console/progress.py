"""How far the migration is, and how it came there: the burn-up.

What stood in which stage when is read backwards out of the revisions, once for each new revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from control_plane.console.rows import share_of
from control_plane.db.models import RevisionRow
from control_plane.publishing import store
from control_plane.services import Services
from figway.change import Kind
from figway.model import Route, Table

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
    return _routes(dict(table.routes))


def capabilities_done(table: Table) -> Done:
    """Capabilities whose every route new serves."""
    return _capabilities(dict(table.routes))


def _routes(routes: dict[str, Route]) -> Done:
    return Done(sum(_moved(route) for route in routes.values()), len(routes))


def _capabilities(routes: dict[str, Route]) -> Done:
    whole: dict[str, bool] = {}
    for route in routes.values():
        name = route.capability or f"route {route.id}"
        whole[name] = whole.get(name, True) and _moved(route)
    return Done(sum(whole.values()), len(whole))


def _moved(route: Route) -> bool:
    return share_of(route.stage, route.weight) == 1.0


class BurnUp:
    """The way so far, remembered until the next revision."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._steps: tuple[int, list[Step]] = (-1, [])
        self.dates: dict[int, int] = {}
        """When each of the revisions that were read was made."""

    async def steps(self) -> list[Step]:
        """Shares of routes and capabilities on new, oldest first."""
        now = self._services.state.current
        if self._steps[0] != now.revision:
            self._steps = (now.revision, await self._read())
        return self._steps[1]

    async def _read(self) -> list[Step]:
        now = self._services.state.current
        routes = dict(now.table.routes)
        query = (
            select(RevisionRow.number, RevisionRow.created_ms, RevisionRow.inverse)
            .where(RevisionRow.number <= now.revision)
            .order_by(RevisionRow.number.desc())
            .limit(_MOST_REVISIONS)
        )
        found: list[Step] = []
        stands = (_routes(routes).share, _capabilities(routes).share)
        async with self._services.database.read() as connection:
            for number, created_ms, inverse in (await connection.execute(query)).all():
                self.dates[number] = created_ms
                if not found or stands != found[-1][1:]:
                    found.append(Step(created_ms, *stands))
                else:
                    found[-1] = found[-1]._replace(at_ms=created_ms)
                if _rewind(routes, inverse):
                    stands = (_routes(routes).share, _capabilities(routes).share)
        return found[::-1]


def _rewind(routes: dict[str, Route], inverse: str) -> bool:
    touched = False
    for change in store.changes(inverse):
        if change.kind is Kind.ROUTE:
            touched = True
            if isinstance(change.value, Route):
                routes[change.id] = change.value
            else:
                routes.pop(change.id, None)
    return touched
