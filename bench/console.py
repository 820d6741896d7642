"""What the console costs with a large table: every page, and ten browsers that look on.

    python -m bench.console [--databases sqlite,postgresql] [--comparisons 1000000] [--json FILE]

For each database: fills it (`bench.console_fill`), starts the real control plane, lets three
proxies report at their normal rate, asks for every page and for the main lists of the API, then
lets browsers look on for a minute. One JSON object a line: `page`, `database`, `median_ms`,
`max_ms`, `cpu_ms` (of the control plane, for one answer, less what the reports take), `bytes`;
then `live`: the share of a core that the control plane takes without and with the browsers. The
first answer of each page counts too. Exit code 1 if a page took 300 ms or more (the worst
answer, not the median), or browsers took 5 % of a core or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import console_fill as data
from bench.console_fill import Size, route_id
from bench.measure import use
from control_plane.cli.processes import Group, answers, python_module
from control_plane.cli.up import LOOPBACK, free_port
from tests.control_plane import postgres

MOST_MS = 300
MOST_SHARE = 0.05
DATABASES = ("sqlite", "postgresql")
PROXIES = 3
REPORT_S = 2.0
ACK_S = 5.0
_FRAGMENT = {"HX-Request": "true"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A running control plane over a filled database."""

    database: str
    url: str
    key: str
    pid: int
    size: Size


# -- starting ----------------------------------------------------------------------------------


@contextmanager
def empty(kind: str, home: Path) -> Iterator[str]:
    """An empty database of a kind; its URL."""
    if kind == "sqlite":
        yield f"sqlite:///{home}/figway.sqlite3"
        return
    # The tests' server gives durability away; this one is to cost what a real one does.
    options = ("fsync=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=8GB")
    with postgres.server(options) as server, postgres.database(server) as url:
        yield url


@asynccontextmanager
async def control_plane(kind: str, database: str, home: Path, size: Size) -> AsyncIterator[Target]:
    """Fill a database, and start the control plane over it."""
    say(f"{kind}: filling")
    filled = await data.fill(database, size)
    say(f"{kind}: {filled['rows']} in {filled['seconds']} s")
    address = f"{LOOPBACK}:{free_port(0)}"
    settings = {
        "FIGWAY_DATABASE_URL": database,
        "FIGWAY_ADMIN_LISTEN": address,
        "FIGWAY_STATE_DIR": str(home),
        "FIGWAY_KEEP_EXAMPLE_MEGABYTES": "16000",
        "FIGWAY_LOG_LEVEL": "warning",
    }
    async with Group(home / "logs") as group:
        child = await group.start(
            "control",
            python_module("control_plane"),
            env={**os.environ, **settings},
            ready=answers(f"http://{address}/live"),
        )
        assert child.process is not None
        yield Target(kind, f"http://{address}", filled["key"], child.process.pid, size)


# -- proxies -----------------------------------------------------------------------------------


