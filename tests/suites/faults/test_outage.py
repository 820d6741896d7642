"""New dies under load, and comes back; and legacy is protected from what falls back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.outage import PLANS, experiment, judge
from tests.suites.faults.arena import HOST, Arena, play
from tests.suites.faults.rows import note
from tests.support.load import Load, get


def test_new_dies_under_load_and_comes_back(tmp_path: Path) -> None:
    """trap 44, trap 46, trap 47, trap 50: the experiment of the manual, with shorter times."""
    plan = PLANS["quick"]
    found = judge(asyncio.run(experiment(plan, tmp_path)), plan)
    held = dict(found["held"])
    if not all(held.values()):
        raise AssertionError({**found, "series": ""})
    opened, closed = max(found["breaker_opened_ms"]), max(found["breaker_closed_ms"])
    note(
        "New is killed under load and comes back",
        f"reads: {found['statuses']['get']}; writes: {found['statuses']['post']}; "
        "none executed twice",
        f"breaker opens after at most {opened} ms; `fallback=connect`, `fallback=breaker_open`",
        closed,
    )


def test_the_budget_of_fallbacks_is_spent(tmp_path: Path) -> None:
    """trap 46: legacy takes what its budget allows; the others are told to come again."""

    async def talk(arena: Arena) -> None:
        await arena.publish(arena.table(budget=5))
        await arena.new.stop()
        request = get("/moved/x", HOST)
        begun = time.perf_counter()
        async with Load(arena.proxy.facade, lambda _: request, connections=4, pause=0.01) as load:
            await load.answered(400)
            tally = await load.stop()
        seconds = int(time.perf_counter() - begun) + 2
        assert set(tally.statuses) == {200, 503}
        assert len(arena.legacy.requests) == tally.statuses[200] <= 5 * seconds
        seen = await arena.ask()
        while seen.status == 200:
            seen = await arena.ask()
        assert (seen.problem, seen.header(b"retry-after")) == ("fallback_budget_spent", b"1")
        await arena.new.start()
        await arena.tell("New is dead and the fallback budget is spent", seen)

    play(talk, tmp_path)
