"""Lists of routes and of fields: filtered, sorted, by the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from control_plane.comparisons.fields import HIDDEN, PathFields
from control_plane.comparisons.judged import EvidenceSummary
from control_plane.comparisons.schemas import FieldsOut, FieldStanding, RouteEvidence
from control_plane.comparisons.views import EvidenceViews
from control_plane.http import paging
from control_plane.http.paging import Page
from control_plane.http.problems import invalid
from figway.model.table import Route, Stage

Sort = Literal["id", "attention", "bound", "pairs"]
FieldSort = Literal["attention", "pairs", "path", "last"]
StandingFilter = FieldStanding | Literal["open"]


@dataclass(frozen=True, slots=True)
class RoutesWanted:
    """Which routes are wanted; what is empty does not narrow."""

    q: str = ""
    stage: Stage | None = None
    capability: str = ""
    verdict: str = ""
    """With pairs of this verdict."""

    def matches(self, route: Route, found: EvidenceSummary | None) -> bool:
        """Whether a route is one of them."""
        text = self.q.lower()
        return (
            (not text or text in f"{route.id} {route.match.path} {route.description}".lower())
            and (self.stage is None or route.stage == self.stage)
            and (not self.capability or route.capability == self.capability)
            and (not self.verdict or bool(found and found.verdicts.get(self.verdict)))
        )


async def routes_page(
    views: EvidenceViews, wanted: RoutesWanted, sort: Sort, limit: int, cursor: str
) -> Page[RouteEvidence]:
    """Routes with their evidence."""
    known = await views.current()
    routes = await views.compared(wanted.matches)
    keyed = sorted((_order(sort, known.get(route.id)), route.id, route) for route in routes)
    after = _sorted_after(cursor)
    rest = [entry for entry in keyed if after is None or entry[:2] > after]
    page, following = paging.cut(rest[: limit + 1], limit, lambda entry: list(entry[:2]))
    return Page(items=await views.overview([entry[2] for entry in page]), next=following)


def _order(sort: Sort, found: EvidenceSummary | None) -> float:
    if sort == "id":
        return 0.0
    if found is None:
        return 2.0
    if sort == "attention":
        return -found.trouble
    return found.low if sort == "bound" else float(-found.rated)


@dataclass(frozen=True, slots=True)
class FieldsWanted:
    """Which fields of which window are wanted; what is empty does not narrow."""

    route: str
    window: str | None = None
    build: str | None = None
    q: str = ""
    kind: str = ""
    standing: StandingFilter | None = None
    """`open`: all but noise, what rules cover, what had moved on, and forms by themselves."""

    def matches(self, path: PathFields) -> bool:
        """Whether a path is one of them."""
        return (
            (not self.q or self.q.lower() in path.path.lower())
            and (not self.kind or self.kind in path.kinds)
            and self._stands(path.standing)
        )

    def _stands(self, standing: FieldStanding) -> bool:
        if self.standing == "open":
            return standing not in HIDDEN
        return self.standing is None or standing == self.standing


async def fields_page(
    views: EvidenceViews, wanted: FieldsWanted, sort: FieldSort, limit: int, cursor: str
) -> FieldsOut:
    """Where the sides differ, grouped by path. Raises `ApiProblem` 404."""
    found = await views.fields(wanted.route, wanted.window, wanted.build)
    chosen = [path for path in found.paths if wanted.matches(path)]
    keyed = sorted((_field_order(sort, path), path.path, path) for path in chosen)
    after = _sorted_after(cursor)
    rest = [entry for entry in keyed if after is None or entry[:2] > after]
    page, following = paging.cut(rest, limit, lambda entry: list(entry[:2]))
    shown = await views.shown(found, [entry[2] for entry in page])
    return found.frame().model_copy(update={"items": shown, "next": following})


def _field_order(sort: FieldSort, path: PathFields) -> float:
    if sort == "attention":
        return path.rank - min(path.pairs, 2**40) / 2**41
    if sort == "path":
        return 0.0
    return float(-path.pairs if sort == "pairs" else -path.last_ms)


def _sorted_after(cursor: str) -> tuple[float, str] | None:
    key = paging.decode(cursor, list)
    if key is None:
        return None
    match key:
        case [int() | float() as value, str() as name]:
            return float(value), name
    raise invalid("cursor", "this is not a cursor of this list")
