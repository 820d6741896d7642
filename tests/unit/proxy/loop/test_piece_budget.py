"""What one turn of the loop takes apart, for all connections together."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.loop.piece_budget import FEW, TURN, PieceBudget


async def test_connections_share_a_turn() -> None:
    """W19: each for itself within a limit, many together would keep everybody else waiting."""
    budget = PieceBudget()
    taken = 0
    for _ in range(50):
        most = budget.most
        budget.spend(most)
        taken += most
    assert taken <= TURN + 50 * FEW
    assert budget.spent
    await asyncio.sleep(0)
    assert budget.most == TURN


async def test_who_waits_goes_on_in_order_as_far_as_a_turn_reaches() -> None:
    """W19: nobody overtakes, and nobody is forgotten."""
    budget = PieceBudget()
    order: list[int] = []

    def work(number: int) -> None:
        order.append(number)
        budget.spend(TURN // 2)

    for number in range(5):
        budget.later(lambda number=number: work(number))
    assert order == []
    await asyncio.sleep(0)
    assert order == [0, 1]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == [0, 1, 2, 3, 4]


async def test_a_body_in_large_pieces_does_not_wait() -> None:
    """W19: a few pieces are free, whatever a flood has left of the turn."""
    budget = PieceBudget()
    budget.spend(TURN)
    budget.spend(FEW)
    assert budget.most == FEW


async def test_thousands_that_wait_share_turns_too() -> None:
    """W19: many that have little left to do, or are closed by now, are not all called in one turn;
    nobody is forgotten."""
    budget = PieceBudget()
    called: list[int] = []
    for number in range(5_000):
        budget.later(lambda number=number: called.append(number))
    await asyncio.sleep(0)
    assert 0 < len(called) <= TURN
    for _ in range(10):
        await asyncio.sleep(0)
    assert called == list(range(5_000))


async def test_one_that_fails_keeps_nobody_from_its_turn() -> None:
    """W19: the fault is reported, and the next one is called."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    budget = PieceBudget()
    called: list[int] = []

    def fail() -> None:
        raise ValueError

    budget.later(fail)
    budget.later(lambda: called.append(7))
    for _ in range(5):
        await asyncio.sleep(0)
    assert called == [7]
    assert len(faults) == 1
