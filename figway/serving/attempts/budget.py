"""The fallback budget: what fallback may add to the load of a legacy backend."""

from __future__ import annotations

from math import sqrt
from typing import Final

from figway.model.backend import FallbackBudgetPolicy, RetryPolicy
from figway.serving.attempts.load import ROW, Load

_WINDOW: Final = 10  # seconds over which legacy's own rate is taken


class FallbackBudget:
    """Counts a legacy backend's own requests, and grants fallbacks in proportion.

    In each second fallbacks may reach the most of three: `percent` of the backend's own mean rate
    over the ten seconds before (as far back as it has served any); `min_per_s`; and what it is
    known to have carried in a second (`peak`, in `carried_percent`), less what it carries now. The
    last is what a full outage of new needs: by then legacy's own rate has fallen as the migration
    succeeded. Counts of seconds scatter, so a peak of N stands for a rate whose seconds reach
    N + 3 √N.

    `load` are counts that the workers of a proxy share. Without, `workers` is how many processes
    divide the minimum among them. Time is monotonic milliseconds. The budget of retries among a
    backend's URLs counts in the same way, without a peak. `spent` and `refused` count what was
    asked of it until somebody takes them away.
    """

    __slots__ = ("_first", "_load", "_parts", "_shares", "peak", "policy", "refused", "spent")

    def __init__(
        self,
        policy: FallbackBudgetPolicy | RetryPolicy,
        workers: int = 1,
        load: Load | None = None,
    ) -> None:
        self.policy: FallbackBudgetPolicy | RetryPolicy = policy
        self.peak = 0.0
        """The most that the backend is known to have carried in a second."""
        self._load = Load([0] * ROW) if load is None else load
        self._parts = max(1, workers) if load is None else 1
        self._shares = self._load.workers
        self._first = -1
        self.spent = 0
        self.refused = 0

    def own_request(self, now: int) -> None:
        """Legacy serves a request in its own right."""
        second = now // 1000
        self._load.count_own(second)
        if self._first < 0:
            self._first = second

    def spend(self, now: int) -> bool:
        """Take one fallback from the budget; False when this second's is spent."""
        second = now // 1000
        if self._load.fallbacks(second) >= self._allowance(second):
            self.refused += 1
            return False
        self._load.count_fallback(second)
        self.spent += 1
        return True

    def per_second(self, now: int) -> float:
        """This worker's part of what may be taken in the present second."""
        return self._allowance(now // 1000) / self._shares

    def take(self) -> tuple[int, int]:
        """How often it was spent and refused since the last call."""
        taken = self.spent, self.refused
        self.spent = self.refused = 0
        return taken

    def _allowance(self, second: int) -> float:
        policy, load = self.policy, self._load
        # A worker that has just started must not take ten seconds to learn the rate.
        seconds = min(_WINDOW, max(1, second - self._first)) if self._first >= 0 else _WINDOW
        own = load.mean(second, seconds)
        allowance = max(policy.percent * own / 100, policy.min_per_s / self._parts)
        if self.peak and isinstance(policy, FallbackBudgetPolicy) and policy.carried_percent:
            peak = (self.peak + 3 * sqrt(self.peak)) * policy.carried_percent / 100
            # Not the mean: what a route that has just moved away brought is not carried any more.
            now = max(load.own(second), load.own(second - 1))
            allowance = max(allowance, peak - now)
        return allowance
