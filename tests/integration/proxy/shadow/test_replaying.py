"""Replays through the engine, by a worker that knows nothing yet: noise is none, faults are."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.shadow_engine import JSON, Asked, EngineWorld, Said, engine_world, route_of

PAIRS = 60
CHANCE = random.Random(23)
Fields = Callable[[], dict[str, Any]]


def side(fields: Fields) -> Callable[[Asked], Said]:
    def answer(asked: Asked) -> Said:
        return Said(json.dumps({"path": asked.target, **fields()}).encode())

    return answer


def noisy(**more: Any) -> Fields:
    def fields() -> dict[str, Any]:
        return {
            "price": 5,
            "request": str(uuid.UUID(int=CHANCE.getrandbits(128), version=4)),
            "host": CHANCE.choice(["web-1", "web-2", "web-3"]),
            "took": CHANCE.expovariate(1 / 12),
            **more,
        }

    return fields


async def compared(world: EngineWorld, **headers: str) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    for at in range(PAIRS):
        world.serve(f"/r/{at}", headers=sent)
        if at % 10 == 9:
            await world.settle(1)
    await world.end()


async def replayed(world: EngineWorld, **headers: str) -> Counter[str]:
    """Verdicts of a replay by a worker that has just begun."""
    stored = json.loads(json.dumps(world.examples[-20:]))
    world.make()
    job = {"id": "j", "route": "r", "examples": stored, "headers": list(headers.items())}
    results = await world.engine.replayer.replay(job)
    assert [found["example"] for found in results] == [one["id"] for one in stored]
    return Counter(found["verdict"] for found in results)


async def test_noise_is_none_in_a_replay_of_a_worker_that_knows_nothing() -> None:
    """Each side was asked once, and what a fresh worker did not know was called a difference."""
    async with engine_world(side(noisy()), side(noisy(price=6))) as world:
        await compared(world)
        asked = len(world.seen[next(iter(world.seen))])
        wrong = await replayed(world)
        assert wrong == {"mismatch": 20}
        assert asked
        world.scripts[next(key for key in world.scripts if key.value == "new")] = side(noisy())
        fixed = await replayed(world)
        assert fixed["mismatch"] == 0, fixed
        assert fixed["match"] >= 12, fixed


async def test_each_side_is_asked_twice_at_most() -> None:
    """What the command says of requests to legacy is so."""
    async with engine_world(side(noisy()), side(noisy(price=6))) as world:
        await compared(world)
        before = {key: len(seen) for key, seen in world.seen.items()}
        await replayed(world)
        after = {key: len(seen) - before[key] for key, seen in world.seen.items()}
        assert all(20 <= number <= 40 for number in after.values()), after


async def test_a_new_that_wavers_is_still_wrong() -> None:
    """Nothing else varies, and new is wrong every other time."""
    turn = iter(range(10_000))
    wavers = lambda: {"price": 5 + next(turn) % 2}  # noqa: E731
    async with engine_world(side(lambda: {"price": 5}), side(wavers)) as world:
        await compared(world)
        found = await replayed(world)
        assert found["mismatch"] >= 5, found
        assert found["mismatch"] + found["match"] == 20, found


async def test_a_client_with_cookies_is_replayed_where_legacy_does_without() -> None:
    """U10: a cookie that legacy does not need is no reason; for one that it needs, give it."""
    async with engine_world(side(noisy()), side(noisy(price=6)), route_of()) as world:
        await compared(world, Cookie="sid=1; figway_id=2", Authorization="Bearer t")
        assert await replayed(world) == {"mismatch": 20}

    def private(asked: Asked) -> Said:
        if asked.headers.get("cookie") != "sid=1":
            return Said(b'{"error":"who are you?"}', 401, list(JSON))
        return Said(b'{"price":5}')

    def wrong(asked: Asked) -> Said:
        said = private(asked)
        return said if said.status == 401 else Said(b'{"price":6}')

    async with engine_world(private, wrong, route_of()) as world:
        await compared(world, Cookie="sid=1")
        assert await replayed(world) == {"not_replayable": 20}
        assert await replayed(world, Cookie="sid=1") == {"mismatch": 20}
