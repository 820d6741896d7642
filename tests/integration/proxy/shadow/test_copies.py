"""Copies under way: what is never answered, what is given up, and what ends before it begins."""

from __future__ import annotations

import asyncio

from proxy.shadow.backend_queue import WAITING, now_ms
from tests.support.shadow_engine import Asked, EngineWorld, Said, engine_world


def hung(world: EngineWorld) -> None:
    """New answers no more."""
    upstream = world.engine.table.queues["new"].target.upstream
    upstream.default = None  # type: ignore[attr-defined]


def same(asked: Asked) -> Said:
    return Said(b"{}")


async def test_an_answer_that_does_not_come_in_time_is_a_failure_of_new() -> None:
    async with engine_world(same, same) as world:
        world.serve("/r/1")
        await world.end()
        hung(world)
        world.serve("/r/2")
        await world.settle(5)
        assert world.engine.pairs.open == 1, "it has its time"
        world.engine.pairs._asking.tick(now_ms() + 5_001)
        await world.settle(5)
        assert world.verdicts == {"match": 1, "new_failed": 1}
        assert not world.engine.pairs.open


async def test_what_is_given_up_is_counted_and_leaves_its_place() -> None:
    async with engine_world(same, same) as world:
        world.serve("/r/1")
        await world.end()
        hung(world)
        for number in range(40):
            world.serve(f"/r/{number}")
        await asyncio.sleep(0)
        world.engine.pairs.stop("out_of_time")
        world.take()
        assert world.dropped == {"out_of_time": 40}
        assert not world.engine.pairs.open
        world.make()
        world.serve("/r/1")
        await world.end()
        assert world.verdicts == {"match": 2}


async def test_a_whole_queue_whose_route_has_moved_ends_without_nesting() -> None:
    async with engine_world(same, same) as world:
        world.serve("/r/1")
        await world.end()
        queue = world.engine.table.queues["new"]
        queue.held = True
        for number in range(WAITING):
            world.serve(f"/r/{number}")
        world.engine.table.compiled.plans.pop("r")  # type: ignore[union-attr]
        queue.held = False
        queue.pump()
        world.take()
        assert world.skipped == {"table_moved": WAITING}
        assert not world.engine.pairs.open
