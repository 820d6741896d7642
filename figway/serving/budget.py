"""The fallback budget: what fallback may add to the load of a legacy backend."""

from __future__ import annotations

from typing import Final

from figway.model.table import FallbackBudgetPolicy, RetryPolicy

_WINDOW: Final = 10  # seconds over which legacy's own rate is taken


class FallbackBudget:
    """Counts a legacy backend's own requests, and grants fallbacks in proportion.

    In each second, fallbacks may reach `percent` of the backend's own mean rate over the ten
    seconds before (as far back as it has served any), or `min_per_s` where that is more.
    `workers` is how many processes share the load: each takes its part of the minimum. Time is
    monotonic milliseconds. The budget of retries among a backend's URLs counts in the same way.
    `spent` and `refused` count what was asked of it until somebody takes them away.
    """

    __slots__ = ("_first", "_granted", "_own", "_second", "_workers", "policy", "refused", "spent")

    def __init__(self, policy: FallbackBudgetPolicy | RetryPolicy, workers: int = 1) -> None:
        self.policy: FallbackBudgetPolicy | RetryPolicy = policy
        self._workers = max(1, workers)
        self._own = [0] * (_WINDOW + 1)
        self._first = -1
        self._second = 0
        self._granted = 0
        self.spent = 0
        self.refused = 0

    def own_request(self, now: int) -> None:
        """Legacy serves a request in its own right."""
        second = now // 1000
        if second != self._second:
            self._advance(second)
        self._own[second % (_WINDOW + 1)] += 1
        if self._first < 0:
            self._first = second

    def spend(self, now: int) -> bool:
        """Take one fallback from the budget; False when this second's is spent."""
        second = now // 1000
        if second != self._second:
            self._advance(second)
        if self._granted >= self._allowance():
            self.refused += 1
            return False
        self._granted += 1
        self.spent += 1
        return True

    def per_second(self, now: int) -> float:
        """What may be taken in the present second."""
        second = now // 1000
        if second != self._second:
            self._advance(second)
        return self._allowance()

    def take(self) -> tuple[int, int]:
        """How often it was spent and refused since the last call."""
        taken = self.spent, self.refused
        self.spent = self.refused = 0
        return taken

    def _allowance(self) -> float:
        before = sum(self._own) - self._own[self._second % (_WINDOW + 1)]
        # A worker that has just started must not take ten seconds to learn the rate.
        seconds = min(_WINDOW, max(1, self._second - self._first))
        share = self.policy.percent * before / (100 * seconds)
        return max(share, self.policy.min_per_s / self._workers)

    def _advance(self, second: int) -> None:
        for step in range(1, min(second - self._second, _WINDOW + 1) + 1):
            self._own[(self._second + step) % (_WINDOW + 1)] = 0
        self._second = second
        self._granted = 0
