"""A proxy as real processes, with a legacy, a new backend and a control plane to follow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import orjson

from figway.model.backend import Backend, FallbackBudgetPolicy
from figway.model.change import apply, changes_to_data, diff, flip
from figway.model.codec import table_hash, to_data
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.support.until import until

LIMIT_S = 20.0


@contextlib.contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Close a connection however its handler ends, by the end of the test too."""
    try:
        yield
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


class NamedBackend:
    """A backend that answers with its name; `delay_s` holds each answer back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.delay_s = 0.0
        self.status = 200
        self.requests = 0
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with _closing(writer):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                body = self.name.encode()
                head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


class FakeControl:
    """A control plane that speaks the proxy's protocol and keeps what it is told."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.revision = 1
        self.etag = table_hash(table)
        self.raw: Any = None
        self.acks: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.whole = 0
        self.kill: tuple[bool, int] | None = None
        self.installation = ""
        self.adopts = ""
        self.delay_s = 0.0
        """How long each answer with a table takes."""
        self.fail_reports = 0
        self.stream = "lives"
        """Or `refused` (503), or `silent`: it begins, and then says nothing, whatever happens."""
        self.polls = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Die: no farewell, every connection cut."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        self._streams.clear()

    def cut(self, stream: str) -> None:
        """Cut every stream; what becomes of the next ones."""
        self.stream = stream
        for writer in list(self._streams):
            writer.transport.abort()

    def publish(self, table: Table) -> None:
        """A new revision, announced as changes."""
        base, changes = self.etag, diff(self.table, table)
        assert apply(self.table, changes) == table
        self.table, self.etag, self.raw = table, table_hash(table), None
        self.revision += 1
        self._announce({"base": base, "changes": changes_to_data(changes)})

    def publish_raw(self, data: Any, etag: str) -> None:
        """A new revision with whatever content."""
        self.raw, self.etag = data, etag
        self.revision += 1
        self._announce({"base": "0" * 32, "changes": []})

    def press(self, on: bool) -> None:
        """The kill switch, outside the table."""
        self.kill = (on, (0 if self.kill is None else self.kill[1]) + 1)
        data = {"on": on, "number": self.kill[1]}
        for writer in self._streams:
            writer.write(b"event: kill\ndata: " + orjson.dumps(data) + b"\n\n")

    @property
    def notice(self) -> str:
        """The headers of every answer."""
        lines = ""
        if self.kill is not None:
            on, number = self.kill
            lines += f"Figway-Kill: {'on' if on else 'off'}\r\nFigway-Kill-Number: {number}\r\n"
        if self.installation:
            lines += f"Figway-Installation: {self.installation}\r\n"
        return lines + (f"Figway-Adopts: {self.adopts}\r\n" if self.adopts else "")

    def _announce(self, extra: dict[str, Any]) -> None:
        data = {"revision": self.revision, "etag": self.etag, **extra}
        if self.installation:
            data["installation"] = self.installation
        for writer in self._streams:
            writer.write(b"event: revision\ndata: " + orjson.dumps(data) + b"\n\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with _closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path = head.split(" ")[:2]
                fields = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in head.split("\r\n"))
                }
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                assert fields["authorization"] == "Bearer proxy-key"
                if path == "/api/v1/table/stream":
                    await self._stream(reader, writer)
                    return
                if self.delay_s and path == "/api/v1/table":
                    await asyncio.sleep(self.delay_s)
                status, answer = self._answer(method, path, fields, body)
                etag = f'ETag: "{self.etag}"\r\n{self.notice}'
                length = f"Content-Length: {len(answer)}\r\n" if status not in (204, 304) else ""
                writer.write(f"HTTP/1.1 {status} X\r\n{etag}{length}\r\n".encode() + answer)
        self._streams.discard(writer)
        self._open.discard(writer)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.stream == "refused":
            writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
            return
        said = {"revision": self.revision, "etag": self.etag}
        current = orjson.dumps({**said, "installation": self.installation})
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        writer.write(b": hello\n\nevent: current\ndata: " + current + b"\n\n")
        if self.stream == "silent":
            await reader.read()
            return
        self._streams.add(writer)
        gone = asyncio.ensure_future(reader.read())
        try:
            while not (await asyncio.wait({gone}, timeout=1.0))[0]:
                writer.write(b": still here\n\n")
        finally:
            gone.cancel()
            self._streams.discard(writer)

    def _answer(
        self, method: str, path: str, fields: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if (method, path) == ("GET", "/api/v1/table"):
            self.polls += 1
            if f'"{self.etag}"' in fields.get("if-none-match", ""):
                return 304, b""
            self.whole += 1
            data = to_data(self.table) if self.raw is None else self.raw
            return 200, orjson.dumps({"revision": self.revision, "etag": self.etag, "table": data})
        if (method, path) == ("GET", "/api/v1/kill/notice"):
            return 204, b""
        if (method, path) == ("POST", "/api/v1/fleet/acks"):
            self.acks.append(json.loads(body))
            return 204, b""
        if path.startswith("/api/v1/comparisons/"):
            return 404, b"{}"  # shadowing is not what these tests are about
        assert (method, path) == ("POST", "/api/v1/reports")
        self.reports.append(json.loads(body))
        if self.fail_reports:
            self.fail_reports -= 1
            return 500, b"{}"
        return 200, b'{"accepted":true}'

    @property
    def ack(self) -> dict[str, Any]:
        return self.acks[-1] if self.acks else {"revision": 0, "workers": [], "refused": None}


class Proxy:
    """`python -m proxy` with its settings."""

    def __init__(self, state_dir: Path, **settings: str) -> None:
        self.settings = {
            "FIGWAY_LISTEN": "127.0.0.1:0",
            "FIGWAY_PRIVATE_LISTEN": "127.0.0.1:0",
            "FIGWAY_STATE_DIR": str(state_dir),
            "FIGWAY_WORKERS": "2",
            "FIGWAY_REPORT_S": "0.2",
            "FIGWAY_POLL_S": "0.5",
            "FIGWAY_HEARTBEAT_S": "0.5",
            **{f"FIGWAY_{name.upper()}": value for name, value in settings.items()},
        }
        self.state_dir = state_dir
        self.facade = ""
        self.private = ""
        self.events: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, *, ready: bool = True, limit_s: float = LIMIT_S) -> None:
        clean = {key: value for key, value in os.environ.items() if "FIGWAY" not in key}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "proxy",
            env={**clean, **self.settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(self.process.stdout, self.lines)),
            asyncio.create_task(self._read(self.process.stderr, self.events)),
        ]
        await until(lambda: self.event("listening"), "listening", limit_s)
        found = self.event("listening")
        assert found is not None
        self.facade, self.private = found["facade"], found["private"]
        if ready:
            await until(self.ready, "ready")

    async def _read(self, stream: asyncio.StreamReader, into: list[dict[str, Any]]) -> None:
        async for line in stream:
            try:
                into.append(json.loads(line))
            except ValueError:
                self.errors.append(line.decode())

    def event(self, name: str) -> dict[str, Any] | None:
        return next((item for item in self.events if item["event"] == name), None)

    async def get(self, path: str = "/", **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(self.facade + path, headers=headers)

    async def served_by(self, path: str = "/moved/x") -> str:
        return (await self.get(path)).text

    async def inside(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(self.private + path)

    async def ready(self) -> bool:
        return (await self.inside("/ready")).status_code == 200

    async def table(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.inside("/table")).json()
        return found

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = (await self.inside("/metrics")).text.splitlines()
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(LIMIT_S):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def destroy(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)


class World:
    """Everything that a test needs, and its table: one route, in stage new."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.legacy = NamedBackend("legacy")
        self.new = NamedBackend("new")
        self.proxies: list[Proxy] = []

    async def begin(self) -> None:
        await self.legacy.start()
        await self.new.start()
        self.control = FakeControl(self.make_table(Stage.NEW))
        await self.control.start()

    def make_table(self, stage: Stage, **table: Any) -> Table:
        route = Route(id="moved", match=RouteMatch(path="/moved/{x}"), new="new")
        backends = {
            "legacy": Backend(
                id="legacy",
                side=Side.LEGACY,
                url=self.legacy.url,
                fallback_budget=FallbackBudgetPolicy(min_per_s=1_000),
            ),
            "new": Backend(id="new", side=Side.NEW, url=self.new.url),
        }
        return Table(
            default_backend="legacy",
            backends=MappingProxyType(backends),
            routes=MappingProxyType({"moved": flip(route, stage=stage)}),
            **table,
        )

    async def proxy(self, *, ready: bool = True, **settings: str) -> Proxy:
        """A proxy that follows the control plane."""
        found = Proxy(
            self.state_dir, control_url=self.control.url, control_key="proxy-key", **settings
        )
        self.proxies.append(found)
        await found.start(ready=ready)
        return found


@contextlib.asynccontextmanager
async def world(state_dir: Path) -> AsyncIterator[World]:
    """A world, cleaned up afterwards."""
    found = World(state_dir)
    await found.begin()
    try:
        yield found
    finally:
        for proxy in found.proxies:
            await proxy.destroy()
        found.control.stop()
        found.legacy.close()
        found.new.close()
