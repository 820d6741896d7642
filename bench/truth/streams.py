"""Every kind of the fixture through the comparing engine, in a time of its own: minutes in seconds.

    python -m bench.truth.streams [--requests 530] [--rate 2] [--reads allowed|never] [--seed 1]
        [--only TEXT] [--part 1/2] [--restarts 1] [--write FILE]

The engine is the worker's own, from the capture to the rows that it tells. There are no sockets,
and the clock goes on only when nothing is to be done: what takes `bench.truth.run` ten minutes on
real processes takes a second a kind here, and is the same each time. Prints what was missed, hidden
or false; exits 0 if nothing was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import selectors
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from bench.truth.answers import Asked, Said, Side
from bench.truth.kinds import Kind, chosen
from bench.truth.verdicts import Verdict, Watch
from bench.truth.world import numbers
from figway.compare.answer import Answer
from figway.evidence.comparing import evidence_window
from figway.evidence.window import BuildEvidence
from figway.message.http import Headers
from figway.model.comparison import LegacyReads
from proxy.capture.message import Captured
from proxy.shadow.asking import Asking
from proxy.shadow.backend_queue import BackendQueue
from proxy.shadow.sender import Told
from proxy.shadow.table import ComparedRoute
from proxy.shadow.thread import CompareThread
from tests.support.shadow_engine import EngineWorld, route_of
from tests.support.shadow_engine import Said as Reply

START_S = 1_780_309_000.0
"""When streams begin: the first of June 2026, a quarter past ten."""
LOOKS = 40
"""Times that a stream is judged, but for the end."""
SETTLE_S = 45.0
T = TypeVar("T")


class Clock:
    """Time that goes on only when nobody has anything to do."""

    def __init__(self, start: float = START_S) -> None:
        self.now = 0.0
        self._start = start

    def time(self) -> float:
        """Seconds since 1970."""
        return self._start + self.now

    def monotonic(self) -> float:
        """Seconds since it began."""
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout:
            self._clock.now += timeout
        return found


class _AtOnce(CompareThread):
    """No thread."""

    def __init__(self) -> None:
        self.waiting = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Do it now."""
        return work()

    def close(self) -> None:
        """Nothing is open."""


class _Asking(Asking):
    """Asks the scripts, a while later."""

    world: StreamWorld

    def first(
        self, compared: ComparedRoute, queue: BackendQueue, captured: Captured, told: Told
    ) -> None:
        async def ask() -> None:
            answer = await self._ask(queue, captured)
            queue.result(answer)
            queue.leave()
            told(answer)

        self.world._spawn(ask(), "ask")

    async def _ask(
        self,
        queue: BackendQueue,
        captured: Captured,
        conditions: Sequence[tuple[bytes, bytes]] = (),
    ) -> Answer:
        world = self.world
        took = world.chance.uniform(0.004, 0.03)
        await asyncio.sleep(took / 2)
        told = tuple((k.decode().lower(), v.decode()) for k, v in captured.headers)
        said = world.answer(queue.side == "new", captured.target.decode(), told, captured.method)
        await asyncio.sleep(took / 2)
        return Answer(said.status, tuple(_raw(said)), said.body, elapsed_ms=took * 1_000)


class StreamWorld(EngineWorld):
    """One route of the fixture, with both sides' answers."""

    def __init__(self, kind: Kind, reads: LegacyReads, seed: int) -> None:
        self.kind = kind
        self.chance = random.Random(f"{seed} {kind.name}")
        self.sides = [Side(name, random.Random(f"{name} {seed} {kind.name}")) for name in _SIDES]
        super().__init__(_nothing, _nothing, route_of(reads), 50)

    def make(self) -> None:
        """A worker, without a thread of its own."""
        super().make()
        pairs = self.engine.pairs
        pairs.thread = self.engine.thread = pairs._looks._comparing = _AtOnce()
        asking = _Asking(self.engine.table, pairs._asking._settings)
        asking.world = self
        pairs._asking = pairs._looks._asking = asking

    def answer(
        self, new: bool, target: str, told: tuple[tuple[str, str], ...], method: str
    ) -> Said:
        """What a side says to a request."""
        path, _, query = target.partition("?")
        side = self.sides[new]
        side.asked = Asked(method, f"?{query}" if query else "", told)
        return self.kind.answer(side, int(path.rpartition("/")[2]))

    def ask(self, number: int) -> None:
        """A user asks."""
        asked = self.kind.asking(number)
        target = f"/r/{number}{asked.query}"
        said = self.answer(False, target, asked.headers, asked.method)
        body = b"" if asked.method == "HEAD" else said.body
        plan = self.engine.table.compiled.plans["r"]  # type: ignore[union-attr]
        found = Captured()
        found.route, found.window, found.revision = "r", evidence_window(plan), self._revision
        found.side, found.method, found.target = "legacy", asked.method, target.encode()
        found.headers = [(name.encode(), value.encode()) for name, value in asked.headers]
        found.has_body, found.body, found.trusted = False, b"", False
        found.peer, found.scheme, found.host = "127.0.0.1", "http", b"shop.example"
        found.trace, found.at_ms, found.head_us = "0" * 32, int(time.time() * 1_000), 4_000
        found.cut, found.lasted_us, found.failure = False, 0, ""
        found.status, found.answer_headers, found.answer_body = said.status, _raw(said), body
        found.size = 400 + len(body)
        asyncio.get_running_loop().call_later(0.008, self._came, found)

    def _came(self, found: Captured) -> None:
        self.engine.tally.came("1:1", found)
        self.engine.pairs.take(found)

    @property
    def told(self) -> dict[str, BuildEvidence]:
        """Its evidence, as of the first route of a fixture."""
        return {"k0": self.evidence[""]} if "" in self.evidence else {}

    async def ticking(self) -> None:
        """What the worker does ten times a second."""
        while True:
            await asyncio.sleep(0.1)
            self.engine.pairs.tick()

    def killed(self) -> None:
        """Another worker, with what the control plane gives back."""
        self.take()
        learned = self.learned
        self.make()
        self.engine.restore(learned)


