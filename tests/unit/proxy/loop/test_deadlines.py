"""The coarse timer under all timeouts."""

from __future__ import annotations

import asyncio

from proxy.loop.deadlines import FREEZE_MS, NEVER, DeadlineTimer
from tests.support.until import until


class Clock:
    def __init__(self) -> None:
        self.monotonic = 10.0
        self.wall = 1_000.0

    def pass_ms(self, ms: int) -> None:
        self.monotonic += ms / 1_000
        self.wall += ms / 1_000

    def timer(self) -> DeadlineTimer:
        return DeadlineTimer(monotonic=lambda: self.monotonic, wall=lambda: self.wall)


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
    timer = clock.timer()
    due, later, never = Entry(10_100), Entry(10_500), Entry(NEVER)
    for entry in (due, later, never):
        timer.add(entry)
    timer.tick()
    assert due.calls == []
    clock.pass_ms(100)
    timer.tick()
    timer.tick()
    assert (due.calls, later.calls, never.calls) == ([10_100], [], [])


def test_one_call_may_move_or_forget_another() -> None:
    clock = Clock()
    timer = clock.timer()
    second = Entry(10_000)

    class First(Entry):
        def expired(self, now: int) -> None:
            super().expired(now)
            second.deadline = NEVER
            timer.discard(self)
            timer.add(Entry(0))

    timer.add(First(10_000))
    timer.add(second)
    timer.tick()
    assert second.calls == []
    assert timer.entries == 2


def test_a_freeze_or_a_jump_begins_a_new_generation() -> None:
    """Trap 60."""
    clock = Clock()
    timer = clock.timer()
    clock.pass_ms(FREEZE_MS - 100)
    timer.read()
    assert timer.generation == 0
    clock.pass_ms(FREEZE_MS + 100)
    timer.read()
    assert timer.generation == 1
    for jump in (60, -60):
        clock.wall += jump
        before = timer.generation
        timer.read()
        timer.read()
        assert timer.generation == before + 1


async def test_it_ticks_until_it_is_stopped() -> None:
    """Trap 57: stopped, nothing is pending on the loop."""
    timer = DeadlineTimer(5)
    entry = Entry(0)
    entry.then = 0
    timer.add(entry)
    timer.start()
    timer.start()
    await until(lambda: len(entry.calls) >= 2)
    timer.stop()
    timer.stop()
    seen = len(entry.calls)
    await asyncio.sleep(0.05)
    assert len(entry.calls) == seen
    timer.start()
    await until(lambda: len(entry.calls) > seen)
    timer.stop()


async def test_a_late_sweep_lets_what_came_meanwhile_be_read_first() -> None:
    """Of two late ones in a row the second calls: a busy process has time-outs as well."""
    clock = Clock()
    timer = clock.timer()
    timer.start()
    due = Entry(10_100)
    due.then = 10_100
    timer.add(due)
    called = []
    for ms in (50, 400, 400, 400, 50):
        clock.pass_ms(ms)
        timer._ticked()
        called.append(len(due.calls))
    timer.stop()
    assert called == [0, 0, 1, 1, 2]
