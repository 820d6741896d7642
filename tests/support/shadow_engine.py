"""The comparing engine in one process, with scripted sides and no sockets: thousands of pairs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from figway.evidence.comparing import evidence_window, overruled, rule_set
from figway.evidence.judgement import Judgement, Now, judge
from figway.evidence.window import BuildEvidence
from figway.message.http import Headers
from figway.model.backend import Backend
from figway.model.comparison import ComparisonPolicy, LegacyReads, ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import compile_table
from figway.serving.attempts.failures import FailureKind
from proxy.capture.message import Captured
from proxy.shadow.engine import ShadowEngine
from proxy.shadow.settings import ShadowSettings
from proxy.upstreams.fake import Answer, Fail, FakeAttempt, FakeUpstream

JSON = [(b"Content-Type", b"application/json")]


@dataclass
class Asked:
    """A request as a script sees it."""

    target: str
    headers: dict[str, str]
    copied: bool
    method: str = "GET"


@dataclass
class Said:
    """What a side answers."""

    body: bytes = b"{}"
    status: int = 200
    headers: Headers = field(default_factory=lambda: list(JSON))
    fails: bool = False


Script = Callable[[Asked], Said]


class EngineWorld:
    """Feed it requests; read its evidence."""

    def __init__(self, legacy: Script, new: Script, route: Route, percent: int) -> None:
        self.scripts = {Side.LEGACY: legacy, Side.NEW: new}
        self.seen: dict[Side, list[Asked]] = {Side.LEGACY: [], Side.NEW: []}
        self.evidence: dict[str, BuildEvidence] = {}
        self.verdicts: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.route = route
        self._tasks: set[asyncio.Task[None]] = set()
        self._percent = percent
        self._revision = 1
        self.make()

    def make(self) -> None:
        """A worker; once more: it was killed and started again, knowing nothing."""
        settings = ShadowSettings(
            key=b"k" * 32, concurrency=16, timeout_ms=5_000, legacy_percent=self._percent
        )
        self.engine = ShadowEngine(
            settings, self._open, self._spawn, lambda queue: None, self._failed
        )
        self.engine.swap(compile_table(self.table(), self._revision))

    def table(self) -> Table:
        """The table."""
        backends = {
            "legacy": Backend(id="legacy", side=Side.LEGACY, url="http://127.0.0.1:1"),
            "new": Backend(
                id="new", side=Side.NEW, url="http://127.0.0.1:2", build_header="x-app-version"
            ),
        }
        return Table(
            default_backend="legacy",
            backends=MappingProxyType(backends),
            routes=MappingProxyType({"r": self.route}),
        )

    def change(self, route: Route) -> None:
        """Another policy of the route."""
        self.route = route
        self._revision += 1
        self.engine.swap(compile_table(self.table(), self._revision))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.faults.append(repr(task.exception()))

    def _failed(self, where: str, error: BaseException) -> None:
        self.faults.append(f"{where}: {error!r}")

    def _open(self, backend: Backend) -> Any:
        upstream = FakeUpstream()
        side = backend.side

        def reply(attempt: FakeAttempt) -> Answer | Fail:
            headers = {
                name.decode().lower(): value.decode() for name, value in attempt.request.headers
            }
            asked = Asked(attempt.request.target.decode(), headers, True, attempt.request.method)
            self.seen[side].append(asked)
            said = self.scripts[side](asked)
            if said.fails:
                return Fail(FailureKind.TIMEOUT)
            return Answer(said.status, said.headers, [said.body] if said.body else [])

        upstream.default = reply
        return upstream

    def serve(
        self, target: str, method: str = "GET", headers: Headers | None = None, body: bytes = b""
    ) -> None:
        """A user asks; legacy answers; the capture comes in."""
        plan = self.engine.table.compiled.plans["r"]  # type: ignore[union-attr]
        sent = [(b"Host", b"shop.example"), *(headers or [])]
        told = {name.decode().lower(): value.decode() for name, value in sent}
        asked = Asked(target, told, False, method)
        self.seen[Side.LEGACY].append(asked)
        said = self.scripts[Side.LEGACY](asked)
        found = Captured()
        found.route, found.window, found.revision = "r", evidence_window(plan), self._revision
        found.side, found.method, found.target = "legacy", method, target.encode()
        found.headers, found.has_body, found.body = sent, bool(body), body
        found.peer, found.scheme, found.host, found.trusted = "127.0.0.1", "http", b"shop", False
        found.trace, found.at_ms, found.head_us = "0" * 32, int(time.time() * 1_000), 900
        found.cut, found.lasted_us = False, 0
        found.status, found.failure = said.status, "timeout" if said.fails else ""
        found.answer_headers, found.answer_body = said.headers, said.body
        found.size = 400 + len(said.body)
        self.engine.tally.came("1:1", found)
        self.engine.pairs.take(found)

    async def settle(self, rounds: int = 200) -> None:
        """Let everything that is under way come as far as it can."""
        for _ in range(rounds):
            self.engine.pairs.tick()
            await asyncio.sleep(0.002)
            if not self.engine.pairs.open:
                break
        self.take()

    async def end(self) -> None:
        """What waits is ended by what is known."""
        await self.settle(20)
        for _ in range(2_000):
            if not self.engine.pairs.open:
                break
            self.engine.pairs.tick()
            self.engine.pairs.hurry()
            await asyncio.sleep(0.002)
        assert not self.engine.pairs.open, f"{self.engine.pairs.open} captures never end"
        self.take()

    def take(self) -> None:
        """Take the rows, as the supervisor and the control plane would."""
        for row in self.engine.tally.take()["rows"]:
            self.verdicts.update(row["verdicts"])
            self.skipped.update(row["skipped"])
            self.dropped.update(row["dropped"])
            self.examples += row["examples"]
            for data in row["evidence"]:
                part = BuildEvidence.from_data(data)
                self.evidence.setdefault(part.build, BuildEvidence(part.build)).add(part)

    @property
    def only(self) -> BuildEvidence:
        """The evidence, where new names no build."""
        return self.evidence[""]

    def judged(self, build: str = "") -> Judgement:
        """The evidence, judged by the route's rules and words of now."""
        policy = self.route.comparison
        now = Now(rule_set(policy), overruled(policy), legacy_reads=self.route.shadow.legacy_reads)
        return judge(self.evidence.get(build) or BuildEvidence(), now)

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What the control plane would give back to a worker that starts."""
        plan = self.engine.table.compiled.plans["r"]  # type: ignore[union-attr]
        merged = BuildEvidence()
        for part in self.evidence.values():
            merged.add(part)
        data = merged.to_data()
        names = ("forms", "looks", "own")
        told = {name: data[name] for name in names}
        return [{"route": "r", "window": evidence_window(plan), "build": "", **told}]


def route_of(
    reads: LegacyReads = LegacyReads.ALLOWED, sample: int = 200, **comparison: Any
) -> Route:
    """The route `r`."""
    return Route(
        id="r",
        match=RouteMatch(path="/r/**"),
        stage=Stage.SHADOW,
        new="new",
        shadow=ShadowPolicy(legacy_reads=reads),
        comparison=ComparisonPolicy(noise_sample=sample, **comparison),
    )


@asynccontextmanager
async def engine_world(
    legacy: Script, new: Script, route: Route | None = None, percent: int = 50
) -> AsyncIterator[EngineWorld]:
    """A world, closed afterwards. Fails the test that left a fault of ours behind."""
    world = EngineWorld(legacy, new, route or route_of(), percent)
    try:
        yield world
        assert not world.faults, world.faults
    finally:
        for task in list(world._tasks):
            task.cancel()
        await world.engine.close()


def replaced(route: Route, **fields: Any) -> Route:
    """The route with another comparison policy."""
    return replace(route, comparison=replace(route.comparison, **fields))
