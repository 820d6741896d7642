"""A list that moves while it is asked: what moved is no difference, and a wrong offset is one."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.support.shadow_engine import Asked, EngineWorld, Said, engine_world, route_of

PAIRS = 100
PAGE = 10


class Shop:
    """Items, the newest first; often one comes in between two askings."""

    def __init__(self, moves: float) -> None:
        self._chance = random.Random(5)
        self._moves = moves
        self.items = [{"id": number, "name": f"n{number}"} for number in range(200, 0, -1)]

    def page(self, asked: Asked, offset: int = 0) -> dict[str, Any]:
        """The page that was asked for, and how many items there are."""
        if self._chance.random() < self._moves:
            number = len(self.items) + 1
            self.items.insert(0, {"id": number, "name": f"n{number}"})
        start = int(asked.target.rpartition("=")[2]) * PAGE + offset
        return {"items": self.items[start : start + PAGE], "total": len(self.items)}


def _said(page: dict[str, Any]) -> Said:
    return Said(json.dumps(page).encode())


async def _busy(world: EngineWorld) -> None:
    for number in range(PAIRS):
        world.serve(f"/r/list?page={number % 8}")
        await world.settle()
    await world.end()


async def test_a_list_that_moves_is_no_mismatch() -> None:
    shop = Shop(moves=0.3)
    async with engine_world(
        lambda asked: _said(shop.page(asked)), lambda asked: _said(shop.page(asked)), route_of(),
        percent=100,
    ) as world:  # fmt: skip
        await _busy(world)
        judged = world.judged()
    assert judged.mismatch == 0
    assert judged.match >= PAIRS * 9 // 10


async def test_an_offset_that_is_off_by_one_is_seen_on_a_list_that_moves() -> None:
    """That items come and go is legacy's own way here; that a page begins elsewhere is not."""
    shop = Shop(moves=0.3)
    async with engine_world(
        lambda asked: _said(shop.page(asked)), lambda asked: _said(shop.page(asked, 1)), route_of(),
        percent=100,
    ) as world:  # fmt: skip
        await _busy(world)
        judged = world.judged()
    assert judged.mismatch >= PAIRS // 3
    [shift] = [found for found in judged.fields if "shift()" in found.field]
    assert shift.standing == "real"
