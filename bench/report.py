"""Results to files, and files to docs/operate/performance.md with its charts.

The page is generated: what people write about the figures stands in
bench/notes.md and is taken in whole.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from bench.chart import bars
from bench.floors import verdicts
from bench.peers import PEERS, Missing, program
from bench.scenarios import ALL, SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "operate" / "performance.md"
NOTES = ROOT / "bench" / "notes.md"
CHARTS = ROOT / "docs" / "performance"
Row = dict[str, Any]


def store(key: str, rows: list[Row], rounds: int, seconds: float) -> None:
    """Keep the rows of one scenario. Servers that were not run this time keep what they had."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{key}.json"
    known = {row["server"]: row for row in load(key)["rows"]}
    session = {"at": _now(), "of_rounds": rounds, "seconds": seconds, "load": os.getloadavg()[0]}
    known |= {row["server"]: row | session for row in rows}
    order = {name: place for place, name in enumerate(("direct", *ALL))}
    kept = sorted(known.values(), key=lambda row: order.get(row["server"], 99))
    data = {"scenario": key, "machine": machine(), "versions": versions(), "rows": kept}
    path.write_text(json.dumps(data, indent=1) + "\n")


def load(key: str) -> Row:
    """What is kept of one scenario."""
    try:
        found: Row = json.loads((RESULTS / f"{key}.json").read_text())
    except (OSError, ValueError):
        return {"rows": [], "machine": "", "versions": {}}
    return found


def machine() -> str:
    """The processor, its cores, and the system."""
    model = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    except OSError:
        model = platform.processor()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}"


def versions() -> dict[str, str]:
    """What was measured, by name; what is not installed is not in it."""
    found = {"python": python_version()}
    asked = {
        "nginx": ("nginx", "-v"),
        "haproxy": ("haproxy", "-v"),
        "envoy": ("envoy", "--version"),
        "traefik": ("traefik", "version"),
        "caddy": ("caddy", "version"),
        "node": ("node", "--version"),
        "wrk": ("wrk", "-v"),
    }
    for name, (command, option) in asked.items():
        try:
            done = subprocess.run(
                [program(command), option], capture_output=True, text=True, check=False
            )
        except (Missing, OSError):
            continue
        found[name] = _version(done.stdout + done.stderr)
    for package in ("http-proxy", "undici"):
        path = PEERS / "node/node_modules" / package / "package.json"
        if path.exists():
            found[package] = json.loads(path.read_text())["version"]
    for package in ("uvloop", "fastapi", "httpx", "uvicorn"):
        found[package] = _package(package)
    return found


def python_version() -> str:
    """The interpreter and who built it, which is worth a fifth of the CPU time."""
    if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
        return f"{platform.python_version()} (built with optimisations)"
    built = (
        "the distribution's build" if sys.base_prefix == "/usr" else "built without optimisations"
    )
    return f"{platform.python_version()} ({built})"


