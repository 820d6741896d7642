"""The coarse timer under all timeouts."""

from __future__ import annotations

import asyncio

from proxy.sweep import FREEZE_MS, NEVER, Sweep
from tests.support.peer import run, until


class Clock:
    def __init__(self) -> None:
        self.monotonic = 10.0
        self.wall = 1_000.0

    def pass_ms(self, ms: int) -> None:
        self.monotonic += ms / 1_000
        self.wall += ms / 1_000

    def sweep(self) -> Sweep:
        return Sweep(monotonic=lambda: self.monotonic, wall=lambda: self.wall)


class Entry:
    def __init__(self, deadline: int) -> None:
        self.deadline = deadline
        self.calls: list[int] = []
        self.then = NEVER

    def expired(self, now: int) -> None:
        self.calls.append(now)
        self.deadline = self.then


def test_what_is_due_is_called_once() -> None:
    clock = Clock()
    sweep = clock.sweep()
    due, later, never = Entry(10_100), Entry(10_500), Entry(NEVER)
    for entry in (due, later, never):
        sweep.add(entry)
    sweep.tick()
    assert due.calls == []
    clock.pass_ms(100)
    sweep.tick()
    sweep.tick()
    assert (due.calls, later.calls, never.calls) == ([10_100], [], [])


def test_one_call_may_move_or_forget_another() -> None:
    clock = Clock()
    sweep = clock.sweep()
    second = Entry(10_000)

    class First(Entry):
        def expired(self, now: int) -> None:
            super().expired(now)
            second.deadline = NEVER
            sweep.discard(self)
            sweep.add(Entry(0))

    sweep.add(First(10_000))
    sweep.add(second)
    sweep.tick()
    assert second.calls == []
    assert sweep.entries == 2


def test_a_freeze_or_a_jump_begins_a_new_generation() -> None:
    """Trap 60."""
    clock = Clock()
    sweep = clock.sweep()
    clock.pass_ms(FREEZE_MS - 100)
    sweep.read()
    assert sweep.generation == 0
    clock.pass_ms(FREEZE_MS + 100)
    sweep.read()
    assert sweep.generation == 1
    for jump in (60, -60):
        clock.wall += jump
        before = sweep.generation
        sweep.read()
        sweep.read()
        assert sweep.generation == before + 1


def test_it_ticks_until_it_is_stopped() -> None:
    """Trap 57: stopped, nothing is pending on the loop."""

    async def main() -> None:
        sweep = Sweep(5)
        entry = Entry(0)
        entry.then = 0
        sweep.add(entry)
        sweep.start()
        sweep.start()
        await until(lambda: len(entry.calls) >= 2)
        sweep.stop()
        sweep.stop()
        seen = len(entry.calls)
        await asyncio.sleep(0.05)
        assert len(entry.calls) == seen
        sweep.start()
        await until(lambda: len(entry.calls) > seen)
        sweep.stop()

    run(main())
