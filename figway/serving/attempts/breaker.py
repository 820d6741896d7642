"""The circuit breaker of one route towards one backend.

A sliding window counts calls and failures; too many failures open the breaker for a jittered,
doubling time; a few probes test the backend; a linear ramp brings the traffic back. A backend that
dies after a healthy spell would take half the window to reach the share of failures, so a row of
failures as long as `min_calls` opens the breaker as well. A backend that hangs answers so few calls
that neither happens, so a row of `HUNG_ROW` time-outs opens it whatever the window holds. Time is
an argument (monotonic milliseconds), and the jitter follows from a seed, so every run can be
repeated. Pattern:
M. Nygard, "Release It!", circuit breaker; the ramp is Envoy's slow start.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Final

from figway.model.table import BreakerForce, BreakerPolicy
from figway.routing.split import bucket

HUNG_ROW: Final = 5
"""Time-outs in a row, with no answer in between, after which a backend counts as hung."""
_SLOTS: Final = 10
_JITTER: Final = (
    0.2  # an open time is stretched by up to this share, so that workers do not probe as one
)


class BreakerState(StrEnum):
    """CLOSED lets all through, OPEN nothing, HALF_OPEN a few probes, RAMP a rising share."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    RAMP = "ramp"


class Admission(IntEnum):
    """What the breaker said to a request; handed back with its outcome."""

    REFUSED = 0
    CALL = 1
    PROBE = 2


# Names of this module's own: one look-up, or none where it is compiled, instead of two.
_CLOSED: Final = BreakerState.CLOSED
_OPEN: Final = BreakerState.OPEN
_HALF_OPEN: Final = BreakerState.HALF_OPEN
_REFUSED: Final = Admission.REFUSED
_CALL: Final = Admission.CALL
_PROBE: Final = Admission.PROBE
_FORCED_OPEN: Final = BreakerForce.OPEN
_FORCED_CLOSED: Final = BreakerForce.CLOSED

Observer = Callable[[BreakerState, BreakerState, int], None]
"""Told of each change of state: from, to, when."""


class Breaker:
    """Mutable state of one breaker; owned by one worker, used from one thread."""

    __slots__ = (
        "_calls",
        "_credit",
        "_failures",
        "_hung",
        "_observer",
        "_open_for",
        "_opened",
        "_probes",
        "_probes_passed",
        "_row",
        "_seed",
        "_slot",
        "changed_at",
        "policy",
        "quarantined",
        "state",
    )

    def __init__(
        self, policy: BreakerPolicy, seed: bytes = b"", observer: Observer | None = None
    ) -> None:
        self.policy = policy
        self.state = _CLOSED
        self.changed_at = 0
        self.quarantined = False
        """The backend cannot be opened on this proxy: nothing is let through."""
        self._hung = 0
        self._seed = seed
        self._observer = observer
        self._calls = [0] * _SLOTS
        self._failures = [0] * _SLOTS
        self._slot = 0
        self._row = 0
        self._open_for = 0
        self._opened = 0
        self._probes = 0
        self._probes_passed = 0
        self._credit = 0.0

    # -- asking ------------------------------------------------------------------------------

    def admit(self, now: int) -> Admission:
        """May a request go to the backend now? The answer must come back with its outcome."""
        force = self.policy.force
        if force is _FORCED_OPEN or self.quarantined:
            return _REFUSED
        if force is _FORCED_CLOSED or not self.policy.enabled:
            return _CALL
        if self.state is _CLOSED:
            return _CALL
        if self.state is _OPEN:
            if now - self.changed_at < self._open_for:
                return _REFUSED
            self._change(_HALF_OPEN, now)
            self._probes_passed = 0
        if self.state is _HALF_OPEN:
            if self._probes >= self.policy.probes:
                return _REFUSED
            self._probes += 1
            return _PROBE
        return self._admit_on_ramp(now)

    def _admit_on_ramp(self, now: int) -> Admission:
        elapsed = now - self.changed_at
        if elapsed >= self.policy.ramp_ms:
            self._close(now)
            return _CALL
        # Error diffusion: admits exactly the share that the ramp has reached, without chance.
        self._credit += elapsed / self.policy.ramp_ms
        if self._credit < 1.0:
            return _REFUSED
        self._credit -= 1.0
        return _CALL

    def retry_after(self, now: int) -> int:
        """Seconds until asking again makes sense; at least 1."""
        if self.state is not _OPEN:
            return 1
        return max(1, -(-(self.changed_at + self._open_for - now) // 1000))

    # -- telling -----------------------------------------------------------------------------

    def success(self, now: int, admission: Admission, elapsed: int = 0) -> None:
        """The backend answered within `elapsed` ms; a slow answer counts as a failure."""
        if self.policy.slow_ms and elapsed > self.policy.slow_ms:
            self.failure(now, admission)
            return
        self._hung = 0
        self.abandon(admission)
        if admission is _PROBE and self.state is _HALF_OPEN:
            self._probes_passed += 1
            if self._probes_passed >= self.policy.probes:
                self._credit = 0.0
                self._forget()
                self._change(BreakerState.RAMP, now)
            return
        self._count(now, 0)

    def failure(self, now: int, admission: Admission, *, hung: bool = False) -> None:
        """The backend answered 5xx, broke the connection, or (`hung`) did not answer in time."""
        self._hung = self._hung + 1 if hung else 0
        self.abandon(admission)
        if self.state is _HALF_OPEN:
            if admission is _PROBE:
                self._open(now)
            return
        self._count(now, 1)
        if self.state is _OPEN:
            return
        if self.policy.enabled and (self._hung >= HUNG_ROW or self._too_many()):
            self._open(now)

    def _too_many(self) -> bool:
        policy, calls = self.policy, sum(self._calls)
        if calls < policy.min_calls:
            return False
        share = sum(self._failures) * 100 >= policy.failure_percent * calls
        return share or self._row >= policy.min_calls

    def abandon(self, admission: Admission) -> None:
        """The request ended without an outcome: its client went away.

        Probes are counted out in every state: one that outlives its half-open time still loads
        the backend, and takes a place in the next.
        """
        if admission is _PROBE:
            self._probes -= 1

    # -- inside ------------------------------------------------------------------------------

    def _count(self, now: int, failed: int) -> None:
        width = max(1, self.policy.window_ms // _SLOTS)
        slot = now // width
        gone = slot - self._slot
        if gone > 0:
            for step in range(1, min(gone, _SLOTS) + 1):
                index = (self._slot + step) % _SLOTS
                self._calls[index] = self._failures[index] = 0
            self._slot = slot
        index = self._slot % _SLOTS
        self._calls[index] += 1
        self._failures[index] += failed
        self._row = self._row + 1 if failed else 0

    def _open(self, now: int) -> None:
        self._opened += 1
        self._hung = 0
        longest = self.policy.max_open_ms
        base = min(self.policy.open_ms << min(self._opened - 1, 16), int(longest / (1 + _JITTER)))
        jitter = bucket(self._seed, b"%d" % self._opened) / 10_000
        self._open_for = int(base * (1 + _JITTER * jitter))
        self._change(_OPEN, now)

    def _close(self, now: int) -> None:
        self._opened = 0
        self._change(_CLOSED, now)

    def _forget(self) -> None:
        self._calls = [0] * _SLOTS
        self._failures = [0] * _SLOTS
        self._row = 0

    def _change(self, state: BreakerState, now: int) -> None:
        before, self.state, self.changed_at = self.state, state, now
        if self._observer is not None:
            self._observer(before, state, now)
