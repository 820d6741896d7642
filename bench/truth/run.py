"""Every kind of the fixture as a route of its own, all at once, through a proxy as real processes.

    python -m bench.truth.run [--requests 400] [--rate 300] [--reads allowed] [--write FILE]

Two servers answer by kind; a proxy shadows every route; what its shadow worker tells is judged as
the control plane judges it. Prints a table of what was missed, hidden or false; exits 0 if
nothing was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from bench.truth.answers import NUMBERS, Side
from bench.truth.differences import DIFFERENCES
from bench.truth.noise import NOISE, Answer
from figway.evidence.judgement import Judgement, Now, judge
from figway.evidence.window import BuildEvidence
from figway.model.table import LegacyReads, Route, RouteMatch, ShadowPolicy, Stage, Table
from tests.support.shadow_world import Reply, Request, ShadowWorld, shadow_world

FOUND = frozenset({"real", "unsteady", "varies_differently", "likely_real"})
MOST_FALSE = 0.005


@dataclass(frozen=True)
class Kind:
    """A route of the fixture."""

    name: str
    answer: Answer
    real: bool


def kinds() -> list[Kind]:
    """All of them."""
    noisy = [Kind(name, answer, False) for name, answer in NOISE.items()]
    return noisy + [Kind(name, found.answer(name), True) for name, found in DIFFERENCES.items()]


class Truth:
    """The world of the fixture."""

    def __init__(self, world: ShadowWorld, wanted: list[Kind], reads: LegacyReads) -> None:
        self.world = world
        self.kinds = wanted
        for name, backside in (("legacy", world.legacy), ("new", world.new)):
            sides = [Side(name, random.Random(f"{name} {kind.name}")) for kind in wanted]
            backside.script = self._script(sides)
        self._reads = reads

    def _script(self, sides: list[Side]) -> Any:
        def answer(request: Request) -> Reply:
            _, _, at, number = request.target.split("/")
            said = self.kinds[int(at)].answer(sides[int(at)], int(number))
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

    async def ask(self, facade: str, requests: int, rate: float) -> None:
        """Ask every route, in turn, so many times."""
        order = random.Random(23)
        paths = [
            f"/k/{at}/{order.randrange(NUMBERS)}"
            for _ in range(requests)
            for at in range(len(self.kinds))
        ]
        lanes = 8
        async with httpx.AsyncClient(base_url=facade, trust_env=False) as client:

            async def lane(mine: list[str]) -> None:
                for path in mine:
                    await asyncio.gather(client.get(path), asyncio.sleep(lanes / rate))

            await asyncio.gather(*(lane(paths[start::lanes]) for start in range(lanes)))

    def judged(self) -> list[Judgement]:
        """By kind."""
        evidence: defaultdict[str, BuildEvidence] = defaultdict(BuildEvidence)
        for row in self.world.batches.rows:
            for data in row.get("evidence", ()):
                evidence[row["route"]].add(BuildEvidence.from_data(data))
        now = Now(legacy_reads=self._reads.value)
        return [judge(evidence[f"k{at}"], now) for at in range(len(self.kinds))]


def verdict(kind: Kind, judged: Judgement) -> str:
    """What is wrong with a judgement; empty if it is right."""
    found = [item for item in judged.fields if item.standing in FOUND]
    if kind.real:
        return "" if found or judged.new_failed else "missed"
    if judged.standing(0.995) == "refuted":
        return "refuted"
    if judged.mismatch > MOST_FALSE * max(1, judged.rated) or found:
        return "false"
    return ""


async def run(requests: int, rate: float, reads: LegacyReads, only: str) -> dict[str, Any]:
    """Send the requests, and say how each kind was judged."""
    wanted = [kind for kind in kinds() if only in kind.name]
    with tempfile.TemporaryDirectory(prefix="figway-truth-") as folder:
        async with shadow_world(Path(folder)) as world:
            truth = Truth(world, wanted, reads)
            plain = world.table
            world.table = lambda: truth.table(plain())  # type: ignore[method-assign]
            proxy = await world.start(shadow_legacy_percent="50", report_interval_s="1")
            await truth.ask(proxy.facade, requests, rate)
            served = requests * len(wanted)
            for _ in range(90):
                if world.batches.captured >= served and world.batches.balanced:
                    break
                await asyncio.sleep(1)
            rows = list(zip(wanted, truth.judged(), strict=True))
            extra = len(world.legacy.copies)
    wrong = {kind.name: verdict(kind, found) for kind, found in rows if verdict(kind, found)}
    return {
        "requests": served,
        "kinds": {
            "noise": sum(not kind.real for kind in wanted),
            "real": sum(kind.real for kind in wanted),
        },
        "legacy_reads": reads.value,
        "read_again_at_legacy": extra,
        "wrong": wrong,
        "missed": sum(word == "missed" for word in wrong.values()),
        "false": sum(word != "missed" for word in wrong.values()),
        "rows": [
            {
                "kind": kind.name,
                "real": kind.real,
                "match": found.match,
                "mismatch": found.mismatch,
                "new_failed": found.new_failed,
                "unconfirmed": found.unconfirmed,
                "not_comparable": found.not_comparable,
                "standing": found.standing(0.995),
                "fields": {item.field: item.standing for item in found.fields[:4]},
                "reasons": [reason.code for reason in found.reasons],
            }
            for kind, found in rows
        ],
    }


def main() -> int:
    """Run, print, and say by the exit code whether nothing was missed or false."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth.run", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="for each kind")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second, all kinds")
    parser.add_argument("--reads", default="allowed", choices=[item.value for item in LegacyReads])
    parser.add_argument("--only", default="", help="kinds whose name holds this text")
    parser.add_argument("--write", type=Path, help="also write the result there")
    arguments = parser.parse_args()
    reads = LegacyReads(arguments.reads)
    result = asyncio.run(run(arguments.requests, arguments.rate, reads, arguments.only))
    text = json.dumps(result, indent=2)
    if arguments.write:
        arguments.write.write_text(text + "\n", encoding="utf-8")
    rows = result.pop("rows")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    for row in rows:
        if row["kind"] in result["wrong"]:
            sys.stdout.write(json.dumps(row) + "\n")
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    os.environ.setdefault("FIGWAY_LOG", "json")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
