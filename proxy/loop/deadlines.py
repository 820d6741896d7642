"""One coarse timer for all timeouts, instead of a timer a request.

Whoever has a timeout registers itself once and keeps `deadline` as a plain attribute; setting it
costs nothing. Every `interval_ms` the sweep reads the clock and calls `expired` on those whose
deadline has passed, so a timeout fires up to one interval late. Times are milliseconds of the
monotonic clock.

A sweep that comes late, as the process got no processor, calls nobody: what came meanwhile is read
first, or a request that waits in a socket would meet the end of its idle connection. The next one
calls, late or not.

The sweep also notices when the process was frozen or the clock jumped (a Lambda sandbox between
two invocations, a suspended machine): `generation` then goes up, and what was idle before is not
to be trusted any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

NEVER: Final = 1 << 62
"""A deadline that does not come."""

_LATE: Final = 3
"""Intervals between two sweeps that make the second one late."""

FREEZE_MS: Final = 3_000
"""A gap between two looks at the clock that is longer than this was a freeze."""


class HasDeadline(Protocol):
    """Something with a timeout."""

    deadline: int
    """When `expired` is due, in milliseconds of the sweep's clock; `NEVER` for not at all."""

    def expired(self, now: int) -> None:
        """The deadline has passed. Sets a new one, or is called again at the next tick."""


class DeadlineTimer:
    """Calls what is due. `now` is the time of the last look at the clock, cheap to read."""

    __slots__ = (
        "_entries",
        "_handle",
        "_interval",
        "_loop",
        "_monotonic",
        "_offset",
        "_passed_over",
        "_ticked_at",
        "_wall",
        "generation",
        "now",
    )

    def __init__(
        self,
        interval_ms: int = 50,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._interval = interval_ms / 1_000
        self._monotonic = monotonic
        self._wall = wall
        self._entries: dict[HasDeadline, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._passed_over = False
        self._ticked_at = 0
        self._offset = wall() - monotonic()
        self.now = int(monotonic() * 1_000)
        self.generation = 0

    @property
    def entries(self) -> int:
        """How many it looks after."""
        return len(self._entries)

    def add(self, entry: HasDeadline) -> None:
        """Look after `entry` from now on."""
        self._entries[entry] = None

    def discard(self, entry: HasDeadline) -> None:
        """Forget `entry`; no error if it is unknown."""
        self._entries.pop(entry, None)

    def start(self) -> None:
        """Begin to tick on the running loop. Does nothing when it ticks already."""
        if self._handle is None:
            self._loop = asyncio.get_running_loop()
            self._ticked_at = self.read()
            self._handle = self._loop.call_later(self._interval, self._ticked)

    def stop(self) -> None:
        """Stop ticking, so that nothing is pending on the loop. Entries are kept."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def read(self) -> int:
        """Look at the clock now; needed wherever a freeze may have passed since the last tick."""
        monotonic = self._monotonic()
        now = int(monotonic * 1_000)
        drift = self._wall() - monotonic - self._offset
        if now - self.now > FREEZE_MS or not -2.0 < drift < 2.0:
            self.generation += 1
            self._offset += drift
        self.now = now
        return now

    def tick(self) -> None:
        """Call everything that is due."""
        now = self.read()
        for entry in [entry for entry in self._entries if entry.deadline <= now]:
            if entry.deadline <= now:  # an earlier call of this tick may have moved it
                entry.expired(now)

    def _ticked(self) -> None:
        assert self._loop is not None
        self._handle = self._loop.call_later(self._interval, self._ticked)
        before, self._ticked_at = self._ticked_at, self.read()
        late = self._ticked_at - before > _LATE * self._interval * 1_000
        self._passed_over = late and not self._passed_over
        if not self._passed_over:
            self.tick()
