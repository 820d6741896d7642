"""New is killed under load and comes back: what clients saw, what ran, and when it was normal.

    python -m bench.outage [--policy default|quick] [--json FILE] [--picture FILE] [--strict]

Real processes: a proxy with two workers, legacy, new, each writing down what it executes. The load
is open connections that mix legacy's own traffic (88 %) with reads (9 %) and plain writes (3 %) of
a route that new serves whole. New is killed with SIGKILL, stays away, and is started again. Prints
one JSON object; with `--strict` the exit code says whether everything held.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.picture import draw
from figway.model.backend import Backend, FallbackBudgetPolicy
from figway.model.table import BreakerPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.suites.faults.journals import Backend as Process
from tests.support.fleet import FakeControl, Proxy
from tests.support.load import Closed, Connection, get, post
from tests.support.until import until

HOST = "shop.example"
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """When what happens, in seconds from the start of the load; and how hard it is."""

    healthy_s: float
    away_s: float
    after_s: float
    breaker: BreakerPolicy
    budget: FallbackBudgetPolicy = field(default_factory=FallbackBudgetPolicy)
    connections: int = 32
    pause_s: float = 0.06


PLANS = {
    "default": Plan(14, 8, 28, BreakerPolicy()),
    "quick": Plan(
        5,
        1.5,
        9,
        BreakerPolicy(open_ms=1_500, ramp_ms=2_000),
        FallbackBudgetPolicy(percent=60),  # its window of 10 s is only half full
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as its client saw it. `at` and `ms` are milliseconds."""

    at: int
    kind: str
    name: str
    status: int
    side: str
    ms: float


@dataclass(slots=True)
class Run:
    """Everything that was observed."""

    seen: list[Seen] = field(default_factory=list)
    began: int = 0
    killed: int = 0
    restarted: int = 0
    ended: int = 0
    breakers: list[dict[str, Any]] = field(default_factory=list)
    legacy: list[tuple[int, str, str]] = field(default_factory=list)
    new: list[tuple[int, str, str]] = field(default_factory=list)


def now_ms() -> int:
    """Milliseconds since the epoch: the clock that journals share."""
    return int(time.time() * 1_000)


def request(number: int) -> tuple[str, str, bytes]:
    """Kind, name and bytes of request `number`; the name is unique and ends the path."""
    turn = number * 7 % 100
    if turn < 3:
        return "post", f"w{number}", post(f"/moved/w{number}", HOST, b'{"n":1}')
    if turn < 12:
        return "get", f"r{number}", get(f"/moved/r{number}", HOST)
    return "own", f"o{number}", get(f"/other/o{number}", HOST)


class Traffic:
    """Connections that ask again and again, and remember each answer. No request is repeated."""

    def __init__(self, url: str, plan: Plan, run: Run) -> None:
        self._url = url
        self._plan = plan
        self._run = run
        self._numbers = iter(range(10**9))
        self._stop = asyncio.Event()

    async def connection(self) -> None:
        """One connection's life."""
        link: Connection | None = None
        while not self._stop.is_set():
            if link is None or not link.open_still:
                link = await Connection.open(self._url)
            kind, name, data = request(next(self._numbers))
            at, begun = now_ms(), time.perf_counter()
            status, side = 0, ""
            try:
                reply = await link.ask(data)
                status, side = reply.status, reply.body.decode()[:12]
            except (OSError, Closed):
                link.close()
                link = None
            ms = (time.perf_counter() - begun) * 1_000
            self._run.seen.append(Seen(at, kind, name, status, side, ms))
            await asyncio.sleep(self._plan.pause_s)
        if link is not None:
            link.close()

    def stop(self) -> None:
        """Let each connection finish its request."""
        self._stop.set()


def table(legacy: str, new: str, plan: Plan) -> Table:
    """Everything with its defaults, but for the breaker and the budget of the plan."""
    route = Route(
        id="moved",
        match=RouteMatch(path="/moved/{x}"),
        stage=Stage.NEW,
        new="new",
        breaker=plan.breaker,
    )
    return Table(
        default_backend="legacy",
        backends=MappingProxyType(
            {
                "legacy": Backend(
                    id="legacy", side=Side.LEGACY, url=legacy, fallback_budget=plan.budget
                ),
                "new": Backend(id="new", side=Side.NEW, url=new),
            }
        ),
        routes=MappingProxyType({"moved": route}),
    )


async def experiment(plan: Plan, folder: Path) -> Run:
    """Run it."""
    run = Run()
    legacy, new = Process("legacy", folder, 5), Process("new", folder)
    proxy: Proxy | None = None
    control: FakeControl | None = None
    try:
        await asyncio.gather(legacy.start(), new.start())
        control = FakeControl(table(legacy.url, new.url, plan))
        await control.start()
        proxy = Proxy(
            folder / "state",
            control_url=control.url,
            control_key="proxy-key",
            log_sample="0",
            workers=str(WORKERS),
        )
        await proxy.start()
        traffic = Traffic(proxy.facade, plan, run)
        run.began = now_ms()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(plan.connections):
                tasks.create_task(traffic.connection())
            await asyncio.sleep(plan.healthy_s)
            run.killed = now_ms()
            await new.kill()
            await asyncio.sleep(plan.away_s)
            await new.start()
            run.restarted = now_ms()
            await asyncio.sleep(plan.after_s)
            traffic.stop()
        run.ended = now_ms()
        await until(lambda: control.reports, "reports")
        await asyncio.sleep(0.6)
    finally:
        if proxy is not None:
            await proxy.destroy()
        if control is not None:
            control.stop()
        await asyncio.gather(legacy.kill(), new.kill())
    run.breakers = [event for report in control.reports for event in report["events"]]
    run.legacy, run.new = legacy.executed(), new.executed()
    return run


