"""What takes captures and results of a function's shadow: a queue, a control plane, a worker."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from proxy.serverless.settings import load
from proxy.serverless.worker import open_worker
from tests.support.serverless.life import Life
from tests.support.wire import RawBackend, table_of

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


def answer(body: bytes) -> bytes:
    return JSON % (len(body), body)


class Listener(ThreadingHTTPServer):
    """Takes every POST; a control plane or a queue of the tests."""

    daemon_threads = True

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.status, self.body = status, body
        self.hold = threading.Event()
        self.hold.set()
        self.got: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.pages: list[Any] = []
        """What GET answers, one after the other."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, path: str) -> list[dict[str, Any]]:
        return [data for found, data, _ in self.got if found == path]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller gave up."""

    def stop(self) -> None:
        self.hold.set()
        self.shutdown()
        self.server_close()


class _Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer k"
        body = json.dumps(self.server.pages.pop(0)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, data: dict[str, Any]) -> None:
        self.server.got.append((self.path, data, dict(self.headers)))
        self.server.hold.wait(10)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)


def shadowed(legacy: RawBackend, new: RawBackend, **policy: Any) -> Table:
    route = Route(
        id="r",
        match=RouteMatch(path="/a"),
        stage=Stage.SHADOW,
        new="new",
        shadow=ShadowPolicy(**policy),
    )
    return table_of(legacy.port, new.port, route)


def worker_of(life: Life, control: Listener, table: str, **variables: str) -> Any:
    """A worker on the life's loop: a function from an event to its result."""
    settings = load(
        {
            "FIGWAY_TABLE_FILE": table,
            "FIGWAY_CONTROL_URL": control.url,
            "FIGWAY_CONTROL_KEY": "k",
            "FIGWAY_TABLE_URL": "http://127.0.0.1:9/none",
            **variables,
        }
    )
    worker = life.run(open_worker(settings, os.environ))

    def work(event: dict[str, Any], remaining_ms: int = 20_000) -> Any:
        return life.run(worker.work(event, remaining_ms))

    async def close() -> None:
        worker.timer.start()
        await worker._engine.close()
        worker.timer.stop()

    work.close = lambda: life.run(close())  # type: ignore[attr-defined]
    return work


def batches_of(control: Listener) -> list[dict[str, Any]]:
    """The batches that the control plane was sent, one for each message."""
    sent = control.of("/api/v1/comparisons/batches/many")
    return [batch for many in sent for batch in many["batches"]]
