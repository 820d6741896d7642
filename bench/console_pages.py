"""Every page of the console and every list of the API, asked for in rounds."""

from __future__ import annotations

import statistics
import time

import httpx

from bench import console_fill as data
from bench.console_fill import route_id
from bench.console_system import Row, Target, say, share, spent_ms

FRAGMENT = {"HX-Request": "true"}
"""What htmx sends."""


def pages(target: Target, pair: str, cursor: str) -> list[tuple[str, str]]:
    """Every page and part of the console with what can be asked of it; the API's main lists."""
    size = target.size
    chosen = data.compared(size)
    most = route_id(chosen[0])
    canary = next(n for n in range(size.routes) if data.stage_of(n) == "canary")
    busy, field = route_id(canary), "field=%24.items%5B*%5D.field_7"
    named = f"/console/shadow/{route_id(chosen[9])}"
    console = {
        "map": "/console/", "map, live": "/console/map", "burn-up": "/console/burn-up.json",
        "status": "/console/status", "routes": "/console/routes",
        "routes, live": "/console/routes?part=1", "routes, search": "/console/routes?q=shop-001",
        "routes, filter": "/console/routes?stage=canary&backend=fn-3",
        "routes, by match rate": "/console/routes?sort=match",
        "routes, last page": "/console/routes?page=20",
        "capability": "/console/routes?capability=part-7",
        "route": f"/console/routes/{busy}", "route, live": f"/console/routes/{busy}/now",
        "route, rarely changed": f"/console/routes/{route_id(0)}",
        **{f"charts, {span}": f"/console/routes/{busy}/traffic.json?range={span}"
           for span in ("1h", "6h", "24h")},
        "charts, 7d": f"/console/routes/{route_id(0)}/traffic.json?range=7d",
        "charts, all routes": "/console/routes/*/traffic.json?range=7d",
        "flip dialog": f"/console/routes/{busy}/flip?stage=canary&percent=50",
        "flip dialog, capability": "/console/capabilities/part-7/flip?stage=shadow",
        "breaker dialog": f"/console/routes/{busy}/breaker?force=open",
        "kill dialog": "/console/kill", "kill progress": "/console/kill/progress",
        "revision": f"/console/revisions/{size.revisions}",
        "revision, first": "/console/revisions/1",
        "propagation": f"/console/propagation/{size.revisions}",
        "shadow": "/console/shadow", "shadow, search": "/console/shadow?q=shop-001",
        "shadow route": named, "shadow route, 2 000 fields": f"/console/shadow/{most}",
        "shadow route, noise": f"{named}?noise=1",
        "shadow route, verdict": f"{named}?verdict=mismatch",
        "shadow route, rare verdict": f"{named}?verdict=compare_error",
        "shadow route, field": f"{named}?{field}",
        "shadow route, field and verdict": f"{named}?{field}&verdict=new_failed",
        "shadow route, older": f"{named}?cursor={cursor}",
        "pair": f"{named}/examples/{pair}",
        "pair, unified": f"{named}/examples/{pair}?view=unified",
        "restart dialog": f"{named}/restart",
        "rollouts": "/console/rollouts", "rollout": f"/console/rollouts/{data.ROLLOUT}",
        "rule dialog": f"{named}/rule?kind=ignore&target=%24.items%5B*%5D.field_7",
        "export": f"{named}/export?form=pytest&verdict=mismatch",
        "explain": "/console/explain?request=/shop/part-77/5/items",
        "explain, what if": "/console/explain?request=/shop/part-77/5/items&percent=25",
        "explain, old revision":
            f"/console/explain?request=/shop/part-77/5/items&revision={size.revisions // 2}",
        "operations": "/console/operations",
        "backends": "/console/backends", "form, new route": "/console/new/routes",
        "form, edit route": f"/console/edit/routes/{busy}",
        "form, edit backend": "/console/edit/backends/fn-3",
        "fleet": "/console/fleet", "fleet, live": "/console/fleet?part=1",
        "audit": "/console/audit", "audit, action": "/console/audit?action=key.create",
        "audit, subject": f"/console/audit?subject=route+{busy}",
        "audit, oldest": "/console/audit?action=table.apply",
        "audit, actor": "/console/audit?actor=nobody",
        "audit, time": "/console/audit?until=2020-01-01", "keys": "/console/keys",
        "login": "/console/login",
    }  # fmt: skip
    api = {
        "routes": "/routes?limit=1000", "table": "/table", "traffic, summary": "/traffic/summary",
        "traffic, summary of an hour": "/traffic/summary?minutes=60",
        "traffic": f"/traffic?route={busy}", "traffic, all routes": "/traffic?route=*",
        "compared": "/comparisons/routes?limit=1000",
        "compared, attention": "/comparisons/routes?sort=attention",
        "compared route": f"/comparisons/routes/{most}",
        "fields": f"/comparisons/routes/{most}/fields", "examples": "/comparisons/examples",
        "examples, verdict": "/comparisons/examples?verdict=mismatch",
        "examples, rare verdict": "/comparisons/examples?verdict=compare_error",
        "examples, field": f"/comparisons/examples?{field}",
        "examples, signature": "/comparisons/examples?signature=none",
        "examples, window": "/comparisons/examples?window=none",
        "revisions": "/revisions", "revisions of a route": f"/revisions?route={route_id(0)}",
        "audit": "/audit", "events": "/events", "events of a route": f"/events?route={busy}",
        "fleet": "/fleet", "capabilities": "/capabilities", "keys": "/keys",
    }  # fmt: skip
    return [*console.items(), *((f"API: {name}", f"/api/v1{path}") for name, path in api.items())]


