"""Everything side by side: `make bench`, or a part of it.

    python -m bench [--scenarios a,b] [--servers native,nginx] [--rounds 3] [--seconds 5]

Origin and load share one core, the server under test has the other. Rounds are interleaved:
every server runs once before any runs again, so that what the machine does meanwhile hits all.
Standard output has one JSON object a line, the median of the rounds for each scenario and server;
progress goes to standard error. Results are kept in bench/results/, one file a scenario, and
docs/operate/performance.md is made from them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from typing import Any

from bench import report
from bench.measure import core, peak_mb, use
from bench.peers import Missing
from bench.scenarios import SCENARIOS, Scenario, chosen
from bench.system import LOAD_CORE, PROXY_CORE, Helper, Running, first_served, pinned, running

FIGURES = ("cpu_us_per_request", "rps", "p50_ms", "p99_ms", "rss_mb", "errors")
_LUA = "bench/load/load.lua"
_WARM_S = 1.0
Row = dict[str, Any]


class Session:
    """One run of the command. `rates` are the rates of (a), for the open loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.rates: dict[str, float] = {}

    def once(self, scenario: Scenario, server: str) -> Row:
        """One measurement of one server. Raises `Missing`."""
        if scenario.kind == "open" and not scenario.rate and server not in self.rates:
            with running(server, SCENARIOS["a"]) as target:
                self.rates[server] = _closed(target, SCENARIOS["a"], 2.0)["rps"]
        with running(server, scenario) as target:
            if scenario.kind == "idle":
                return _idle(target, scenario)
            row = self._measured(target, scenario, server)
        if scenario.key == "a":
            self.rates[server] = row["rps"]
        return row

    def _measured(self, target: Running, scenario: Scenario, server: str) -> Row:
        seconds = self.seconds or scenario.seconds
        if scenario.kind == "open":
            rate = scenario.rate or self.rates[server] / 2
            _open(target, scenario, rate, _WARM_S)
            load = lambda: _open(target, scenario, rate, seconds)  # noqa: E731
        else:
            _wrk(target.port, scenario, _WARM_S)
            load = lambda: _wrk(target.port, scenario, seconds)  # noqa: E731
        return _around(target, load)


def _closed(target: Running, scenario: Scenario, seconds: float) -> Row:
    _wrk(target.port, scenario, _WARM_S)
    return _around(target, lambda: _wrk(target.port, scenario, seconds))