def _package(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _version(text: str) -> str:
    for word in text.replace("/", " ").replace("v", " ").split():
        parts = word.split("-")[0].split("+")[0].strip(",")
        if parts.count(".") >= 1 and parts.replace(".", "").isdigit():
            return parts
    return "?"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def write() -> None:
    """Make the page and its charts."""
    found = {key: load(key) for key in SCENARIOS}
    found = {key: data for key, data in found.items() if data["rows"]}
    CHARTS.mkdir(parents=True, exist_ok=True)
    parts = [_intro(found)]
    if "a" in found:
        parts.append(_verdicts(found))
    for key, data in found.items():
        parts.append(_section(key, data))
    if NOTES.exists():
        parts.append(NOTES.read_text().strip().replace("](../docs/", "](../"))
    PAGE.write_text("\n\n".join(parts) + "\n")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


def _intro(found: dict[str, Row]) -> str:
    data: Row = found.get("a") or next(iter(found.values()), {"machine": "", "versions": {}})
    shown = ", ".join(f"{name} {value}" for name, value in data["versions"].items())
    return f"""# Performance

<!-- Generated by `make bench` from bench/results/ and bench/notes.md. Edit those. -->

Figway's data plane beside other proxies, configured for the same work (`bench/peers/`), on one
machine, in interleaved rounds. The main figure is **CPU microseconds a request** of the whole
process tree of the proxy: it moves less with a noisy neighbour than rates and latencies do.
Load (wrk, one thread) and origin share one core, the proxy has the other; both sides keep their
connections. Every value is the median of the rounds; the spread of the rounds stands beside it.

- Machine: {data["machine"]}.
- Versions: {shown}.
- `noise` is the share of the proxy's core that other processes took during the runs: with 0.00
  rates and latencies may be believed, with 0.30 they say little and the CPU time is inflated too,
  as caches are shared.
- Repeat it: `make bench-peers` once, then `make bench` (or `make bench SCENARIOS=a,b ROUNDS=1
  SERVERS=native,nginx`)."""


def _verdicts(found: dict[str, Row]) -> str:
    rows = {key: {row["server"]: row for row in data["rows"]} for key, data in found.items()}
    lines = [
        "## Floors and goals",
        "",
        "| what | measured | floor | goal | |",
        "|---|---|---|---|---|",
    ]
    for verdict in verdicts(rows):
        lines.append("| " + " | ".join(verdict) + " |")
    return "\n".join(lines)


_COLUMNS = (
    ("cpu_us_per_request", "CPU µs a request", "{:.1f}"),
    ("rps", "requests/s", "{:.0f}"),
    ("p50_ms", "p50 ms", "{:.2f}"),
    ("p99_ms", "p99 ms", "{:.2f}"),
    ("rss_mb", "peak RSS MB", "{:.0f}"),
    ("errors", "errors", "{:.0f}"),
    ("noise", "noise", "{:.2f}"),
    ("steal", "steal", "{:.2f}"),
)


def _section(key: str, data: Row) -> str:
    scenario = SCENARIOS[key]
    lines = [f"## ({key}) {scenario.title}", ""]
    rows = data["rows"]
    if scenario.kind == "idle":
        return "\n".join([*lines, *_idle_table(rows, scenario.sizes)])
    measured = [row for row in rows if row.get("cpu_us_per_request") is not None]
    if len(measured) > 1:
        values = [(row["server"], row["cpu_us_per_request"]) for row in measured]
        (CHARTS / f"{key}.svg").write_text(bars(values, "CPU microseconds a request"))
        lines += [f"![CPU microseconds a request](../performance/{key}.svg)", ""]
    titles = [title for _, title, _ in _COLUMNS]
    lines.append("| server | " + " | ".join(titles) + " | rounds |")
    lines.append("|---" * (len(titles) + 2) + "|")
    for row in rows:
        if "missing" in row:
            lines.append(f"| {row['server']} | missing: {_one_line(row['missing'])} |")
            continue
        cells = [_cell(row.get(name), form) for name, _, form in _COLUMNS]
        rounds = ", ".join(f"{value:g}" for value in row["rounds"] if value is not None)
        lines.append(f"| {row['server']} | " + " | ".join(cells) + f" | {rounds} |")
    for row in rows:
        if row.get("worker_cpu_us_per_request") is not None and scenario.mirror:
            shadow = row.get("shadow_cpu_us_per_request")
            extra = "" if shadow is None else f", of its shadow worker {shadow:.1f} µs"
            lines += [
                "",
                f"{row['server']}: of that, the serving worker "
                f"{row['worker_cpu_us_per_request']:.1f} µs{extra}; "
                f"{row['new_share']:.0%} of the requests reached the second backend.",
            ]
        if row.get("note"):
            lines += ["", f"{row['server']}: {row['note']}."]
    times = sorted(
        {f"{row['at']}, {row['of_rounds']} rounds of {row['seconds']:g} s" for row in rows}
    )
    return "\n".join([*lines, "", "Run: " + "; ".join(times) + "."])


def _idle_table(rows: list[Row], sizes: tuple[int, ...]) -> list[str]:
    titles = ["server", "at start MB"]
    for size in sizes:
        titles += [f"{size} idle MB", "KB a connection"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        if "missing" in row:
            lines.append(f"| {row['server']} | missing: {_one_line(row['missing'])} |")
            continue
        cells = [_cell(row.get("start_rss_mb"), "{:.1f}")]
        for size in sizes:
            cells.append(_cell(row.get(f"worker_rss_mb_{size}"), "{:.1f}"))
            cells.append(_cell(row.get(f"kb_per_connection_{size}"), "{:.1f}"))
        lines.append(f"| {row['server']} | " + " | ".join(cells) + " |")
    return [*lines, "", "Resident memory of the largest process of the tree, which is the worker."]


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")[:160]