class Proxies:
    """Three proxies, and their shadow workers, as far as the control plane hears of them.

    Each report names a third of the routes, so that each proxy names all of them in six seconds.
    """

    def __init__(self, target: Target, client: httpx.AsyncClient) -> None:
        self._target = target
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Proxies:
        current = (await self._client.get("/api/v1/table")).json()
        for number in range(PROXIES):
            for work, seconds in ((self._report, REPORT_S), (self._compare, REPORT_S)):
                self._tasks.append(asyncio.create_task(self._every(work, seconds, number)))
            self._tasks.append(asyncio.create_task(self._acks(number, current)))
        await asyncio.sleep(ACK_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for error in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(error, Exception):
                raise error

    async def _every(self, work: Any, seconds: float, number: int) -> None:
        await asyncio.sleep(number * seconds / PROXIES)
        turn = 0
        begun = time.monotonic()
        while True:
            turn += 1
            path, body = work(number, turn)
            answer = await self._client.post(f"/api/v1{path}", json=body)
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(max(0.0, begun + turn * seconds - time.monotonic()))

    def _report(self, number: int, turn: int) -> tuple[str, Row]:
        now = int(time.time() * 1_000)
        chosen = range(turn % 3, self._target.size.routes, 3)
        latency = {str(60 + step): 2 + step % 3 for step in range(12)}
        series = [
            {"route": route_id(n), "side": side, "backend": backend, "requests": 30,
             "statuses": {"2xx": 29, "4xx": 1}, "latency": latency, "request_bytes": 9_000,
             "response_bytes": 90_000}
            for n in chosen for side, backend in data.sides(n)
        ]  # fmt: skip
        return "/reports", {**self._frame(number, turn, now), "series": series}

    def _compare(self, number: int, turn: int) -> tuple[str, Row]:
        now = int(time.time() * 1_000)
        chosen = data.compared(self._target.size)
        routes = [
            {"route": route_id(chosen[(turn * 20 + i) % len(chosen)]), "window": data.WINDOW,
             "revision": 2, "captured": 2, "verdicts": {"match": 2},
             "latency": {"legacy": {"70": 2}, "new": {"66": 2}}}
            for i in range(20)
        ]  # fmt: skip
        return "/comparisons/batches", {**self._frame(number, turn, now), "routes": routes}

    def _frame(self, number: int, turn: int, now: int) -> Row:
        return {"instance": f"p{number}", "boot": f"b{number}-{self._boot}", "sequence": turn,
                "from_ms": now - 2_000, "to_ms": now}  # fmt: skip

    @property
    def _boot(self) -> int:
        return id(self)

    async def _acks(self, number: int, current: Row) -> None:
        while True:
            workers = [{"id": n, "revision": current["revision"]} for n in range(2)]
            body = {"instance": f"p{number}", "boot": f"b{number}", "workers": workers,
                    "revision": current["revision"], "etag": current["etag"]}  # fmt: skip
            await self._client.post("/api/v1/fleet/acks", json=body)
            await asyncio.sleep(ACK_S)


# -- pages -------------------------------------------------------------------------------------


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
        "kill dialog": "/console/kill", "revision": f"/console/revisions/{size.revisions}",
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
        "rule dialog": f"{named}/rule?kind=ignore&target=%24.items%5B*%5D.field_7",
        "export": f"{named}/export?form=pytest&verdict=mismatch",
        "explain": "/console/explain?request=/shop/part-77/5/items",
        "explain, what if": "/console/explain?request=/shop/part-77/5/items&percent=25",
        "explain, old revision":
            f"/console/explain?request=/shop/part-77/5/items&revision={size.revisions // 2}",
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


async def log_in(target: Target, stack: AsyncExitStack) -> httpx.AsyncClient:
    """A browser with a session; it may use the API too."""
    client = await stack.enter_async_context(
        httpx.AsyncClient(
            base_url=target.url, timeout=60, headers={"Authorization": f"Bearer {target.key}"}
        )
    )
    answer = await client.post("/console/login", data={"key": target.key})
    assert answer.status_code == 303, answer.text
    return client


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
    answer = await client.get(path, headers=_FRAGMENT if fragment else {})
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
            f"/api/v1/routes/{route}/flip", json=body, headers={"if-match": "*"}
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


# -- browsers ----------------------------------------------------------------------------------

OPEN = ("/console/", "/console/routes", "/console/routes/{route}", "/console/fleet")
_POLL = re.compile(r'hx-get="([^"]+)" hx-trigger="every (\d+)s')
_FEED = re.compile(r'data-feed="([^"]+)"')


class Browser:
    """One open page, which does what its HTML says: its parts poll, and it follows the stream."""

    def __init__(self, target: Target, number: int) -> None:
        canary = next(n for n in range(target.size.routes) if data.stage_of(n) == "canary")
        self.path = OPEN[number % len(OPEN)].format(route=route_id(canary))
        self.requests = 0
        self.events = 0
        self._drawn = random.Random(number)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Open the page, and stay on it."""
        html = (await client.get(self.path)).text
        polls = _POLL.findall(html)
        assert polls, f"{self.path} polls nothing"
        feed = _FEED.search(html)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(client, {"route": feed[1]} if feed else {}))
            for path, seconds in polls:
                tasks.create_task(self._poll(client, path.replace("&amp;", "&"), float(seconds)))

    async def _poll(self, client: httpx.AsyncClient, path: str, seconds: float) -> None:
        await asyncio.sleep(self._drawn.random() * seconds)
        while True:
            begun = time.monotonic()
            answer = await client.get(path, headers=_FRAGMENT)
            assert answer.status_code in (200, 204), answer.text
            self.requests += 1
            await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))

    async def _follow(self, client: httpx.AsyncClient, query: dict[str, str]) -> None:
        async with client.stream("GET", "/console/live", params=query, timeout=None) as answer:
            async for line in answer.aiter_lines():
                self.events += line.startswith("event:")


async def measure_live(target: Target, browsers: int, seconds: float) -> Row:
    """The control plane's share of a core without and with browsers, in turns, as it drifts."""
    without, found = [], []
    requests = events = 0
    for turn in range(2):
        say(
            f"{target.database}: {seconds:.0f} s without, {seconds:.0f} s with browsers, {turn + 1}"
        )
        without.append(await share(target, seconds))
        async with AsyncExitStack() as stack:
            looking = [Browser(target, number) for number in range(browsers)]
            clients = [await log_in(target, stack) for _ in looking]
            tasks = [
                asyncio.create_task(one.look(client))
                for one, client in zip(looking, clients, strict=True)
            ]
            await asyncio.sleep(5)
            before = sum(one.requests for one in looking)
            found.append(await share(target, seconds))
            requests += sum(one.requests for one in looking) - before
            events += sum(one.events for one in looking)
            for task in tasks:
                assert not task.done(), "a browser gave up"
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    low, high = statistics.fmean(without), statistics.fmean(found)
    return {
        "live": browsers,
        "database": target.database,
        "seconds": seconds * 2,
        "requests": requests,
        "events": events,
        "core_without": round(low, 4),
        "core_with": round(high, 4),
        "core_of_browsers": round(high - low, 4),
    }


async def share(target: Target, seconds: float) -> float:
    """The share of a core that the control plane takes for a while."""
    before, begun = use(target.pid).cpu_us, time.monotonic()
    await asyncio.sleep(seconds)
    return (use(target.pid).cpu_us - before) / 1e6 / (time.monotonic() - begun)


def spent_ms(pid: int) -> float:
    """Processor time of a process's threads so far, finer than ticks where the kernel says it."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, ValueError):
            continue
    return total / 1e6 if total else use(pid).cpu_us / 1_000


# -- the command -------------------------------------------------------------------------------


async def run(kind: str, database: str, home: Path, options: argparse.Namespace) -> list[Row]:
    """All of it on one database."""
    size = Size(options.routes, options.comparisons, options.hours, options.revisions)
    async with control_plane(kind, database, home, size) as target, AsyncExitStack() as stack:
        client = await log_in(target, stack)
        await stack.enter_async_context(Proxies(target, client))
        rows = await measure_pages(target, client, options.rounds)
        for row in rows:
            sys.stdout.write(json.dumps(row) + "\n")
        if options.seconds:
            rows.append(await measure_live(target, options.browsers, options.seconds))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
        return rows


def judged(rows: list[Row]) -> list[str]:
    """What misses its mark."""
    wrong = [
        f"{row['page']} on {row['database']}: {row['max_ms']} ms"
        for row in rows
        if "page" in row and row["max_ms"] >= MOST_MS
    ]
    return wrong + [
        f"browsers on {row['database']}: {row['core_of_browsers']:.1%} of a core"
        for row in rows
        if "live" in row and row["core_of_browsers"] >= MOST_SHARE
    ]


def say(line: str) -> None:
    """Progress, beside the figures."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", default=",".join(DATABASES))
    parser.add_argument("--routes", type=int, default=1_000)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--hours", type=int, default=24, help="of traffic of every route")
    parser.add_argument("--revisions", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--browsers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0, help="0 leaves the browsers out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    for kind in options.databases.split(","):
        home = Path(tempfile.mkdtemp(prefix="figway-console-"))
        try:
            with empty(kind, home) as database:
                rows += asyncio.run(run(kind, database, home, options))
        finally:
            shutil.rmtree(home, ignore_errors=True)
    if options.json:
        size = {name: getattr(options, name) for name in ("routes", "comparisons", "hours")}
        options.json.write_text(json.dumps({"size": size, "rows": rows}, indent=1) + "\n")
    wrong = judged(rows)
    for line in wrong:
        say(f"MISSED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
