"""Counters of requests by (route, side, backend): what metrics and reports are made of.

Keys are names of the table, never paths or ids of a request, so their number is bounded by the
table. All counters are plain integers, and two series add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from figway.evidence.histogram import bucket_of
from proxy.loop.record import RequestRecord

Key = tuple[str, str, str]
"""Route (or `-`), side, backend (or empty where none was asked)."""

_MAPS = ("statuses", "fallbacks", "no_fallbacks", "failures", "problems", "unread", "faults",
         "faulted", "latency")  # fmt: skip
MOST_CODES = 50
"""Codes of faults of one key; what is beyond is counted under `MORE`."""
MORE = "(more)"
_NUMBERS = ("requests", "client_gone", "request_bytes", "response_bytes", "head_us")


class Series:
    """The counters of one key. `latency`: `head_us` by bucket of figway.evidence.histogram.
    `faults`, `faulted`: see `proxy.loop.operation_counts`, which counts them."""

    __slots__ = _MAPS + _NUMBERS

    def __init__(self) -> None:
        self.requests = 0
        self.client_gone = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.head_us = 0
        self.statuses: dict[str, int] = {}
        self.fallbacks: dict[str, int] = {}
        self.no_fallbacks: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.problems: dict[str, int] = {}
        self.unread: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.faulted: dict[str, int] = {}
        self.latency: dict[int, int] = {}

    def count(self, record: RequestRecord) -> None:
        """Count one request."""
        self.requests += 1
        self.request_bytes += record.request_bytes
        self.response_bytes += record.response_bytes
        if record.status:
            label = _CLASSES.get(record.status // 100, "other")
            self.statuses[label] = self.statuses.get(label, 0) + 1
            self.head_us += record.head_us
            number = bucket_of(record.head_us)
            self.latency[number] = self.latency.get(number, 0) + 1
        if record.client_gone:
            self.client_gone += 1
        if record.fallback:
            _add(self.fallbacks, record.fallback)
        if record.no_fallback:
            _add(self.no_fallbacks, record.no_fallback)
        if record.failure:
            _add(self.failures, record.failure)
        if record.problem:
            _add(self.problems, record.problem)
        if record.unread:
            _add(self.unread, record.unread)

    def merge(self, data: Mapping[str, Any]) -> None:
        """Add a series in JSON form, whose bucket numbers may be strings."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + data.get(name, 0))
        for name in _MAPS:
            counts = getattr(self, name)
            for label, count in data.get(name, {}).items():
                key = int(label) if name == "latency" else label
                if name == "faults" and len(counts) >= MOST_CODES and key not in counts:
                    key = MORE  # codes are a backend's words, and there may be any number
                counts[key] = counts.get(key, 0) + count

    def to_data(self) -> dict[str, Any]:
        """The JSON form, without what is zero."""
        names = (*_NUMBERS, *_MAPS)
        return {name: value for name in names if (value := getattr(self, name))}


_CLASSES = {number: f"{number}xx" for number in range(1, 6)}


def _add(counts: dict[str, int], label: str) -> None:
    counts[label] = counts.get(label, 0) + 1


class SeriesSet:
    """Series by key."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: dict[Key, Series] = {}

    def __len__(self) -> int:
        return len(self.found)

    def count(self, record: RequestRecord) -> None:
        """Count one request under its key."""
        key = (record.route, record.side, record.backend)
        series = self.found.get(key)
        if series is None:
            series = self.found[key] = Series()
        series.count(record)

    def merge(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in JSON form."""
        for row in rows:
            key = (row["route"], row["side"], row["backend"])
            series = self.found.get(key)
            if series is None:
                series = self.found[key] = Series()
            series.merge(row)

    def take(self) -> list[dict[str, Any]]:
        """All rows in JSON form; counting begins anew."""
        rows = self.to_data()
        self.found = {}
        return rows

    def to_data(self) -> list[dict[str, Any]]:
        """All rows in JSON form."""
        return [
            {"route": route, "side": side, "backend": backend, **series.to_data()}
            for (route, side, backend), series in self.found.items()
        ]
