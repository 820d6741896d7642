"""The flow picture of the map: facade, capabilities, both sides, with widths by share.

Two bundles of bands between three columns of text. The bands are drawn in pixels of height, so that
they meet the rows of text; their width is the page's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from control_plane.console.route_row import NONE, RouteRow
from control_plane.traffic.schemas import RouteTraffic, SideOut

ROW = 46
"""Height of a row of text, in pixels; the style sheet says the same."""
_MOST = 8
_THICKEST = 0.44  # of the height, for everything together
_THINNEST = 1.5
_GAP = 4  # between the widest band and its neighbours
_WIDTH = 100


class Band(NamedTuple):
    """One band: where it goes, and whose it is."""

    path: str
    side: str
    title: str


@dataclass(slots=True)
class DiagramRow:
    """One row of the middle: a capability, a route of its own, what is left, or no route."""

    name: str
    link: str = ""
    legacy: float = 0.0
    new: float = 0.0
    worries: int = 0

    @property
    def weight(self) -> float:
        """Requests a second on both sides."""
        return self.legacy + self.new

    @property
    def share(self) -> float:
        """The share that new serves."""
        return self.new / self.weight if self.weight else 0.0

    def add(self, row: RouteRow, *, idle: bool) -> None:
        """Add a route: its requests, or, where there are none at all, itself."""
        legacy, new = (1 - row.share, row.share) if idle else (row.legacy.rps, row.new.rps)
        self.legacy += legacy
        self.new += new
        self.worries += len(row.worries)


@dataclass(slots=True)
class TrafficDiagram:
    """The picture."""

    lanes: list[DiagramRow]
    legacy: SideOut
    new: SideOut
    idle: bool
    """Nothing was asked for: widths are by routes, as the table has them."""
    height: float = 0.0
    arriving: list[Band] = field(default_factory=list)
    leaving: list[Band] = field(default_factory=list)


def diagram_of(
    rows: Sequence[RouteRow], whole: RouteTraffic | None, unmatched: RouteTraffic | None
) -> TrafficDiagram:
    """The picture of some routes."""
    legacy, new = ((whole.legacy or NONE), (whole.new or NONE)) if whole else (NONE, NONE)
    idle = not legacy.rps + new.rps
    by_name: dict[str, DiagramRow] = {}
    for row in rows:
        capability, link = row.route.capability, f"/console/routes/{quote(row.route.id)}"
        if capability:
            link = f"/console/routes?capability={quote(capability)}"
        lane = by_name.setdefault(capability or row.route.id, DiagramRow(row.capability, link))
        lane.add(row, idle=idle)
    lanes = sorted(by_name.values(), key=lambda lane: (-lane.weight, lane.name))
    if len(lanes) > _MOST:
        lanes = [*lanes[: _MOST - 1], _rest(lanes[_MOST - 1 :])]
    if unmatched is not None:
        side = unmatched.legacy or NONE
        lanes.append(DiagramRow("no route", "", side.rps, (unmatched.new or NONE).rps))
    found = TrafficDiagram(lanes, legacy, new, idle)
    _draw(found)
    return found


def _rest(lanes: Sequence[DiagramRow]) -> DiagramRow:
    found = DiagramRow(f"{len(lanes)} others", "/console/routes")
    for lane in lanes:
        found.legacy += lane.legacy
        found.new += lane.new
        found.worries += lane.worries
    return found


def _draw(flow: TrafficDiagram) -> None:
    flow.height = float(max(3, len(flow.lanes)) * ROW)
    top = (flow.height - len(flow.lanes) * ROW) / 2
    total = sum(lane.weight for lane in flow.lanes) or 1.0
    widest = max((lane.weight for lane in flow.lanes), default=0.0) or 1.0
    scale = min(flow.height * _THICKEST / total, (ROW - _GAP) / widest)
    arriving = (flow.height - total * scale) / 2
    legacy = flow.height / 4 - sum(lane.legacy for lane in flow.lanes) * scale / 2
    new = flow.height * 3 / 4 - sum(lane.new for lane in flow.lanes) * scale / 2
    for number, lane in enumerate(flow.lanes):
        thick = lane.weight * scale
        begin = top + number * ROW + (ROW - thick) / 2
        if lane.weight:
            side = "both" if lane.legacy and lane.new else "new" if lane.new else "legacy"
            flow.arriving.append(Band(_band(arriving, begin, thick), side, lane.name))
        arriving += thick
        for name, amount in (("legacy", lane.legacy), ("new", lane.new)):
            wide = amount * scale
            end = legacy if name == "legacy" else new
            if amount:
                title = f"{lane.name} to {name}: {amount / lane.weight * 100:.3g} %"
                flow.leaving.append(Band(_band(begin, end, wide), name, title))
            begin += wide
            if name == "legacy":
                legacy += wide
            else:
                new += wide


def _band(left: float, right: float, thick: float) -> str:
    """A band from one height at the left to another at the right."""
    if thick < _THINNEST:
        left, right, thick = left - _THINNEST / 2, right - _THINNEST / 2, _THINNEST
    half = _WIDTH / 2
    return (
        f"M0 {left:.1f}C{half:g} {left:.1f} {half:g} {right:.1f} {_WIDTH} {right:.1f}"
        f"V{right + thick:.1f}C{half:g} {right + thick:.1f} {half:g} {left + thick:.1f} "
        f"0 {left + thick:.1f}Z"
    )
