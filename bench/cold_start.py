"""What a cold start of the proxy function costs, beside `import fastapi` alone.

    python bench/cold_start.py [--rounds 7] [--requests 400]

Prints one JSON object. Each round starts fresh interpreters in turn, so that a neighbour on the
machine weighs on both; figures are the medians of processor seconds from the start of the import to
the end of it (and, for the function, of its initialisation: table read, checked and compiled,
runtime made). `tree` is the import tree of the function by its own weight, in microseconds.
`warm_ms` is the processor time of one warm request through the handler, without the backend's.
Exits with 1 if the function costs more than half of fastapi, or a warm request 2 ms or more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from figway.model.backend import Backend
from figway.model.codec import table_hash, to_data
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side

ROOT = Path(__file__).resolve().parents[1]
WARM_LIMIT_MS = 2.0
_MEASURE = """
import time
began = time.process_time()
import {module}
print(time.process_time() - began)
"""
_WARM = """
import json, sys, time
from proxy.serverless.handler import handler
class Context:
    def get_remaining_time_in_millis(self): return 20_000
event = json.loads(sys.argv[1])
for _ in range(50): assert handler(event, Context())["statusCode"] == 200
began = time.process_time()
for _ in range({requests}): handler(event, Context())
sys.stderr.write(str((time.process_time() - began) / {requests}))
"""
EVENT = {
    "version": "2.0",
    "rawPath": "/api/users/17",
    "rawQueryString": "full=1",
    "headers": {"host": "shop.example", "accept": "application/json"},
    "requestContext": {
        "http": {"method": "GET", "sourceIp": "203.0.113.7"},
        "stage": "$default",
        "domainName": "shop.example",
    },
    "isBase64Encoded": False,
}


class _Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def table(port: int) -> Table:
    """Fifty routes before a legacy."""
    backends = {
        "legacy": Backend(id="legacy", side=Side.LEGACY, url=f"http://127.0.0.1:{port}"),
        "new": Backend(id="new", side=Side.NEW, url=f"http://127.0.0.1:{port}"),
    }
    routes = [
        Route(
            id=f"r{number}",
            match=RouteMatch(path=f"/api/things{number}/{{id}}"),
            stage=Stage.CANARY,
            weight=1_000,
            new="new",
        )
        for number in range(50)
    ]
    return Table(
        default_backend="legacy", backends=backends, routes={route.id: route for route in routes}
    )


def run(code: str, environment: dict[str, str], *arguments: str, trace: bool = False) -> Any:
    """Run code in a fresh interpreter."""
    flags = ["-X", "importtime"] if trace else []
    return subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def tree(environment: dict[str, str]) -> list[dict[str, Any]]:
    """The heaviest modules that the function imports, by their own microseconds."""
    shown = run("import proxy.serverless.handler", environment, trace=True).stderr
    rows = []
    for line in shown.splitlines()[1:]:
        if not line.startswith("import time:"):
            continue
        own, total, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            depth = (len(name) - len(name.lstrip()) - 1) // 2
            rows.append(
                {
                    "module": name.strip(),
                    "own_us": int(own),
                    "total_us": int(total),
                    "depth": depth,
                }
            )
    return sorted(rows, key=lambda row: -int(row["own_us"]))[:40]


def measure(rounds: int, requests: int) -> dict[str, Any]:
    """All figures."""
    backend = ThreadingHTTPServer(("127.0.0.1", 0), _Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    served = table(backend.server_address[1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.json"
        data = {"revision": 1, "etag": table_hash(served), "table": to_data(served)}
        file.write_text(json.dumps(data))
        environment = {"FIGWAY_TABLE_FILE": str(file), "FIGWAY_LEGACY_URL": "http://127.0.0.1:1"}
        modules = {"fastapi": "fastapi", "function": "proxy.serverless.handler"}
        found: dict[str, list[float]] = {name: [] for name in modules}
        for _ in range(rounds):
            for name, module in modules.items():
                printed = run(_MEASURE.format(module=module), environment).stdout
                found[name].append(float(printed.splitlines()[-1]))
        warm = run(_WARM.format(requests=requests), environment, json.dumps(EVENT)).stderr
        weights = tree(environment)
    backend.shutdown()
    medians = {name: statistics.median(values) for name, values in found.items()}
    return {
        "python": platform.python_version(),
        "rounds": rounds,
        "routes": len(served.routes),
        "fastapi_import_cpu_s": round(medians["fastapi"], 4),
        "function_import_and_init_cpu_s": round(medians["function"], 4),
        "share_of_fastapi": round(medians["function"] / medians["fastapi"], 3),
        "at_most_half": medians["function"] <= medians["fastapi"] / 2,
        "warm_ms": round(float(warm.splitlines()[-1]) * 1_000, 3),
        "tree": weights,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    found = measure(options.rounds, options.requests)
    print(json.dumps(found, indent=1))
    return 0 if found["at_most_half"] and found["warm_ms"] < WARM_LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
