"""The world of the fixture: two servers that answer by kind, clients, and what the worker tells."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bench.truth.answers import NUMBERS, Asked, Side
from bench.truth.kinds import Kind
from figway.evidence.window import BuildEvidence
from figway.model.comparison import LegacyReads, ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from tests.support.load import Connection
from tests.support.shadow_world import Reply, Request, ShadowWorld

LANES = 8
REPEATED = 0.5
"""Share of the requests that come a second time, a few turns later."""
LATER = 3
"""Turns in between."""
BACKLOG = 350
"""Requests that may be under way, or not told of yet: fewer than a worker lets wait for one
backend, so that a busy machine makes the fixture slow, and not the evidence thin."""
_WORKER = b"proxy.processes.shadow.worker"


class Truth:
    """See the module."""

    def __init__(self, world: ShadowWorld, wanted: list[Kind], reads: LegacyReads) -> None:
        self.world = world
        self.kinds = wanted
        self.sent = 0
        self.restarts = 0
        self._reads = reads
        self._evidence: dict[str, BuildEvidence] = {}
        self._windows: dict[str, str] = {}
        self._taken = 0
        for name, backside in (("legacy", world.legacy), ("new", world.new)):
            sides = [Side(name, random.Random(f"{name} {kind.name}")) for kind in wanted]
            self.sides = sides
            """At the end, those of new."""
            backside.script = self._script(sides)

    def _script(self, sides: list[Side]) -> Any:
        def answer(request: Request) -> Reply:
            target, _, query = request.target.partition("?")
            _, _, at, number = target.split("/")
            side = sides[int(at)]
            told = tuple(request.headers.items())
            side.asked = Asked(request.method, f"?{query}" if query else "", told)
            said = self.kinds[int(at)].answer(side, int(number))
            media = next((v for k, v in said.headers if k == "Content-Type"), "text/plain")
            others = tuple(pair for pair in said.headers if pair[0] != "Content-Type")
            return Reply(said.body, said.status, media, others)

        return answer

    def table(self, before: Table) -> Table:
        """A route for each kind."""
        routes = {
            f"k{at}": Route(
                id=f"k{at}",
                match=RouteMatch(path=f"/k/{at}/{{number}}"),
                stage=Stage.SHADOW,
                new="new",
                shadow=ShadowPolicy(legacy_reads=self._reads),
            )
            for at in range(len(self.kinds))
        }
        return replace(before, routes=MappingProxyType(routes))

    # -- clients -------------------------------------------------------------------------------

    async def ask(
        self,
        facade: str,
        requests: int,
        rate: float,
        restarts: int,
        supervisor: int,
        seconds: float,
    ) -> None:
        """Ask every route, in turn, so many times, and no longer than so many seconds; kill the
        shadow worker so often meanwhile."""
        end = time.monotonic() + seconds
        orders = [numbers(requests, at) for at in range(len(self.kinds))]
        every = max(1, requests // (restarts + 1))
        for turn in range(requests):
            if time.monotonic() > end:
                return
            if restarts and turn and turn % every == 0 and turn // every <= restarts:
                kill_worker(supervisor)
                self.restarts += 1
            texts = [
                _request(facade, at, orders[at][turn], kind) for at, kind in enumerate(self.kinds)
            ]
            pause = asyncio.create_task(asyncio.sleep(len(texts) / rate))
            await asyncio.gather(*(_lane(facade, texts[lane::LANES]) for lane in range(LANES)))
            self.sent += len(texts)
            await pause
            await self._kept_up()

    async def _kept_up(self) -> None:
        """Wait for a worker that is behind: what it would drop tells nothing of its judgement."""
        for _ in range(100):
            if self.sent - self.world.batches.settled < BACKLOG:
                return
            await asyncio.sleep(0.1)

    @property
    def untried(self) -> set[str]:
        """Kinds of difference that new never showed: nobody asked for a number that has it."""
        pairs = zip(self.kinds, self.sides, strict=True)
        return {kind.name for kind, side in pairs if kind.real and not side.state.get("wrong")}

    # -- what the worker tells -----------------------------------------------------------------

    def evidence(self) -> dict[str, BuildEvidence]:
        """By route, of all that was told so far."""
        batches = list(self.world.batches.found.values())
        for batch in batches[self._taken :]:
            for row in batch["routes"]:
                self._windows[row["route"]] = row["window"]
                for data in row.get("evidence", ()):
                    into = self._evidence.setdefault(row["route"], BuildEvidence())
                    into.add(BuildEvidence.from_data(data))
        self._taken = len(batches)
        return self._evidence

    def learned(self) -> list[dict[str, Any]]:
        """What the control plane gives back to a worker that starts."""
        told = []
        for route, evidence in self.evidence().items():
            data = evidence.to_data()
            head = {"route": route, "window": self._windows[route], "build": ""}
            told.append(head | {name: data[name] for name in ("forms", "looks", "own")})
        return told


def numbers(requests: int, at: int) -> list[int]:
    """Every number in turn, in an order of its own; half of them once more a little later."""
    chance = random.Random(f"order {at}")
    found: list[int] = []
    again: list[tuple[int, int]] = []
    fresh = _fresh(chance)
    while len(found) < requests:
        if again and again[0][0] <= len(found):
            found.append(again.pop(0)[1])
            continue
        number = next(fresh)
        found.append(number)
        if chance.random() < REPEATED:
            again.append((len(found) + LATER, number))
    return found


def _fresh(chance: random.Random) -> Iterator[int]:
    while True:
        order = list(range(NUMBERS))
        chance.shuffle(order)
        yield from order


def _request(facade: str, at: int, number: int, kind: Kind) -> bytes:
    asked = kind.asking(number)
    host = facade.partition("//")[2]
    lines = [f"{asked.method} /k/{at}/{number}{asked.query} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in asked.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _lane(facade: str, texts: list[bytes]) -> None:
    connection = await Connection.open(facade)
    try:
        for text in texts:
            if text.startswith(b"HEAD"):
                await _head(facade, text)
                continue
            if not connection.open_still:
                connection = await Connection.open(facade)
            await connection.ask(text)
    finally:
        connection.close()


async def _head(facade: str, text: bytes) -> None:
    """On a connection of its own: an answer to HEAD has no body, whatever its length says."""
    parts = urlsplit(facade)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(text)
        await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


def kill_worker(supervisor: int) -> None:
    """Kill the shadow worker of a proxy, as the system does that runs out of memory."""
    for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        if _WORKER in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