_SIDES = ("legacy", "new")


def _nothing(asked: Any) -> Reply:
    return Reply()


def _raw(said: Said) -> Headers:
    return [(name.encode(), value.encode()) for name, value in said.headers]


async def _stream(
    kind: Kind, reads: LegacyReads, requests: int, rate: float, seed: int, restarts: int
) -> Verdict | None:
    world = StreamWorld(kind, reads, seed)
    ticking = asyncio.create_task(world.ticking())
    watch = Watch([kind], reads)
    every = max(1, requests // LOOKS)
    killed = {requests * (at + 1) // (restarts + 1) for at in range(restarts)}
    for turn, number in enumerate(numbers(requests, seed)):
        world.ask(number)
        await asyncio.sleep(world.chance.expovariate(rate))
        if turn in killed:
            world.killed()
        if turn % every == every - 1:
            world.take()
            watch.look(world.told)
    await asyncio.sleep(SETTLE_S)
    ticking.cancel()
    world.take()
    watch.look(world.told)
    if world.faults:
        raise RuntimeError(f"{kind.name}: {world.faults[0]}")
    untried = {kind.name} if kind.real and not world.sides[1].state.get("wrong") else set()
    found = watch.verdicts(untried)
    return found[0] if found else None


def stream(
    kind: Kind,
    reads: LegacyReads = LegacyReads.ALLOWED,
    *,
    requests: int = 530,
    rate: float = 2.0,
    seed: int = 1,
    restarts: int = 0,
    start: float = START_S,
) -> Verdict | None:
    """Judge one kind; None where new never showed what it gets wrong."""
    clock, lots = Clock(start), random.Random(f"lots {seed} {kind.name}")
    loop = asyncio.SelectorEventLoop(_Selector(clock))
    with (
        mock.patch.object(time, "time", clock.time),
        mock.patch.object(time, "monotonic", clock.monotonic),
        mock.patch.object(secrets, "randbelow", lots.randrange),
    ):
        try:
            return loop.run_until_complete(_stream(kind, reads, requests, rate, seed, restarts))
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


def _lines(found: Verdict, reads: LegacyReads) -> Iterator[str]:
    told = {name: value for name, value in asdict(found).items() if value not in ("", [], 0)}
    yield json.dumps({"reads": reads.value, **told})


def main() -> int:
    """Run, print, and say by the exit code whether nothing was missed or false."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth.streams", description=__doc__)
    parser.add_argument("--requests", type=int, default=530)
    parser.add_argument("--rate", type=float, default=2.0, help="requests a second of a route")
    parser.add_argument("--reads", default="allowed", choices=[item.value for item in LegacyReads])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds whose name holds a text (a|b), or `real`")
    parser.add_argument("--part", default="1/1", help="of the kinds, every n-th")
    parser.add_argument("--restarts", type=int, default=1, help="of the shadow worker")
    parser.add_argument("--write", type=Path, help="also write the results there")
    given = parser.parse_args()
    reads = LegacyReads(given.reads)
    rows = []
    for kind in chosen(given.only, given.part):
        found = stream(
            kind,
            reads,
            requests=given.requests,
            rate=given.rate,
            seed=given.seed,
            restarts=given.restarts,
        )
        if found is None:
            continue
        rows.append(replace(found, cause="", common=[]))
        if found.wrong:
            sys.stdout.write("\n".join(_lines(rows[-1], reads)) + "\n")
            sys.stdout.flush()
    wrong = [row for row in rows if row.wrong]
    sys.stdout.write(f"{len(rows)} kinds, {len(wrong)} wrong\n")
    if given.write:
        text = json.dumps([asdict(row) for row in rows], indent=1)
        given.write.write_text(text + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
