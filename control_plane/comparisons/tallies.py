"""Counters and histograms of comparisons, which grow by merging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from control_plane.comparisons.batches import RouteIn
from control_plane.comparisons.records import WindowRecord
from figway.evidence.histogram import Histogram

NAMED = (
    "verdicts",
    "skipped",
    "dropped",
    "legacy_errors",
    "new_errors",
    "legacy_faults",
    "new_faults",
)
SIDES = ("legacy", "new")


def _no_counts() -> dict[str, dict[str, int]]:
    return {name: {} for name in NAMED}


def _no_latency() -> dict[str, Histogram]:
    return {side: Histogram() for side in SIDES}


@dataclass(slots=True)
class Tallies:
    """What was counted of one route in one window."""

    captured: int = 0
    noise_pairs: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=_no_counts)
    latency: dict[str, Histogram] = field(default_factory=_no_latency)

    def add_reported(self, route: RouteIn) -> None:
        """Add what a proxy reports."""
        self.captured += route.captured
        self.noise_pairs += route.noise.pairs
        for name, found in (
            ("verdicts", {str(verdict): count for verdict, count in route.verdicts.items()}),
            ("skipped", route.skipped),
            ("dropped", route.dropped),
            ("legacy_errors", route.errors.legacy),
            ("new_errors", route.errors.new),
            ("legacy_faults", route.faults.legacy),
            ("new_faults", route.faults.new),
        ):
            self._add(name, found)
        self.latency["legacy"].merge(Histogram(route.latency.legacy))
        self.latency["new"].merge(Histogram(route.latency.new))

    @classmethod
    def of(cls, row: WindowRecord) -> Tallies:
        """What a window holds."""
        tallies = cls()
        tallies.add_row(row)
        return tallies

    def add_row(self, row: WindowRecord) -> None:
        """Add what the database holds; the histograms, most of the work, if they were read."""
        self.captured += row.captured
        self.noise_pairs += row.noise_pairs
        for name, found in orjson.loads(row.counts).items():
            self._add(name, found)
        for side, buckets in orjson.loads(row.latency).items() if row.latency else ():
            counts = {int(number): count for number, count in buckets.items()}
            self.latency[side].merge(Histogram(counts))

    def columns(self) -> dict[str, Any]:
        """As columns of the database."""
        counts = {name: found for name, found in self.counts.items() if found}
        latency = {side: found.counts for side, found in self.latency.items() if found.counts}
        return {
            "captured": self.captured,
            "noise_pairs": self.noise_pairs,
            "counts": orjson.dumps(counts).decode(),
            "latency": orjson.dumps(latency, option=orjson.OPT_NON_STR_KEYS).decode(),
        }

    @property
    def verdicts(self) -> dict[str, int]:
        """Pairs by verdict."""
        return self.counts["verdicts"]

    @property
    def dropped(self) -> int:
        """Captures that were dropped before a verdict."""
        return sum(self.counts["dropped"].values())

    def _add(self, name: str, found: dict[str, int]) -> None:
        mine = self.counts[name]
        for code, count in found.items():
            if count:
                mine[code] = mine.get(code, 0) + count
