"""A proxy as real processes with a route in stage shadow, scriptable sides, a control plane."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend
from figway.model.comparison import ComparisonPolicy, LegacyReads, ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.support.fleet import FakeControl, Proxy
from tests.support.until import until

__all__ = ["Batches", "Reply", "Request", "ShadowWorld", "shadow_world"]


@dataclass
class Request:
    """A request as a side received it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def copied(self) -> bool:
        """Is it a copy?"""
        return "figway-shadow" in self.headers


@dataclass
class Reply:
    """What a side answers. `hang` never does, `cut` closes in the middle of the head."""

    body: bytes = b"{}"
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    hang: bool = False
    cut: bool = False


Script = Callable[[Request], Reply]


class Backside:
    """One side as an HTTP server that answers by a script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Request] = []
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def copies(self) -> list[Request]:
        return [request for request in self.seen if request.copied]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._one(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.seen.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = self.script(request)
            if reply.hang:
                await asyncio.sleep(3_600)
            if reply.delay_s:
                await asyncio.sleep(reply.delay_s)
        finally:
            self.at_once -= 1
        if reply.cut:
            writer.write(b"HTTP/1.1 200")
            raise ConnectionResetError
        fields = (("Content-Type", reply.content_type), *reply.headers)
        head = f"HTTP/1.1 {reply.status} X\r\nContent-Length: {len(reply.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        writer.write(head.encode() + b"\r\n" + (reply.body if method != "HEAD" else b""))
        await writer.drain()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()


@dataclass
class Batches:
    """Batches as the control plane counts them: each sequence once."""

    found: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    posts: int = 0

    def take(self, batch: dict[str, Any]) -> bool:
        self.posts += 1
        key = (batch["boot"], batch["sequence"])
        if key in self.found:
            assert json.dumps(self.found[key]["routes"]) == json.dumps(batch["routes"])
            return False
        self.found[key] = batch
        return True

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch in self.found.values() for row in batch["routes"]]

    def total(self, name: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for row in self.rows:
            found.update(row[name])
        return found

    @property
    def captured(self) -> int:
        return sum(row["captured"] for row in self.rows)

    @property
    def verdicts(self) -> Counter[str]:
        return self.total("verdicts")

    @property
    def dropped(self) -> Counter[str]:
        return self.total("dropped")

    @property
    def skipped(self) -> Counter[str]:
        return self.total("skipped")

    @property
    def settled(self) -> int:
        return sum(self.verdicts.values()) + sum(self.dropped.values())

    @property
    def balanced(self) -> bool:
        """captured = compared + skipped + dropped."""
        return self.captured == self.settled

    @property
    def examples(self) -> list[dict[str, Any]]:
        return [example for row in self.rows for example in row["examples"]]

    def fields(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for row in self.rows:
            for item in row["fields"]:
                if not item["ignored"] and not item["noise"]:
                    found[f"{item['path']} {item['kind']}"] += item["count"]
        return found


class ShadowControl(FakeControl):
    """The fake control plane, with comparisons."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self.batches = Batches()
        self.jobs: list[dict[str, Any]] = []
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.lose_answers = 0
        self.learned: Callable[[], list[dict[str, Any]]] | None = None
        """What a worker that starts is given back; None for a control plane without that."""

    def _announce(self, extra: dict[str, Any]) -> None:
        # A proxy gives up a stream that is silent for long, and opens another.
        self._streams = {writer for writer in self._streams if not writer.is_closing()}
        super()._announce(extra)

    def _answer(
        self, method: str, path: str, fields: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if path == "/api/v1/comparisons/batches":
            accepted = self.batches.take(json.loads(body))
            if self.lose_answers:
                self.lose_answers -= 1
                return 503, b"{}"
            return 200, json.dumps({"accepted": accepted}).encode()
        if path == "/api/v1/comparisons/learned" and self.learned is not None:
            return 200, json.dumps({"windows": self.learned()}).encode()
        if path.startswith("/api/v1/comparisons/replays?"):
            return 200, json.dumps({"jobs": self.jobs}).encode()
        if path.startswith("/api/v1/comparisons/replays/"):
            job = path.split("/")[5]
            self.results[job] = json.loads(body)["results"]
            self.jobs = [item for item in self.jobs if item["id"] != job]
            return 200, b"{}"
        return super()._answer(method, path, fields, body)


def same(request: Request) -> Reply:
    """Both sides say the same."""
    return Reply(json.dumps({"path": request.target}).encode())


class ShadowWorld:
    """Two sides, a table with the route `r` at `/r/**`, a control plane, and proxies."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.legacy = Backside(same)
        self.new = Backside(same)
        self.proxies: list[Proxy] = []
        self.route = Route(
            id="r",
            match=RouteMatch(path="/r/**"),
            stage=Stage.SHADOW,
            new="new",
            shadow=ShadowPolicy(legacy_reads=LegacyReads.ALLOWED),
            comparison=ComparisonPolicy(noise_sample=0),
        )

    def policy(self, **fields: Any) -> None:
        """Change the route's shadow policy, before the start."""
        fields = {"legacy_reads": LegacyReads.ALLOWED, **fields}
        self.route = replace(self.route, shadow=ShadowPolicy(**fields))

    def table(self) -> Table:
        backends = {
            "legacy": Backend(id="legacy", side=Side.LEGACY, url=self.legacy.url),
            "new": Backend(id="new", side=Side.NEW, url=self.new.url),
        }
        return Table(
            default_backend="legacy",
            backends=MappingProxyType(backends),
            routes=MappingProxyType({"r": self.route}),
        )

    async def start(self, **settings: str) -> Proxy:
        """Everything up; the shadow worker too."""
        await self.legacy.start()
        await self.new.start()
        self.control = ShadowControl(self.table())
        await self.control.start()
        proxy = Proxy(
            self.state_dir,
            **{
                "control_url": self.control.url,
                "control_key": "proxy-key",
                "workers": "1",
                "log": "json",
                "shadow_legacy_percent": "300",
                **settings,
            },
        )
        self.proxies.append(proxy)
        await proxy.start()
        return proxy

    @property
    def batches(self) -> Batches:
        return self.control.batches

    async def settled(self, captured: int) -> Batches:
        """Wait until so many captures were told of, and came to an end."""

        def done() -> bool:
            return self.batches.captured == captured and self.batches.balanced

        try:
            await until(done, "settled")
        except AssertionError:
            b = self.batches
            told = f"captured {b.captured}, verdicts {b.verdicts}, dropped {b.dropped}"
            raise AssertionError(f"wanted {captured}: {told}") from None
        return self.batches


@contextlib.asynccontextmanager
async def shadow_world(state_dir: Path) -> AsyncIterator[ShadowWorld]:
    """A world, cleaned up afterwards."""
    found = ShadowWorld(state_dir)
    try:
        yield found
    finally:
        for proxy in found.proxies:
            await proxy.destroy()
        if hasattr(found, "control"):
            found.control.stop()
        found.legacy.close()
        found.new.close()
