"""Every kind of the fixture as a route of its own, all at once, through a proxy as real processes.

    python -m bench.truth.run [--requests 400] [--only TEXT] [--reads allowed|cacheable|never]
        [--restarts 2] [--seconds 420] [--part 1/3] [--write FILE]

Two servers answer by kind; a proxy shadows every route; what its shadow worker tells is judged as
the control plane judges it, every two seconds and at the end. The worker is killed in between.
Half of the requests come a second time a little later, as users make them. Prints what was missed,
hidden or false, and of which differing requests no cause, or a wrong one, was said; exits 0 if
nothing was missed or false. `python -m bench.truth.report` writes the table of the
manual from the results.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.truth.common_causes import stored_pairs
from bench.truth.kinds import Kind, chosen
from bench.truth.verdicts import Verdict, Watch
from bench.truth.world import Truth
from figway.model.comparison import LegacyReads
from tests.support.shadow_world import shadow_world

MOMENTS_S = 2.0
SETTLE_S = 15.0


async def run(
    wanted: list[Kind],
    requests: int,
    rate: float,
    reads: LegacyReads,
    restarts: int,
    seconds: float,
) -> dict[str, Any]:
    """Send the requests, and say how each kind was judged."""
    with tempfile.TemporaryDirectory(prefix="figway-truth-") as folder:
        async with shadow_world(Path(folder)) as world:
            truth = Truth(world, wanted, reads)
            plain = world.table
            world.table = lambda: truth.table(plain())  # type: ignore[method-assign]
            proxy = await world.start(shadow_legacy_percent="50", report_interval_s="1")
            world.control.learned = truth.learned
            watch = Watch(wanted, reads)
            looking = asyncio.create_task(_watching(truth, watch))
            await truth.ask(proxy.facade, requests, rate, restarts, proxy.process.pid, seconds)
            await _settled(truth)
            looking.cancel()
            watch.look(truth.evidence())
            pairs = stored_pairs(world.batches.rows)
            return _result(truth, watch.verdicts(truth.untried, pairs), reads)


async def _watching(truth: Truth, watch: Watch) -> None:
    while True:
        await asyncio.sleep(MOMENTS_S)
        watch.look(truth.evidence())


async def _settled(truth: Truth) -> None:
    """Until all is told, or nothing has been told for a while: a killed worker takes some along."""
    batches = truth.world.batches
    before, since = (0, 0), time.monotonic()
    while time.monotonic() - since < SETTLE_S:
        now = (batches.captured, batches.settled)
        if now != before:
            before, since = now, time.monotonic()
        if batches.captured >= truth.sent and batches.balanced:
            return
        await asyncio.sleep(0.5)


def _result(truth: Truth, verdicts: list[Verdict], reads: LegacyReads) -> dict[str, Any]:
    wrong = {found.kind: found.wrong for found in verdicts if found.wrong}
    words = list(wrong.values())
    return {
        "requests": truth.sent,
        "kinds": {
            "noise": sum(not found.real for found in verdicts),
            "real": sum(found.real for found in verdicts),
        },
        "legacy_reads": reads.value,
        "restarts": truth.restarts,
        "untried": sorted(truth.untried),
        "dropped": dict(truth.world.batches.dropped),
        "skipped": dict(truth.world.batches.skipped),
        "read_again_at_legacy": len(truth.world.legacy.copies),
        "wrong": wrong,
        "missed": words.count("missed") + words.count("hidden"),
        "undecided": words.count("undecided"),
        "false": sum(word in ("false", "refuted", "slow") for word in words),
        "causes": dict(Counter(found.cause for found in verdicts if found.cause)),
        "rows": [asdict(found) for found in verdicts],
    }


def _lines(result: dict[str, Any]) -> Iterator[str]:
    head = {name: value for name, value in result.items() if name != "rows"}
    yield json.dumps(head, indent=2)
    for row in result["rows"]:
        if row["wrong"] or row["cause"] in ("unnamed", "invented"):
            yield json.dumps(row)


def main() -> int:
    """Run, print, and say by the exit code whether nothing was missed or false."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth.run", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="for each kind")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second, all kinds")
    parser.add_argument("--reads", default="allowed", choices=[item.value for item in LegacyReads])
    parser.add_argument("--only", default="", help="kinds whose name holds a text (a|b), or `real`")
    parser.add_argument("--part", default="1/1", help="of the kinds, every n-th")
    parser.add_argument("--restarts", type=int, default=2, help="of the shadow worker")
    parser.add_argument("--seconds", type=float, default=420.0, help="of asking, at most")
    parser.add_argument("--write", type=Path, help="also write the result there")
    given = parser.parse_args()
    wanted = chosen(given.only, given.part)
    reads = LegacyReads(given.reads)
    result = asyncio.run(
        run(wanted, given.requests, given.rate, reads, given.restarts, given.seconds)
    )
    if given.write:
        given.write.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(_lines(result)) + "\n")
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    os.environ.setdefault("FIGWAY_LOG", "json")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
