"""What the conformance suite stands on here: a platform in front of the proxy function.

Clients speak HTTP to a gateway, which makes events of one kind; the proxy function runs under the
real runtime client. Sandboxes are shared by tests with the same settings; tables come from a source
that the tests publish to, as they would in production.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

from figway.model.backend import FallbackBudgetPolicy
from figway.model.codec import table_hash, to_data
from figway.model.table import Table
from figway.model.words import Side
from proxy.request.runtime import FacadeSettings
from tests.support.serverless.events import make_event, read_answer
from tests.support.serverless.platform import Function
from tests.support.wire import Client, Message, Peer, read_message

_DEFAULTS = FacadeSettings()


class TableServer(ThreadingHTTPServer):
    """Serves the published table over HTTP, as the control plane does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TableHandler)
        self.body = b""
        self.etag = ""
        self.revision = 0
        self.asked = 0
        self.says: dict[str, str] = {}
        """Further headers of every answer: the kill switch, the installation."""
        self.heard: dict[str, str] = {}
        """Headers of the last question."""
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, table: Table) -> None:
        table = _with_valid_ids(table)
        self.revision += 1
        etag = table_hash(table)
        data = {"revision": self.revision, "etag": etag, "table": to_data(table)}
        self.body, self.etag = json.dumps(data).encode(), f'"{etag}"'

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sandbox that was killed leaves in the middle of a word."""

    def stop(self) -> None:
        self.hold.set()
        self.shutdown()
        self.server_close()


AMPLE = FallbackBudgetPolicy(min_per_s=10_000)


def _with_valid_ids(table: Table) -> Table:
    """The suite names routes by their paths, which a published table may not.

    The backends are part of the new names, so that no test inherits another one's breaker. Nor may
    it find the budget of a second spent: fallbacks of the tests before have no share in it.
    """
    urls = "".join(backend.url for backend in table.backends.values())
    routes = [
        replace(route, id=f"route-{crc32((urls + route.id).encode()):08x}")
        for route in table.routes.values()
    ]
    backends = {
        backend.id: replace(backend, fallback_budget=AMPLE)
        if backend.side is Side.LEGACY and backend.fallback_budget == FallbackBudgetPolicy()
        else backend
        for backend in table.backends.values()
    }
    return replace(table, backends=backends, routes={route.id: route for route in routes})


class _TableHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: TableServer

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.heard = {name.lower(): value for name, value in self.headers.items()}
        self.server.hold.wait(20)
        known = self.headers.get("If-None-Match") == self.server.etag
        if self.server.status != 200:
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
        else:
            self.send_response(304 if known else 200)
            self.send_header("ETag", self.server.etag)
        for name, value in self.server.says.items():
            self.send_header(name, value)
        whole = self.server.status == 200 and not known
        if whole:
            self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if whole:
            self.wfile.write(self.server.body)


class Sandbox:
    """A proxy function and its table's source."""

    def __init__(self, environment: dict[str, str], table: Table, **options: Any) -> None:
        self.tables = TableServer()
        self.tables.publish(table)
        self.function = Function(
            {
                "FIGWAY_TABLE_URL": self.tables.url + "/table",
                "FIGWAY_METRICS_NAMESPACE": "",
                "FIGWAY_SANDBOXES": "1",
                **environment,
            },
            **options,
        )

    def swap(self, table: Table) -> None:
        """Publish a table, and have the function take it."""
        before = self.tables.etag
        self.tables.publish(table)
        # The age of the table in hand does not matter to an event that asks for a refresh.
        taken = self.function.invoke({"figway": "refresh"})
        assert taken["etag"] == self.tables.etag.strip('"'), self.function.output[-5:]
        if self.tables.etag != before:
            self._read_up_to(self.tables.revision)

    def _read_up_to(self, revision: int) -> None:
        """Wait until the line about this table was read, and so all lines before it."""
        for _ in range(1_000):
            last = self.function.lines[-1] if self.function.lines else {}
            if last.get("event") == "table_served" and last.get("revision") == revision:
                return
            threading.Event().wait(0.005)
        raise AssertionError(self.function.output[-5:])

    def stop(self) -> None:
        self.function.stop()
        self.tables.stop()


