"""Adding traffic up, and reading it off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from control_plane.traffic.schemas import SeriesIn, SideOut
from figway.histogram import Histogram

_NAMED = ("statuses", "fallbacks", "no_fallbacks", "failures", "problems")
_PLAIN = ("requests", "errors", "client_gone", "request_bytes", "response_bytes")


def _no_counts() -> dict[str, dict[str, int]]:
    return {name: {} for name in _NAMED}


@dataclass(slots=True)
class Sums:
    """Counters and a latency histogram that grow by merging."""

    requests: int = 0
    errors: int = 0
    client_gone: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=_no_counts)
    latency: Histogram = field(default_factory=Histogram)

    def add_series(self, series: SeriesIn) -> None:
        """Add what a proxy reports."""
        self.requests += series.requests
        self.errors += series.statuses.get("5xx", 0)
        self.client_gone += series.client_gone
        self.request_bytes += series.request_bytes
        self.response_bytes += series.response_bytes
        self._add_counts({name: getattr(series, name) for name in _NAMED})
        self.latency.merge(Histogram(series.latency))

    def add_row(self, row: Any) -> None:
        """Add what the database holds."""
        for name in _PLAIN:
            setattr(self, name, getattr(self, name) + getattr(row, name))
        self._add_counts(orjson.loads(row.counts))
        found = orjson.loads(row.latency)
        self.latency.merge(Histogram({int(number): count for number, count in found.items()}))

    def add(self, other: Sums) -> None:
        """Add other sums."""
        for name in _PLAIN:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._add_counts(other.counts)
        self.latency.merge(other.latency)

    def columns(self) -> dict[str, Any]:
        """As columns of the database."""
        counts = {name: found for name, found in self.counts.items() if found}
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "counts": orjson.dumps(counts).decode(),
            "latency": orjson.dumps(self.latency.counts, option=orjson.OPT_NON_STR_KEYS).decode(),
        }

    def shown(self, seconds: float) -> SideOut:
        """As the API shows it, over so many seconds."""
        return SideOut(
            requests=self.requests,
            rps=round(self.requests / seconds, 3) if seconds > 0 else 0.0,
            errors=self.errors,
            error_rate=round(self.errors / self.requests, 6) if self.requests else 0.0,
            client_gone=self.client_gone,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            p50_ms=self._quantile(0.50),
            p95_ms=self._quantile(0.95),
            p99_ms=self._quantile(0.99),
            **self.counts,
        )

    def _quantile(self, share: float) -> float | None:
        found = self.latency.quantile(share)
        return None if found is None else round(found / 1_000, 3)

    def _add_counts(self, found: dict[str, dict[str, int]]) -> None:
        for name, counters in found.items():
            mine = self.counts[name]
            for code, count in counters.items():
                mine[code] = mine.get(code, 0) + count
