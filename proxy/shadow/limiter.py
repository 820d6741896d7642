"""How much of a shadow one backend is given: concurrency that follows how the backend fares.

A backend starts with `FLOOR` requests at a time, and what it does under so little is its baseline.
While it fares no worse than that, it is given more, one step a window; when errors or latency rise
with the load it is given half. One that fails or crawls even at the floor is left alone,
for a time that doubles, and then asked a few times to see.

A backend that fails a steady share of its requests whatever the load is not paused for it: that is
a difference between the sides, and the business of the comparison.

Pure: time is an argument, in milliseconds of a monotonic clock.
"""

from __future__ import annotations

FLOOR = 2
WINDOW_MS = 1_000
LEAST_RESULTS = 10
"""Results that a window needs before it says anything."""
WORSE_ERRORS = 0.10
"""Share of errors above the baseline's that is blamed on the load."""
FAILING = 0.5
"""Share of errors at the floor for which a backend is left alone."""
SLOWER, SLOWER_MS = 2.0, 20.0
"""Median latency: this many times the baseline, and so many milliseconds more."""
CRAWLING, CRAWLING_MS = 5.0, 250.0
"""The same at the floor, for which a backend is left alone."""
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 60_000
_LEARN = 0.3


class ConcurrencyLimiter:
    """The concurrency that one backend is given. `most` is the cap that a setting names."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.floor = min(FLOOR, self.most)
        self.limit = self.floor
        self.why = ""
        """Why it is paused; empty while it is not."""
        self.paused_at = 0
        self._until = 0
        self._pause_ms = FIRST_PAUSE_MS
        self._base_errors: float | None = None
        self._base_ms: float | None = None
        self._began = 0
        self._errors = 0
        self._latencies: list[float] = []
        self._results = 0

    def room(self, now: int) -> int:
        """How many requests may be under way now; 0 while it is left alone."""
        return 0 if self.why and now < self._until else self.limit

    @property
    def probing(self) -> bool:
        """The pause is over, and the first answers decide what follows."""
        return bool(self.why)

    def record(self, failed: bool, latency_ms: float, now: int) -> bool:
        """Take one result; whether it changed from paused to not, or back."""
        if self.why and now < self._until:
            return False  # a straggler of before the pause
        if not self._results:
            self._began = now
        self._results += 1
        self._errors += failed
        if not failed:
            self._latencies.append(latency_ms)
        enough = self._results >= LEAST_RESULTS
        whole = enough and (now - self._began >= WINDOW_MS or self._results >= 20 * self.limit)
        return self._judge(now) if whole else False

    def _judge(self, now: int) -> bool:
        share = self._errors / self._results
        ordered = sorted(self._latencies)
        median = ordered[len(ordered) // 2] if ordered else None
        self._results, self._errors, self._latencies = 0, 0, []
        if self.limit <= self.floor:
            return self._at_floor(share, median, now)
        if share > (self._base_errors or 0.0) + WORSE_ERRORS or self._slower(
            median, SLOWER, SLOWER_MS
        ):
            self.limit = max(self.floor, self.limit // 2)
        else:
            self.limit = min(self.most, self.limit + max(1, self.limit // 4))
        return False

    def _at_floor(self, share: float, median: float | None, now: int) -> bool:
        crawling = self._slower(median, CRAWLING, CRAWLING_MS)
        if self._base_errors is None:
            self._base_errors, self._base_ms = share, median
        else:
            self._base_errors += _LEARN * (share - self._base_errors)
            if median is not None:
                before = median if self._base_ms is None else self._base_ms
                self._base_ms = before + _LEARN * (median - before)
        if share >= FAILING or crawling:
            why = f"{share:.0%} of requests failed" if share >= FAILING else "answers got slow"
            return self._pause(why, now)
        resumed = bool(self.why)
        self.why = ""
        self._pause_ms = FIRST_PAUSE_MS
        self.limit = min(self.most, self.limit + 1)
        return resumed

    def _pause(self, why: str, now: int) -> bool:
        began = not self.why
        if began:
            self.paused_at = now
        else:
            self._pause_ms = min(LONGEST_PAUSE_MS, self._pause_ms * 2)
        self.why, self._until, self.limit = why, now + self._pause_ms, self.floor
        return began

    def _slower(self, median: float | None, times: float, more_ms: float) -> bool:
        if median is None or self._base_ms is None:
            return False
        return median > self._base_ms * times and median > self._base_ms + more_ms
