"""The migration map: how far it is, and what needs attention first."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from control_plane.clock import now_ms
from control_plane.console.access import Viewing, Visit
from control_plane.console.burn_up import capabilities_done, routes_done
from control_plane.console.formats import span
from control_plane.console.live_state import LiveSnapshot
from control_plane.console.route_row import NONE, RouteRow, line, ordered
from control_plane.console.traffic_diagram import diagram_of
from control_plane.rollouts.store import StoredRollout
from figway.model.change import Kind
from figway.model.table import Stage

router = APIRouter()
_DAYS = 30
_STUCK_MS = 14 * 86_400_000
_HELD_MS = 86_400_000
_MOST_WORRIES = 12
_SIZES = 4
_ALL_TILES = 60
"""Routes up to which the map shows each as a tile."""
_TILES = 6


@dataclass(frozen=True, slots=True)
class Worry:
    """Something that deserves attention, and where to look."""

    rank: int
    what: str
    why: str
    link: str


@router.get("/")
async def show(visit: Viewing) -> Response:
    """The page."""
    return await visit.page("map.html", **await _context(visit))


@router.get("/map")
async def moving(visit: Viewing) -> Response:
    """Its moving parts."""
    return await visit.shared("map_now.html", "", lambda: _context(visit))


@router.get("/burn-up.json")
async def burn_up(visit: Viewing) -> JSONResponse:
    """Shares of requests, routes and capabilities on new, over the last thirty days."""
    until = now_ms()
    since = until - _DAYS * 86_400_000
    steps = await visit.console.burn_up.steps()
    if steps:
        since = max(since, min(steps[0].at_ms, until - 3_600_000))
    step_s = max(60, -(-(until - since) // 120_000 // 60) * 60)
    if step_s > 600:
        step_s = -(-step_s // 600) * 600  # what coarse buckets make
    step_ms = step_s * 1_000
    first = since - since % step_ms
    points = await visit.services.traffic.requests("*", first, until, step_s)
    times, requests = [], []
    for at in range(first, until, step_ms):
        sides = points.get(at, {})
        total = sum(sides.values())
        times.append(at // 1_000)
        requests.append(round(100 * sides.get("new", 0) / total, 2) if total else None)
    return JSONResponse(
        {
            "times": times,
            "requests": requests,
            "routes": _stairs(times, [(s.at_ms / 1_000, s.routes) for s in steps]),
            "capabilities": _stairs(times, [(s.at_ms / 1_000, s.capabilities) for s in steps]),
        }
    )


def _stairs(times: list[int], steps: list[tuple[float, float]]) -> list[float | None]:
    found: list[float | None] = []
    number = 0
    for index in range(len(times)):
        end = times[index + 1] if index + 1 < len(times) else math.inf
        while number < len(steps) and steps[number][0] < end:
            number += 1
        found.append(round(steps[number - 1][1] * 100, 2) if number else None)
    return found


async def _context(visit: Visit) -> dict[str, Any]:
    live = await visit.console.live_state.snapshot()
    await visit.console.burn_up.steps()
    proofs = await visit.services.comparisons.views.current()
    rollouts = await visit.services.rollouts.all()
    rows = [line(route, live, proofs) for route in live.published.table.routes.values()]
    whole = live.traffic.get("*")
    new, legacy = ((whole.new or NONE), (whole.legacy or NONE)) if whole else (NONE, NONE)
    total = new.requests + legacy.requests
    groups: dict[str, list[RouteRow]] = defaultdict(list)
    for row in rows:
        groups[row.route.capability].append(row)
    stages = {stage: sum(row.route.stage is stage for row in rows) for stage in Stage}
    return {
        "requests_share": new.requests / total if total else None,
        "rps": new.rps + legacy.rps,
        "routes": routes_done(live.published.table),
        "capabilities": capabilities_done(live.published.table),
        "stages": stages,
        "groups": tile_groups(groups),
        "size_of": _sizer(rows),
        "worries": sorted(
            [*_worries(visit, live, rows), *_held(rollouts)], key=lambda worry: worry.rank
        )[:_MOST_WORRIES],
        "moving": await visit.services.rollouts.moving(),
        "flow": diagram_of(rows, whole, live.traffic.get("-")),
    }


@dataclass(frozen=True, slots=True)
class TileGroup:
    """The tiles of one capability, or of routes on their own (without a name): those that need
    attention or are busiest, and how many more there are, by stage."""

    name: str
    rows: list[RouteRow]
    more: dict[str, int]


def tile_groups(groups: Mapping[str, list[RouteRow]]) -> list[TileGroup]:
    """Groups by name. A map of hundreds of equal tiles says nothing: beyond `_ALL_TILES` each group
    shows what deserves a look, and counts the rest."""
    whole = sum(len(rows) for rows in groups.values())
    most = whole if whole <= _ALL_TILES else max(1, min(_TILES, _ALL_TILES // len(groups)))
    found = []
    for name, rows in sorted(groups.items(), key=lambda item: (not item[0], item[0])):
        first = rows if len(rows) <= most else ordered(rows, "attention")[:most]
        shown = {row.route.id for row in first}
        rest = Counter(row.route.stage.value for row in rows if row.route.id not in shown)
        more = {stage.value: rest[stage.value] for stage in Stage if rest[stage.value]}
        found.append(TileGroup(name, first, more))
    return found


def _sizer(rows: list[RouteRow]) -> Any:
    """Sizes 1 to 4 by traffic, by orders of magnitude below the busiest."""
    busiest = max((row.rps for row in rows), default=0.0)

    def size(row: RouteRow) -> int:
        if not row.rps or not busiest:
            return 1
        return max(1, _SIZES - int(-math.log(row.rps / busiest, 3)))

    return size


def _worries(visit: Visit, live: LiveSnapshot, rows: list[RouteRow]) -> list[Worry]:
    found: list[Worry] = []
    if live.fault:
        found.append(Worry(0, "Database", live.fault, "/console/fleet"))
    if live.kill.on:
        why = f"the kill switch is {live.kill.summary}"
        found.append(Worry(0, "Kill switch", why, "/console/audit?action=kill.on"))
    if live.kill.doubt:
        found.append(Worry(0, "Kill switch", live.kill.doubt, "/console/fleet"))
    for name in live.told_elsewhere:
        why = "sends everything to legacy by a press that this control plane does not know"
        found.append(Worry(0, name, why, "/console/fleet"))
    for name in live.killed_hosts:
        why = "a kill file or signal on its host sends everything to legacy"
        found.append(Worry(0, name, why, "/console/fleet"))
    for proxy in live.proxies:
        if proxy.refused is not None:
            why = f"refused revision {proxy.refused.revision}, and serves {proxy.revision}"
            found.append(Worry(1, proxy.instance, why, "/console/fleet"))
        elif not proxy.live and not proxy.stopping:
            why = "was not heard of lately; it may serve an old table"
            found.append(Worry(2, proxy.instance, why, "/console/fleet"))
        elif proxy.live and proxy.behind:
            noun = "revision" if proxy.behind == 1 else "revisions"
            why = f"lags {proxy.behind} {noun} behind"
            found.append(Worry(2, proxy.instance, why, "/console/fleet"))
    for row in rows:
        link = f"/console/routes/{row.route.id}"
        rank = 1 if row.breaker != "closed" or row.unopened else 3
        found += [Worry(rank, row.route.id, why, link) for why in row.worries]
    found += _stuck(visit, rows)
    return sorted(found, key=lambda worry: worry.rank)


def _held(rollouts: list[StoredRollout]) -> list[Worry]:
    """Rollouts that wait for a person, failed, or have been held for a day, with their age."""
    found = []
    for entry in rollouts:
        state, age = entry.state, now_ms() - entry.phase_ms
        if state is None or not (
            state.needs_attention or (state.waiting_for == "data" and age > _HELD_MS)
        ):
            continue
        what = entry.phase.replace("_", " ")
        what += f" for {state.waiting_for}" if state.waiting_for else ""
        reasons = entry.look.get("reasons", ())
        why = f"rollout {what} since {span(age)}" + (f": {reasons[0]['text']}" if reasons else "")
        rank = 1 if state.phase.value == "aborted" else 3
        found.append(Worry(rank, entry.plan.id, why, f"/console/rollouts/{entry.plan.id}"))
    return found


def _stuck(visit: Visit, rows: list[RouteRow]) -> list[Worry]:
    """Routes that began to move and have stood still for two weeks."""
    dates = visit.console.burn_up.dates
    now = now_ms()
    found = []
    for row in rows:
        if row.route.stage not in (Stage.SHADOW, Stage.CANARY):
            continue
        stored = visit.services.state.stored(Kind.ROUTE, row.route.id)
        at = dates.get(stored.revision) if stored else None
        if at and now - at > _STUCK_MS:
            days = (now - at) // 86_400_000
            why = f"stuck in stage {row.route.stage.value} for {days} days"
            found.append(Worry(4, row.route.id, why, f"/console/routes/{row.route.id}"))
    return found
