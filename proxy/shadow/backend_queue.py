"""One queue a backend, so that a hung one holds up no other, with its own concurrency.

A capture waits in the queue of the backend that is to be asked. The limiter says how many requests
may be under way; the second questions of pairs that are being worked on go before captures that
wait. A queue that is full drops the newest, one whose backend is left alone drops all.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from figway.compare.answer import Answer
from proxy.capture.message import Captured
from proxy.request.live import LiveBackend
from proxy.shadow.limiter import ConcurrencyLimiter

WAITING = 512
"""Captures that wait for one backend."""
WAIT_S = 2.0
"""How long a second question waits for its turn."""

Work = Callable[["BackendQueue", Captured], None]
"""Begins the work on one capture; it holds one place in the queue, and must leave it."""


def now_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return int(time.monotonic() * 1_000)


class BackendQueue:
    """Towards one backend."""

    def __init__(
        self, target: LiveBackend, most: int, work: Work, told: Callable[[BackendQueue], None]
    ) -> None:
        self.target = target
        self.limiter = ConcurrencyLimiter(most)
        self.paused_ms = 0
        """Wall clock since when the backend is left alone."""
        self._work = work
        self._told = told
        self._waiting: deque[Captured] = deque()
        self._second: deque[asyncio.Future[None]] = deque()
        self._running = 0
        self._pumping = False
        self.held = False
        """The comparer is behind: begin nothing new."""

    @property
    def side(self) -> str:
        """The side of its backend."""
        return self.target.backend.side.value

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, captured: Captured) -> str:
        """Take a capture; or why it is dropped."""
        if not self.limiter.room(now_ms()):
            return "paused"
        if len(self._waiting) >= WAITING:
            return "worker_busy" if self.held else "backend_busy"
        self._waiting.append(captured)
        self.pump()
        return ""

    def pump(self) -> None:
        """Begin as much as there is room for."""
        if self._pumping or not (self._second or self._waiting):
            return
        self._pumping = True  # work that ends at once gives its place to the next in this loop
        try:
            self._begin(self.limiter.room(now_ms()))
        finally:
            self._pumping = False

    def _begin(self, room: int) -> None:
        while self._running < room and self._second:
            turn = self._second.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)
        while self._running < room and self._waiting and not self.held:
            self._running += 1
            self._work(self, self._waiting.popleft())

    def leave(self) -> None:
        """A request is over: its place is free."""
        self._running -= 1
        self.pump()

    def turn(self) -> Turn:
        """A place for a second question, to be entered by `async with`."""
        return Turn(self)

    async def wait_for_turn(self) -> bool:
        """Wait for a place for a second question, which `leave` gives back; False when there is
        none in time."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._second.append(turn)
        self.pump()
        try:
            async with asyncio.timeout(WAIT_S):
                await turn
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise
        granted = turn.done() and not turn.cancelled()
        turn.cancel()
        return granted

    def result(self, answer: Answer, healthy: tuple[int, ...] = ()) -> None:
        """How a request went: the limiter learns from it. `healthy` are statuses from 500 that are
        answers of its route."""
        failed = answer.failure is not None or answer.status >= 500 or answer.status == 429
        failed = failed and answer.status not in healthy
        if self.limiter.record(failed, answer.elapsed_ms, now_ms()):
            self.paused_ms = int(time.time() * 1_000) if self.limiter.why else 0
            self._told(self)

    def drain(self) -> list[Captured]:
        """Everything that waits, taken out."""
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def paused(self) -> dict[str, Any] | None:
        """Whether and why its backend is left alone."""
        if not self.limiter.why:
            return None
        return {
            "side": self.side,
            "backend": self.target.backend.id,
            "why": self.limiter.why,
            "since_ms": self.paused_ms,
        }


class Turn:
    """A place in a queue, as long as it is held; entered, it says whether there was one in time."""

    __slots__ = ("_granted", "_queue")

    def __init__(self, queue: BackendQueue) -> None:
        self._queue = queue
        self._granted = False

    async def __aenter__(self) -> bool:
        self._granted = await self._queue.wait_for_turn()
        return self._granted

    async def __aexit__(self, *_: object) -> None:
        if self._granted:
            self._queue.leave()