def _around(target: Running, load: Any) -> Row:
    """Run `load` and read the clocks before and after."""
    counts, before, clock = target.counts(), use(target.pid), core(PROXY_CORE)
    began = time.monotonic()
    found = load()
    wall = time.monotonic() - began
    after, clock_after = use(target.pid), core(PROXY_CORE)
    time.sleep(0.3)  # copies for the shadow side are still on their way
    served = [b - a for a, b in zip(counts, target.counts(), strict=True)]
    requests = max(1, found["requests"])
    spent = after.cpu_us - before.cpu_us
    others = clock_after.busy_us - clock.busy_us - spent
    row = {
        "cpu_us_per_request": spent / requests,
        "rps": requests / found["seconds"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "rss_mb": peak_mb(target.pid),
        "errors": found["errors"],
        "requests": requests,
        "new_share": served[3] / requests,
        "noise": max(0.0, others) / wall / 1e6,
        "steal": (clock_after.stolen_us - clock.stolen_us) / wall / 1e6,
    }
    for role, total in after.by_role.items():
        if role != "main" and "worker" in after.by_role:
            key = f"{role}_cpu_us_per_request"
            row[key] = (total - before.by_role.get(role, 0.0)) / requests
    if target.note:
        row["note"] = target.note
    return row


def _wrk(port: int, scenario: Scenario, seconds: float) -> Row:
    """Closed-loop load by wrk."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: make bench-peers installs it.")
    whole = max(1, round(seconds))  # wrk takes no fractions
    command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{whole}s", "--timeout", "20s"]
    command += ["-s", _LUA, f"http://127.0.0.1:{port}", "--", scenario.kind, str(scenario.routes)]
    return _result(command)


def _open(target: Running, scenario: Scenario, rate: float, seconds: float) -> Row:
    """Open-loop load at `rate` requests a second."""
    command = [sys.executable, "-m", "bench.load.open_loop", str(target.port)]
    return _result([*command, str(rate), str(seconds), str(scenario.routes)])


def _result(command: list[str]) -> Row:
    done = subprocess.run(
        pinned(command, LOAD_CORE), stdout=subprocess.PIPE, text=True, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            found: Row = json.loads(line[7:])
            return found
    raise RuntimeError(f"{command[0]} gave no result: {done.stdout[-400:]}")


def _idle(target: Running, scenario: Scenario) -> Row:
    """Memory with idle connections: each figure is of the largest process, the worker."""
    start = use(target.pid)
    row: Row = dict.fromkeys(FIGURES)
    row |= {"errors": 0, "requests": max(scenario.sizes), "noise": 0.0, "steal": 0.0}
    row["start_rss_mb"] = start.largest_mb
    load = Helper("bench.load.idle", str(target.port), *(str(size) for size in scenario.sizes))
    try:
        for size in scenario.sizes:
            load.line()
            time.sleep(1.0)
            now = use(target.pid)
            row[f"worker_rss_mb_{size}"] = now.largest_mb
            more = now.largest_mb - start.largest_mb
            row[f"kb_per_connection_{size}"] = more * 1024 / size
            row["rss_mb"] = now.rss_mb
            load.go_on()
    finally:
        load.close()
    return row


def median(rows: list[Row]) -> Row:
    """The median of every figure; texts are those of the last row."""
    result: Row = {}
    for key in rows[-1]:
        values = [row[key] for row in rows if row.get(key) is not None]
        if not values:
            result[key] = None
        elif isinstance(values[0], str):
            result[key] = values[-1]
        else:
            result[key] = round(sorted(values)[len(values) // 2], 3)
    return result


def main() -> None:
    """Run, print, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", default="", help="letters, such as a,b; all when empty")
    parser.add_argument("--servers", default="", help="names, such as native,nginx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.0, help="per run; 0: its own")
    parser.add_argument("--report", action="store_true", help="only make the page anew")
    options = parser.parse_args()
    if options.report:
        report.write()
        return
    wanted = options.servers.split(",") if options.servers else None
    first_served()
    session = Session(options.seconds)
    for scenario in chosen(options.scenarios):
        servers = [name for name in scenario.servers if wanted is None or name in wanted]
        rows = _rounds(session, scenario, servers, options.rounds)
        report.store(scenario.key, rows, options.rounds, session.seconds or scenario.seconds)
    report.write()


def _rounds(session: Session, scenario: Scenario, servers: list[str], rounds: int) -> list[Row]:
    """All rounds of a scenario, then one line a server."""
    found: dict[str, list[Row]] = {name: [] for name in servers}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for name in servers:
            if name in missing:
                continue
            try:
                row = session.once(scenario, name)
            except (Missing, RuntimeError) as reason:
                missing[name] = str(reason)
                _tell(f"{scenario.key} {name}: {reason}")
                continue
            found[name].append(row)
            _tell(f"{scenario.key} {name} {number + 1}/{rounds}: {_brief(row)}")
    result = []
    for name in servers:
        head: Row = {"scenario": scenario.key, "server": name}
        if name in missing:
            row = head | dict.fromkeys(FIGURES) | {"missing": missing[name]}
        else:
            row = head | median(found[name]) | {"rounds": _spread(found[name])}
        print(json.dumps(row), flush=True)
        result.append(row)
    return result


def _spread(rows: list[Row]) -> list[float | None]:
    """The main figure of every round, to show how far the median may be trusted."""
    values = [row["cpu_us_per_request"] for row in rows]
    return [None if value is None else round(value, 1) for value in values]


def _brief(row: Row) -> str:
    shown = (*FIGURES, "noise", "steal")
    return " ".join(f"{key}={row[key]:.4g}" for key in shown if row.get(key) is not None)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
