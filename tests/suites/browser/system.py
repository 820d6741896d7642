"""A control plane, a proxy, and both sides of a shop, as real processes and sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from control_plane.auth.keys import generate

LIMIT_S = 90.0


def until(what: Callable[[], Any], why: str) -> Any:
    """Ask until it is true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            if found := what():
                return found
        time.sleep(0.05)
    raise AssertionError(f"never happened: {why}")


@contextmanager
def backend(name: str) -> Iterator[str]:
    """Answers every request with its name; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps({"served_by": name}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Process:
    """A child whose output is read as it comes."""

    def __init__(self, module: str, env: dict[str, str]) -> None:
        clean = {k: v for k, v in os.environ.items() if "FIGWAY" not in k and k != "DATABASE_URL"}
        self.lines: list[str] = []
        self.child = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**clean, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout:
            for line in self.child.stdout:
                self.lines.append(line)

    def said(self, part: str) -> str:
        """The line that holds this, once it is there."""

        def found() -> str | None:
            assert self.child.poll() is None, "".join(self.lines)
            return next((line for line in list(self.lines) if part in line), None)

        return str(until(found, f"{part!r} in the output"))

    def stop(self) -> None:
        """Ask it to end, then make it."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self._reader.join()


class System:
    """What the browser meets, and what the tests look at behind its back."""

    def __init__(self, folder: Path, legacy: str, new: str) -> None:
        self.key = str(generate())
        self._proxy_key = str(generate())
        self._folder = folder
        self.legacy, self.new = legacy, new
        self.control: Process | None = None
        self.proxy: Process | None = None
        self.admin = ""
        self.facade = ""
        self.link = ""
        self.api = httpx.Client()

    def start_control(self, listen: str = "127.0.0.1:0") -> None:
        """Start the control plane."""
        self.control = Process(
            "control_plane",
            {
                "FIGWAY_STATE_DIR": str(self._folder / "control"),
                "FIGWAY_ADMIN_LISTEN": listen,
                "FIGWAY_BOOTSTRAP_ADMIN_KEY": self.key,
                "FIGWAY_BOOTSTRAP_PROXY_KEY": self._proxy_key,
                "FIGWAY_LOG_LEVEL": "warning",
            },
        )
        line = self.control.said("Admin API on ")
        self.admin = line.split()[-1].removesuffix("/api/v1")
        self.link = (self._folder / "control" / "console-link").read_text().strip()
        self.api.close()
        self.api = httpx.Client(
            params={"confirm": "exposure"},
            base_url=f"{self.admin}/api/v1",
            headers={"authorization": f"Bearer {self.key}"},
            trust_env=False,
            timeout=30,
        )

    def stop_control(self) -> None:
        """End the control plane."""
        assert self.control is not None
        self.control.stop()
        self.api.close()

    def start_proxy(self) -> None:
        """Start a proxy that follows it."""
        self.proxy = Process(
            "proxy",
            {
                "FIGWAY_LISTEN": "127.0.0.1:0",
                "FIGWAY_PRIVATE_LISTEN": "127.0.0.1:0",
                "FIGWAY_CONTROL_URL": self.admin,
                "FIGWAY_CONTROL_KEY": self._proxy_key,
                "FIGWAY_STATE_DIR": str(self._folder / "proxy"),
                "FIGWAY_INSTANCE": "shop-proxy-1",
                "FIGWAY_WORKERS": "1",
                "FIGWAY_LOG": "off",
                "FIGWAY_REPORT_S": "0.3",
                "FIGWAY_HEARTBEAT_S": "1",
            },
        )
        self.facade = self.proxy.said("The facade is at ").partition(" is at ")[2].partition(";")[0]
        until(lambda: self.api.get("/fleet").json()["current"] == 1, "the proxy is connected")

    def seed(self) -> None:
        """Both sides, two capabilities, a handful of routes."""
        for body in (
            {"id": "legacy", "side": "legacy", "url": self.legacy},
            {"id": "orders-new", "side": "new", "url": self.new},
            {"id": "search-new", "side": "new", "url": self.new},
        ):
            self._made("/backends", body)
        for name in ("checkout", "catalogue"):
            self._made("/capabilities", {"id": name})
        routes = [
            ("orders", "/orders/{id}", "checkout", "orders-new", "legacy"),
            ("orders-create", "/orders", "checkout", "orders-new", "legacy"),
            ("basket", "/basket/{rest=**}", "checkout", "orders-new", "shadow"),
            ("search", "/search", "catalogue", "search-new", "new"),
            ("products", "/products/{id}", "catalogue", "search-new", "canary"),
            ("reviews", "/products/{id}/reviews", "catalogue", "search-new", "retired"),
            ("about", "/about", "", "search-new", "legacy"),
            ("prices", "/prices/{id}", "", "search-new", "shadow"),
            ("wishlist", "/wishlist/{id}", "", "search-new", "legacy"),
            ("help", "/help", "", "", "legacy"),
        ]
        for name, path, capability, new, stage in routes:
            self._made(
                "/routes",
                {
                    "id": name, "match": {"path": path}, "capability": capability, "new": new,
                    "stage": stage, "weight": 2_500 if stage == "canary" else 0,
                },
            )  # fmt: skip

    def _made(self, path: str, body: dict[str, Any]) -> None:
        answer = self.api.post(path, json=body)
        assert answer.status_code == 201, answer.text

    def served_by(self, path: str, key: str = "u1") -> str:
        """Which side serves a request at the facade."""
        answer = httpx.get(
            self.facade + path, cookies={"figway_id": key}, trust_env=False, timeout=30
        )
        return str(answer.json()["served_by"])

    def serves(self, path: str, side: str, key: str = "u1") -> None:
        """Wait until that side serves it."""
        until(lambda: self.served_by(path, key) == side, f"{side} serves {path}")

    def visit(self, times: int = 20) -> None:
        """Some traffic."""
        paths = ("/orders/7", "/orders", "/basket/x", "/search", "/products/3", "/about", "/other")
        with httpx.Client(base_url=self.facade, trust_env=False, timeout=60) as client:
            for number in range(times):
                for path in paths:
                    client.get(path, headers={"cookie": f"figway_id=user{number}"})

    def stop(self) -> None:
        """End everything."""
        for process in (self.proxy, self.control):
            if process is not None:
                process.stop()
        self.api.close()


@contextmanager
def running(folder: Path, *, proxy: bool = True, seed: bool = True) -> Iterator[System]:
    """A whole system; stopped at the end."""
    with backend("legacy") as legacy, backend("new") as new:
        system = System(folder, legacy, new)
        try:
            system.start_control()
            if seed:
                system.seed()
            if proxy:
                system.start_proxy()
            yield system
        finally:
            system.stop()
