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
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from bench import console_fill as data
from bench.console_fill import Size, route_id
from bench.console_pages import FRAGMENT, measure_pages
from bench.console_system import Proxies, Row, Target, control_plane, empty, log_in, say, share

MOST_MS = 300
MOST_SHARE = 0.05
DATABASES = ("sqlite", "postgresql")

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
            answer = await client.get(path, headers=FRAGMENT)
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
        # Answers are slower where other jobs want the cores: the load of the last 15 minutes.
        machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[2], 1)}
        found = {"size": size, "machine": machine, "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    wrong = judged(rows)
    for line in wrong:
        say(f"MISSED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
