"""Which of a backend's several URLs is asked next, and which are left out for now.

A member is out when it failed too often in a row (passive) or when it does not answer well to its
health checks (active). Where all are out, all are used: asking a sick member beats asking none.
Times are monotonic milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from figway.model.backend import Balance, HealthPolicy, OutlierPolicy

_MOST_TIMES = 10
AVOID_MS = 1_000
"""How long a member that failed comes after those that did not: a second try goes elsewhere, and
the member is asked often enough to fail in a row or to prove itself."""


class MemberState(StrEnum):
    """Whether a member is asked."""

    IN = "in"
    EJECTED = "ejected"
    """It failed too often in a row."""
    UNHEALTHY = "unhealthy"
    """Its health checks fail."""


class Member:
    """What is known of one URL. `outstanding` counts requests under way; `ejections` and `checks`
    (bad, good) count until somebody takes them away."""

    __slots__ = (
        "_bad",
        "_good",
        "avoid_until",
        "checks",
        "ejected_until",
        "ejections",
        "failures",
        "outstanding",
        "times",
        "well",
    )

    def __init__(self) -> None:
        self.ejections = 0
        self.checks = [0, 0]
        self.outstanding = 0
        self.failures = 0
        self.avoid_until = 0
        self.ejected_until = 0
        self.times = 0
        self.well = True
        self._good = 0
        self._bad = 0

    def usable(self, now: int) -> bool:
        """Neither ejected nor unwell."""
        return self.well and self.ejected_until <= now

    def state(self, now: int) -> MemberState:
        """What keeps it out, if anything does."""
        if not self.well:
            return MemberState.UNHEALTHY
        return MemberState.IN if self.ejected_until <= now else MemberState.EJECTED

    def take(self) -> tuple[int, int, int]:
        """Ejections, bad and good health checks since the last call."""
        bad, good = self.checks
        taken = self.ejections, bad, good
        self.ejections, self.checks = 0, [0, 0]
        return taken

    def checked(self, good: bool, policy: HealthPolicy) -> None:
        """A health check came back."""
        self.checks[good] += 1
        if good:
            self._good, self._bad = self._good + 1, 0
            self.well = self.well or self._good >= policy.healthy
        else:
            self._good, self._bad = 0, self._bad + 1
            self.well = self.well and self._bad < policy.unhealthy


class Members:
    """The members of one backend in one worker."""

    __slots__ = ("_least", "_next", "_policy", "all")

    def __init__(self, count: int, balance: Balance, policy: OutlierPolicy) -> None:
        self.all: Sequence[Member] = tuple(Member() for _ in range(count))
        self._policy = policy
        self._least = balance is Balance.LEAST_OUTSTANDING
        self._next = 0

    def pick(self, now: int) -> int:
        """The index of the member to ask.

        By turns, or the one with the fewest requests under way; one that has just failed comes
        after those that did not.
        """
        everyone = self.all
        start, self._next = self._next, (self._next + 1) % len(everyone)
        order = [(start + step) % len(everyone) for step in range(len(everyone))]
        usable = [index for index in order if everyone[index].usable(now)] or order
        if self._least:
            return min(
                usable, key=lambda i: (everyone[i].avoid_until > now, everyone[i].outstanding)
            )
        return next((index for index in usable if everyone[index].avoid_until <= now), usable[0])

    def answered(self, index: int) -> None:
        """A member answered as it should."""
        member = self.all[index]
        member.failures = member.times = member.avoid_until = 0

    def failed(self, index: int, now: int) -> bool:
        """A member failed; whether that put it out."""
        member, policy = self.all[index], self._policy
        member.failures += 1
        member.avoid_until = now + AVOID_MS
        if member.failures < policy.failures or member.ejected_until > now:
            return False
        out = 1 + sum(not other.usable(now) for other in self.all if other is not member)
        if out >= len(self.all) or out * 100 > policy.max_percent * len(self.all):
            return False
        member.times = min(member.times + 1, _MOST_TIMES)
        member.ejected_until = now + policy.eject_ms * member.times
        member.failures = 0
        member.ejections += 1
        return True
