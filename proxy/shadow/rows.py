"""What was compared of one route in one evidence window, as the control plane is told.

Rows add up, whoever counted them: the shadow worker fills them, the supervisor merges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from figway.evidence.noise.seen import BEYOND
from figway.evidence.window import BuildEvidence, add_counts

MAX_FIELDS = 500
"""Fields of one row; what is beyond is counted under `BEYOND`."""
MAX_EXAMPLES = 200
MAX_BUILDS = 8
MAX_FAULTS = 50
"""Codes of faults of one side; what is beyond is counted under `BEYOND`."""

_COUNTERS = ("verdicts", "skipped", "dropped")


class RouteRow:
    """One row. Counters by name; fields by (path, kind, detector, rule)."""

    __slots__ = (
        "builds",
        "captured",
        "dropped",
        "errors",
        "examples",
        "faults",
        "fields",
        "latency",
        "noise_fields",
        "noise_pairs",
        "revision",
        "route",
        "skipped",
        "verdicts",
        "window",
    )

    def __init__(self, route: str, window: str, revision: int) -> None:
        self.route = route
        self.window = window
        self.revision = revision
        self.captured = 0
        self.verdicts: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.fields: dict[tuple[str, str], dict[str, Any]] = {}
        self.noise_pairs = 0
        self.noise_fields: dict[str, dict[str, Any]] = {}
        self.latency: dict[str, dict[int, int]] = {"legacy": {}, "new": {}}
        self.errors: dict[str, dict[str, int]] = {"legacy": {}, "new": {}}
        self.faults: dict[str, dict[str, int]] = {"legacy": {}, "new": {}}
        """Faults by side and code: answers that say no in the words of their protocol."""
        self.examples: list[dict[str, Any]] = []
        self.builds: dict[str, BuildEvidence] = {}
        """What was compared, by the build of new that answered."""

    def build(self, name: str) -> BuildEvidence:
        """The evidence on one build; made when there is none. Past eight builds, all together."""
        found = self.builds.get(name)
        if found is None:
            if len(self.builds) >= MAX_BUILDS:
                return self.builds[next(iter(self.builds))]
            found = self.builds[name] = BuildEvidence(name)
        return found

    @property
    def settled(self) -> int:
        """Captures that have come to an end."""
        return sum(self.verdicts.values()) + sum(self.dropped.values())

    def skip(self, reason: str, number: int = 1) -> None:
        """Count captures that are not compared."""
        add_counts(self.verdicts, {"skipped": number})
        add_counts(self.skipped, {reason: number})

    def drop(self, reason: str, number: int = 1) -> None:
        """Count captures that were lost."""
        add_counts(self.dropped, {reason: number})

    def fault(self, side: str, code: str, number: int = 1) -> None:
        """Count faults of a side."""
        counts = self.faults[side]
        known = code in counts or len(counts) < MAX_FAULTS
        add_counts(counts, {code if known else BEYOND: number})

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "route": self.route,
            "window": self.window,
            "revision": self.revision,
            "captured": self.captured,
            "verdicts": self.verdicts,
            "skipped": self.skipped,
            "dropped": self.dropped,
            "fields": list(self.fields.values()),
            "noise": {"pairs": self.noise_pairs, "fields": list(self.noise_fields.values())},
            "latency": self.latency,
            "errors": self.errors,
            "faults": self.faults,
            "examples": self.examples,
            "evidence": [found.to_data() for found in self.builds.values()],
        }

    def merge(self, data: Mapping[str, Any]) -> int:
        """Add what another row says; how many examples found no room."""
        self.revision = max(self.revision, data["revision"])
        self.captured += data["captured"]
        for name in _COUNTERS:
            add_counts(getattr(self, name), data[name])
        for field in data["fields"]:
            self.add_field(field)
        self.noise_pairs += data["noise"]["pairs"]
        for field in data["noise"]["fields"]:
            self.add_noise(field)
        for side in ("legacy", "new"):
            counts = self.latency[side]
            for bucket, number in data["latency"][side].items():
                counts[int(bucket)] = counts.get(int(bucket), 0) + number
            add_counts(self.errors[side], data["errors"][side])
            for code, number in data.get("faults", {}).get(side, {}).items():
                self.fault(side, code, number)
        for entry in data.get("evidence", ()):
            part = BuildEvidence.from_data(entry)
            self.build(part.build).add(part)
        room = max(0, MAX_EXAMPLES - len(self.examples))
        self.examples += data["examples"][:room]
        return max(0, len(data["examples"]) - room)

    def add_field(self, field: dict[str, Any]) -> None:
        """Count a field that differed."""
        key = (field["field"], field["rule"])
        known = self.fields.get(key)
        if known is None and len(self.fields) >= MAX_FIELDS:
            field = {**field, "path": BEYOND, "field": f"{BEYOND}|{field['kind']}"}
            field = {**field, "proposed": None, "detector": ""}
            key = (field["field"], field["rule"])
            known = self.fields.get(key)
        if known is None:
            self.fields[key] = dict(field)
            return
        known["count"] += field["count"]
        known["ignored"] += field["ignored"]
        known["noise"] += field["noise"]
        known["first_ms"] = min(known["first_ms"], field["first_ms"])
        known["last_ms"] = max(known["last_ms"], field["last_ms"])

    def add_noise(self, field: dict[str, Any]) -> None:
        """Count a field in which legacy differed from itself."""
        known = self.noise_fields.get(field["field"])
        if known is not None:
            known["count"] += field["count"]
        elif len(self.noise_fields) < MAX_FIELDS:
            self.noise_fields[field["field"]] = dict(field)


class RowSet:
    """Rows by route and window."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], RouteRow] = {}
        self.examples_lost = 0

    def __len__(self) -> int:
        return len(self.found)

    def row(self, route: str, window: str, revision: int) -> RouteRow:
        """The row of a route in a window; made when there is none."""
        key = (route, window)
        found = self.found.get(key)
        if found is None:
            found = self.found[key] = RouteRow(route, window, revision)
        found.revision = max(found.revision, revision)
        return found

    def merge(self, rows: list[dict[str, Any]]) -> None:
        """Add rows in their JSON form."""
        for data in rows:
            row = self.row(data["route"], data["window"], data["revision"])
            self.examples_lost += row.merge(data)

    def to_data(self) -> list[dict[str, Any]]:
        """The JSON form of all."""
        return [row.to_data() for row in self.found.values()]