def per_second(times: list[int], begin: int, end: int) -> list[int]:
    """How many fall into each whole second from `begin` to `end`."""
    counts = [0] * max(0, (end - begin) // 1_000)
    for at in times:
        index = (at - begin) // 1_000
        if 0 <= index < len(counts):
            counts[index] += 1
    return counts


def judge(run: Run, plan: Plan) -> dict[str, Any]:
    """The figures, and whether each promise held."""
    gets = [item for item in run.seen if item.kind == "get"]
    posts = [item for item in run.seen if item.kind == "post"]
    own = [item for item in run.seen if item.kind == "own"]
    writes = Counter(name for _, method, name in [*run.legacy, *run.new] if method == "POST")
    own_rate = per_second([at for at, _, n in run.legacy if n[0] == "o"], run.began, run.ended)
    extra = per_second([at for at, _, n in run.legacy if n[0] != "o"], run.began, run.ended)
    share, least = plan.budget.percent / 100, float(plan.budget.min_per_s)
    allowed = [
        max(least, share * sum(own_rate[max(0, i - 10) : i]) / 10) for i in range(len(extra))
    ]
    opened = [item for item in run.breakers if item["to"] == "open"]
    closed = [item for item in run.breakers if item["to"] == "closed"]
    steady = per_second([at for at, _, _ in run.new], run.began, run.killed)[1:]
    after = per_second([at for at, _, _ in run.new], run.restarted, run.ended)
    # The first opening of each worker is what the breaker took to notice the death.
    first = {item["worker"]: item["at_ms"] for item in reversed(opened)}
    figures: dict[str, Any] = {
        "requests": len(run.seen),
        "per_second": round(len(run.seen) / ((run.ended - run.began) / 1_000)),
        "statuses": {
            kind: dict(sorted(Counter(item.status for item in group).items()))
            for kind, group in (("get", gets), ("post", posts), ("own", own))
        },
        "gets_failed": sum(item.status != 200 for item in gets),
        "own_failed": sum(item.status != 200 for item in own),
        "posts_answered_with_an_error": sum(item.status != 200 for item in posts),
        "posts_executed": len(writes),
        "posts_executed_twice": sum(count > 1 for count in writes.values()),
        "breaker_opened_ms": sorted(at - run.killed for at in first.values()),
        "breaker_closed_ms": sorted(item["at_ms"] - run.restarted for item in closed),
        "legacy_extra_max_per_s": max(extra, default=0),
        "legacy_extra_allowed_per_s": round(allowed[extra.index(max(extra))], 1) if extra else 0,
        "new_steady_per_s": round(sum(steady) / max(1, len(steady)), 1),
        "new_max_per_s": max(steady, default=0),
        "new_max_per_s_after_recovery": max(after, default=0),
        "slowest_get_ms": round(max((item.ms for item in gets), default=0.0), 1),
    }
    held = {
        "no_get_fails": figures["gets_failed"] == 0 and figures["own_failed"] == 0,
        "no_post_is_executed_twice": figures["posts_executed_twice"] == 0,
        "breaker_opens_within_2_s": len(first) == WORKERS
        and max(figures["breaker_opened_ms"]) <= 2_000,
        "legacy_within_budget": all(a <= b * 1.1 + 2 for a, b in zip(extra, allowed, strict=True)),
        "traffic_returns": len(closed) >= WORKERS
        and sum(after[-3:]) >= 0.8 * _part(run, own_rate) * sum(own_rate[-3:]),
        "no_spike": max(after, default=0) <= 1.3 * max(steady, default=0) + 5,
    }
    return {"held": held, **figures}


def _part(run: Run, own_rate: list[int]) -> float:
    """What new served for each of legacy's own requests before it was killed: the same load may
    come slower on a machine that has more to do."""
    before = (run.killed - run.began) // 1_000
    new = per_second([at for at, _, _ in run.new], run.began, run.killed)
    return sum(new[1:]) / max(1, sum(own_rate[1:before]))


def series(run: Run) -> dict[str, Any]:
    """What the picture is drawn from, second by second."""
    served = [item for item in run.seen if item.kind != "own"]
    begin, end = run.began, run.ended
    states = [
        {
            "worker": item["worker"],
            "at_s": (item["at_ms"] - begin) / 1_000,
            "to": item["to"],
        }
        for item in sorted(run.breakers, key=lambda item: item["at_ms"])
    ]
    return {
        "new": per_second([at for at, _, _ in run.new], begin, end),
        "fallback": per_second([at for at, _, n in run.legacy if n[0] != "o"], begin, end),
        "own": per_second([at for at, _, n in run.legacy if n[0] == "o"], begin, end),
        "errors": per_second([item.at for item in served if item.status != 200], begin, end),
        "killed_s": (run.killed - begin) / 1_000,
        "restarted_s": (run.restarted - begin) / 1_000,
        "breakers": states,
        "workers": WORKERS,
    }


def main() -> int:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=sorted(PLANS), default="default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--strict", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="figway-outage-") as folder:
        plan = PLANS[given.policy]
        run = asyncio.run(experiment(plan, Path(folder)))
    found = judge(run, plan)
    found["series"] = series(run)
    text = json.dumps(found, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")
    if given.picture:
        given.picture.write_text(draw(found["series"]))
    return int(given.strict and not all(found["held"].values()))


if __name__ == "__main__":
    sys.exit(main())
