"""The whole way with real processes: facade, shadow worker, control plane, command line."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import requests

from tests.support.installation import Installation, installation

SECRET = "tok_5up3r53cr3t0fAUser"


class Side:
    """An application that answers JSON; new can be mended while it runs."""

    def __init__(self, tax: float) -> None:
        self.tax = tax
        self.url = ""

    def body(self, path: str) -> dict[str, Any]:
        """What it answers."""
        number = int(path.rpartition("/")[2])
        return {
            "id": number, "request": str(uuid4()), "api_key": SECRET,
            "items": [{"sku": "a", "price": round(number * self.tax, 2)}],
        }  # fmt: skip


class _Server(ThreadingHTTPServer):
    """With room for the connections of a shadow: five in line are too few on a busy machine, and
    one that is turned away comes back a second later, which looks like a backend that is slow."""

    request_queue_size = 128


@contextmanager
def served(side: Side) -> Iterator[Side]:
    """Run it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps(side.body(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    side.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield side
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _until(found: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    value = found()
    while not good(value):
        assert time.monotonic() < deadline, value
        time.sleep(0.3)
        value = found()
    return value


def _data(figway: Installation, *words: str) -> Any:
    return json.loads(figway.ok("-o", "json", *words))


def _evidence(figway: Installation) -> dict[str, Any]:
    [row] = [r for r in _data(figway, "compare", "top") if r["route"] == "orders"]
    found: dict[str, Any] = row["evidence"] or {"captured": 0, "verdicts": {}, "dropped": {}}
    return found


def _ran(exported: Path, url: str) -> tuple[int, str]:
    """The exit code of exported cases against a server, and how they ended."""
    ran = subprocess.run(
        [sys.executable, "-S", str(exported), url], capture_output=True, text=True, check=False
    )
    ended = re.search(r"\d+ (passed|failed).*", ran.stdout)
    return ran.returncode, ended[0] if ended else ran.stdout + ran.stderr


def test_from_shadow_to_replay(tmp_path: Path) -> None:
    """trap 29, trap 35: a volatile id is noise, a wrong price is found, and no secret is stored."""
    with (
        served(Side(1.2)) as legacy,
        served(Side(1.25)) as new,
        installation(tmp_path, legacy.url) as figway,
    ):
        figway.start("--workers", "1")
        figway.ok("backends", "set", "fn", "--side", "new", "--url", new.url)
        figway.ok("routes", "set", "orders", "--path", "/orders/{id}", "--new", "fn",
                  "--set", "comparison.noise_sample=5000",
                  "--set", "shadow.legacy_reads=allowed")  # fmt: skip
        figway.ok("shadow", "orders", "--sample", "100%", "--wait")
        for number in range(120):
            answer = requests.get(f"{figway.facade}/orders/{number}", timeout=10)
            assert answer.json()["items"][0]["price"] == round(number * 1.2, 2)
        seen = _until(
            lambda: _evidence(figway),
            # Prices rise from one request to the next: that they are not of the time of asking
            # shows when legacy is looked at once more, two seconds later.
            lambda e: (
                e["captured"] >= 120
                and not e.get("pending", 1)
                and e["verdicts"].get("mismatch", 0) >= 100
            ),
        )
        counted = sum(seen["verdicts"].values()) + sum(seen["dropped"].values())
        assert counted == seen["captured"] == 120
        fields = _data(figway, "compare", "top", "orders", "--noise")["items"]
        stands = {path["path"]: path["standing"] for path in fields}
        assert stands["$.items[*].price"] == "real"
        assert stands["$.request"] == "noise"
        examples = _data(
            figway, "compare", "examples", "orders", "--verdict", "mismatch", "--limit", "200"
        )
        assert examples
        shown = figway.ok("compare", "show", examples[0]["id"])
        assert "$.items[*].price" in shown
        assert "[redacted:" in figway.ok("compare", "show", examples[0]["id"], "-s")

        tried = _data(figway, "ignore", "preview", "orders", "$.items[*].price")
        assert tried["before"]["mismatch"] == len(examples)
        assert tried["after"] == {"match": tried["examples"]}

        exported = tmp_path / "test_orders.py"
        wrote = figway.run(
            "compare", "export", "orders", "--verdict", "mismatch", "-O", str(exported)
        )
        assert wrote.code == 0, wrote
        assert _ran(exported, legacy.url) == (0, f"{len(examples)} passed")
        assert _ran(exported, new.url) == (1, f"{len(examples)} failed")
        new.tax = 1.2
        assert _ran(exported, new.url) == (0, f"{len(examples)} passed")
        ran = figway.run("-o", "json", "compare", "replay", "orders")
        replayed = json.loads(ran.out)
        assert ran.code == 0, ran
        assert f"sends at most {2 * replayed['total']} requests to legacy" in ran.err
        assert replayed["status"] == "done"
        assert replayed["gone"] == replayed["total"] > 0, replayed
        assert figway.stop() == 0, figway.text
        for file in figway.state.rglob("*"):
            if file.is_file():
                assert SECRET.encode() not in file.read_bytes(), file
        with sqlite3.connect(next(figway.state.rglob("*.sqlite3"))) as database:
            [(stored,)] = database.execute("SELECT count(*) FROM compared_examples").fetchall()
        database.close()
        assert stored >= len(examples)
