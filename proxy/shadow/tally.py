"""What the shadow worker adds up between two messages to the supervisor."""

from __future__ import annotations

from typing import Any

from figway.compare.answer import Answer
from figway.compare.rules import rule_data
from figway.compare.verdict import Comparison
from figway.evidence.histogram import bucket_of
from proxy.capture.message import Captured
from proxy.shadow.rows import RowSet


class Tally:
    """Rows since the last message, and the captures that came in."""

    def __init__(self) -> None:
        self.rows = RowSet()
        self.received: dict[tuple[str, str, str], list[int]] = {}
        self.total_received = 0
        self.total_dropped = 0

    def came(self, worker: str, captured: Captured) -> None:
        """A capture came in from a serving worker."""
        self.total_received += 1
        key = (worker, captured.route, captured.window)
        entry = self.received.get(key)
        if entry is None:
            entry = self.received[key] = [0, captured.revision]
        entry[0] += 1

    def skipped(self, captured: Captured, reason: str) -> None:
        """It is not compared."""
        self.rows.row(captured.route, captured.window, captured.revision).skip(reason)

    def dropped(self, captured: Captured, reason: str) -> None:
        """It was lost."""
        self.total_dropped += 1
        self.rows.row(captured.route, captured.window, captured.revision).drop(reason)

    def compared(
        self,
        captured: Captured,
        legacy: Answer,
        new: Answer,
        comparison: Comparison,
        example: dict[str, Any] | None,
    ) -> None:
        """It has a verdict."""
        row = self.rows.row(captured.route, captured.window, captured.revision)
        row.verdicts[comparison.verdict] = row.verdicts.get(comparison.verdict, 0) + 1
        if comparison.verdict == "skipped":
            row.skipped[comparison.reason] = row.skipped.get(comparison.reason, 0) + 1
        for side, answer in (("legacy", legacy), ("new", new)):
            error = answer.failure or (f"{answer.status // 100}xx" if answer.status >= 500 else "")
            if error:
                row.errors[side][error] = row.errors[side].get(error, 0) + 1
            if answer.failure is None:
                bucket = bucket_of(int(answer.elapsed_ms * 1_000))
                row.latency[side][bucket] = row.latency[side].get(bucket, 0) + 1
        at = captured.at_ms
        for item in comparison.differences:
            row.add_field(
                {
                    "path": item.path,
                    "kind": item.kind,
                    "field": item.field,
                    "count": 1,
                    "ignored": int(item.ignored_by is not None),
                    "noise": int(item.noise),
                    "rule": item.ignored_by or "",
                    "detector": item.detector,
                    "proposed": rule_data(item.proposal) if item.proposal else None,
                    "first_ms": at,
                    "last_ms": at,
                }
            )
        if example is not None:
            row.examples.append(example)

    def noise(self, captured: Captured, own: Comparison) -> None:
        """Legacy was compared with itself."""
        row = self.rows.row(captured.route, captured.window, captured.revision)
        row.noise_pairs += 1
        for item in own.differences:
            if item.ignored_by is None:
                field = {"path": item.path, "kind": item.kind, "field": item.field, "count": 1}
                row.add_noise({**field, "detector": item.detector})

    def take(self) -> dict[str, Any]:
        """The message for the supervisor; everything begins anew."""
        rows, received = self.rows, self.received
        self.rows, self.received = RowSet(), {}
        return {
            "rows": rows.to_data(),
            "received": [[*key, revision, number] for key, (number, revision) in received.items()],
        }