async def measure_pages(target: Target, client: httpx.AsyncClient, rounds: int) -> list[Row]:
    """Every page some times, in rounds, so that nothing is remembered from the time before."""
    named = route_id(data.compared(target.size)[9])
    listed = await client.get("/api/v1/comparisons/examples", params={"route": named, "limit": 20})
    asked = pages(target, listed.json()["items"][0]["id"], listed.json()["next"])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in asked}
    sizes: dict[str, int] = {}
    at_rest = (await share(target, 10.0)) * 1_000
    for turn in range(rounds):
        say(f"{target.database}: pages, round {turn + 1} of {rounds}")
        for name, path in asked:
            elapsed, spent, size = await _ask(target, client, path)
            times[name].append((elapsed, max(0.0, spent - elapsed * at_rest / 1_000)))
            sizes[name] = size
    rows = [_row(target, name, found, sizes[name]) for name, found in times.items()]
    return [*rows, await _after_a_flip(target, client, rounds)]


async def _ask(target: Target, client: httpx.AsyncClient, path: str) -> tuple[float, float, int]:
    """One answer: milliseconds until it was whole, processor time meanwhile, its size."""
    fragment = "live" in path or "part=1" in path or path.endswith(("/map", "/now", "/status"))
    before, begun = spent_ms(target.pid), time.perf_counter()
    answer = await client.get(path, headers=FRAGMENT if fragment else {})
    elapsed = (time.perf_counter() - begun) * 1_000
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
    return elapsed, spent_ms(target.pid) - before, len(answer.content)


async def _after_a_flip(target: Target, client: httpx.AsyncClient, rounds: int) -> Row:
    """The map, when the table has just changed."""
    found, size = [], 0
    route = route_id(next(n for n in range(target.size.routes) if data.stage_of(n) == "canary"))
    for turn in range(rounds):
        body = {"weight": 4_000 + turn, "reason": "bench"}
        flipped = await client.post(
            f"/api/v1/routes/{route}/flip?confirm=exposure", json=body, headers={"if-match": "*"}
        )
        assert flipped.status_code == 200, flipped.text
        elapsed, spent, size = await _ask(target, client, "/console/")
        found.append((elapsed, spent))
    return _row(target, "map, after a flip", found, size)


def _row(target: Target, name: str, found: list[tuple[float, float]], size: int) -> Row:
    times = [elapsed for elapsed, _ in found]
    return {
        "page": name,
        "database": target.database,
        "median_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
        "cpu_ms": round(statistics.fmean(spent for _, spent in found), 1),
        "bytes": size,
    }