class Sandboxes:
    """Sandboxes by their settings."""

    def __init__(self) -> None:
        self._found: dict[str, Sandbox] = {}

    def get(self, settings: FacadeSettings, table: Table) -> Sandbox:
        environment = environment_of(settings)
        key = json.dumps(environment, sort_keys=True)
        sandbox = self._found.get(key)
        if sandbox is None:
            sandbox = self._found[key] = Sandbox(environment, table)
        else:
            sandbox.swap(table)
        return sandbox

    def stop(self) -> None:
        for sandbox in self._found.values():
            sandbox.stop()


def environment_of(settings: FacadeSettings) -> dict[str, str]:
    """The variables that say what the settings say."""
    found = {"FIGWAY_TABLE_MAX_AGE_S": "0"}
    if settings.trusted_proxies:
        found["FIGWAY_TRUSTED_PROXIES"] = ",".join(map(str, settings.trusted_proxies))
    if settings.force_secret:
        found["FIGWAY_FORCE_SECRET"] = settings.force_secret.decode()
    if settings.max_body:
        found["FIGWAY_MAX_BODY_BYTES"] = str(settings.max_body)
    if settings.secure:
        found["FIGWAY_SECURE"] = "1"
    return found


class Record:
    """A log line, read as the record that it was written from."""

    def __init__(self, line: dict[str, Any]) -> None:
        self._line = {**line, "trace_id": line.get("trace", "")}

    def __getattr__(self, name: str) -> Any:
        return self._line.get(name, "")


class LambdaFacade:
    """The facade as a client of the platform sees it: one kind of event."""

    def __init__(self, kind: str, sandbox: Sandbox) -> None:
        self.kind = kind
        self.sandbox = sandbox
        self._answered = 0
        self._from = len(sandbox.function.lines)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def records(self) -> list[Record]:
        """What the requests left; one for each answer, once its line was read."""
        for _ in range(1_000):
            lines = self.sandbox.function.lines[self._from :]
            found = [Record(line) for line in lines if "total_us" in line]
            if len(found) >= self._answered:
                break
            threading.Event().wait(0.005)
        return found

    @property
    def faults(self) -> list[str]:
        lines = self.sandbox.function.lines[self._from :]
        return [line["message"] for line in lines if line.get("event") == "unexpected"]

    def swap(self, table: Table) -> None:
        self.sandbox.swap(table)

    def wait_for(self, holds: Any) -> None:
        pause = threading.Event()
        for _ in range(1_000):
            if holds():
                return
            pause.wait(0.01)
        raise AssertionError("what was waited for did not come")

    def last(self, number: int = 1) -> Record:
        self.wait_for(lambda: len(self.records) >= number)
        return self.records[number - 1]

    def connect(self) -> Client:
        return Client(self.port)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        assert not self.faults, self.faults

    # -- the gateway -------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=partial(self._serve, Peer(sock)), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        with suppress(OSError, ValueError, IndexError), peer:
            while (request := read_message(peer)) is not None:
                method, target, _ = request.line.split(b" ")
                event = make_event(
                    self.kind, method.decode(), target, request.headers, request.body
                )
                answer = self.sandbox.function.invoke(event)
                self._answered += 1
                peer.send(_wire(answer, head=method == b"HEAD"))
                if b"close" in b",".join(request.all(b"connection")).lower():
                    return


def _wire(answer: dict[str, Any], *, head: bool) -> bytes:
    status, fields, body = read_answer(answer)
    lines = [b"HTTP/1.1 %d X" % status]
    bodiless = head or status in (204, 304)
    for name, value in fields:
        lines.append(f"{name}: {value}".encode())
    if not bodiless:
        assert not any(name.lower() == "content-length" for name, _ in fields)
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]) + (b"" if bodiless else body)


__all__ = ["LambdaFacade", "Message", "Sandbox", "Sandboxes", "TableServer"]
