"""The flow picture: widths are shares, rows meet their bands, and nothing leaves the frame."""

from __future__ import annotations

import re

import pytest

from control_plane.console.route_row import RouteRow
from control_plane.console.traffic_diagram import ROW, TrafficDiagram, diagram_of
from control_plane.traffic.schemas import RouteTraffic, SideOut
from figway.model.table import Route, RouteMatch, Stage


def line(name: str, capability: str, legacy: float, new: float, **more: object) -> RouteRow:
    route = Route(id=name, match=RouteMatch(path=f"/{name}"), capability=capability, **more)  # type: ignore[arg-type]
    return RouteRow(route, SideOut(rps=legacy), SideOut(rps=new))


def whole(legacy: float, new: float) -> RouteTraffic:
    return RouteTraffic(route="*", legacy=SideOut(rps=legacy), new=SideOut(rps=new))


def spans(flow: TrafficDiagram, which: str) -> list[tuple[float, float]]:
    """From and to of each band: at its left end, or at its right end."""
    found = []
    for band in flow.arriving if which == "lanes" else flow.leaving:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", band.path)]
        top, bottom = numbers[7], numbers[8]
        found.append((top, bottom))
    return found


def test_widths_are_shares() -> None:
    rows = [line("a", "shop", 6, 2), line("b", "shop", 0, 2), line("c", "", 10, 0)]
    flow = diagram_of(rows, whole(16, 4), None)
    assert [(lane.name, lane.weight) for lane in flow.lanes] == [("c", 10), ("shop", 10)]
    assert [lane.share for lane in flow.lanes] == [0, pytest.approx(0.4)]
    assert [(band.side, band.title) for band in flow.leaving] == [
        ("legacy", "c to legacy: 100 %"),
        ("legacy", "shop to legacy: 60 %"),
        ("new", "shop to new: 40 %"),
    ]
    widths = [bottom - top for top, bottom in spans(flow, "sides")]
    assert widths[1] / widths[0] == pytest.approx(0.6, abs=0.02)
    assert widths[2] / widths[0] == pytest.approx(0.4, abs=0.02)


def test_bands_meet_their_rows_and_stay_within() -> None:
    rows = [line(f"r{number}", f"c{number}", 3.0**number, 1) for number in range(20)]
    unmatched = RouteTraffic(route="-", legacy=SideOut(rps=5))
    flow = diagram_of(rows, whole(10, 10), unmatched)
    assert len(flow.lanes) == 9
    assert flow.lanes[7].name == "13 others"
    assert flow.lanes[-1].name == "no route"
    for number, (top, bottom) in enumerate(spans(flow, "lanes")):
        assert ROW * number <= top <= bottom <= ROW * (number + 1)
    for top, bottom in spans(flow, "sides"):
        assert 0 <= top < bottom <= flow.height


def test_without_traffic_the_table_is_drawn() -> None:
    rows = [
        line("a", "shop", 0, 0, stage=Stage.NEW),
        line("b", "shop", 0, 0, stage=Stage.CANARY, weight=2_500),
    ]
    flow = diagram_of(rows, None, None)
    assert flow.idle
    assert flow.lanes[0].share == pytest.approx(0.625)
    assert diagram_of([], None, None).arriving == []


def test_a_lane_without_requests_has_no_band() -> None:
    flow = diagram_of([line("a", "shop", 5, 0), line("b", "site", 0, 0)], whole(5, 0), None)
    assert [lane.name for lane in flow.lanes] == ["shop", "site"]
    assert len(flow.arriving) == len(flow.leaving) == 1
