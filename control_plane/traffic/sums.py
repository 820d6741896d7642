"""Adding traffic up, and reading it off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from control_plane.traffic.schemas import SeriesIn, SideOut
from figway.evidence.histogram import bounds

_NAMED = ("statuses", "fallbacks", "no_fallbacks", "failures", "problems", "unread", "faults",
          "faulted")  # fmt: skip
_MOST = {"faults": 50}
"""Names of counters that a backend chooses, and how many are kept apart."""
_MORE = "(more)"
_QUANTILES = (0.50, 0.95, 0.99)


@dataclass(slots=True)
class Sums:
    """Counters and a latency histogram that grow by merging. A thousand routes make thousands of
    them for every page, so that what is empty takes no room and no time."""

    requests: int = 0
    errors: int = 0
    client_gone: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Named counters; a name without any is absent."""
    latency: dict[int, int] = field(default_factory=dict)
    """Counts by bucket of `figway.evidence.histogram`."""

    def add_series(self, series: SeriesIn) -> None:
        """Add what a proxy reports."""
        self.requests += series.requests
        self.errors += series.statuses.get("5xx", 0)
        self.client_gone += series.client_gone
        self.request_bytes += series.request_bytes
        self.response_bytes += series.response_bytes
        for name in _NAMED:
            if counters := getattr(series, name):
                _grow(self.counts.setdefault(name, {}), counters, _MOST.get(name, 0))
        _grow(self.latency, series.latency)

    def add(self, other: Sums) -> None:
        """Add other sums, and leave them as they are."""
        self.requests += other.requests
        self.errors += other.errors
        self.client_gone += other.client_gone
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes
        for name, counters in other.counts.items():
            _grow(self.counts.setdefault(name, {}), counters, _MOST.get(name, 0))
        _grow(self.latency, other.latency)

    def plus(self, other: Sums) -> Sums:
        """Both together, as new sums."""
        made = Sums()
        made.add(self)
        made.add(other)
        return made

    @property
    def failed(self) -> int:
        """Requests that the server failed: errors, less the faults among them that blame the
        request, and the faults that blame the server in answers of another status."""
        faulted = self.counts.get("faulted", {})
        return max(0, self.errors + faulted.get("failed", 0) - faulted.get("answered", 0))

    def columns(self) -> dict[str, Any]:
        """As columns of the database."""
        counts = {name: found for name, found in self.counts.items() if found}
        return {
            "requests": self.requests,
            "errors": self.errors,
            "client_gone": self.client_gone,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "counts": orjson.dumps(counts).decode(),
            "latency": orjson.dumps(self.latency, option=orjson.OPT_NON_STR_KEYS).decode(),
        }

    def shown(self, seconds: float) -> SideOut:
        """As the API shows it, over so many seconds."""
        p50, p95, p99 = quantiles_ms(self.latency, _QUANTILES)
        return SideOut(
            requests=self.requests,
            rps=round(self.requests / seconds, 3) if seconds > 0 else 0.0,
            errors=self.errors,
            error_rate=round(self.errors / self.requests, 6) if self.requests else 0.0,
            client_gone=self.client_gone,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            **self.counts,
        )


def of_row(row: Any) -> Sums:
    """What a row of the database holds."""
    return Sums(
        row.requests,
        row.errors,
        row.client_gone,
        row.request_bytes,
        row.response_bytes,
        orjson.loads(row.counts),
        {int(number): count for number, count in orjson.loads(row.latency).items()},
    )


def quantiles_ms(counts: Mapping[int, int], shares: Iterable[float]) -> list[float | None]:
    """Quantiles in milliseconds, by ascending share, as `Histogram.quantile` reads each of them."""
    wanted = list(shares)
    total = sum(counts.values())
    if not total:
        return [None] * len(wanted)
    found: list[float | None] = []
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        while len(found) < len(wanted) and seen >= wanted[len(found)] * total:
            low, high = bounds(number)
            found.append(round((low + high - 1) / 2_000, 3))
    return found


def _grow(mine: dict[Any, int], other: Mapping[Any, int], most: int = 0) -> None:
    """Add counters; beyond `most` names, where it is not 0, they are added up under `_MORE`."""
    if not mine and not most:
        mine.update(other)
        return
    for name, count in other.items():
        key = _MORE if most and len(mine) >= most and name not in mine else name
        mine[key] = mine.get(key, 0) + count
