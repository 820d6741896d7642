"""What the shadow worker adds up between two messages to the supervisor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from figway.compare.answer import Answer, values_of
from figway.compare.differences import Difference
from figway.compare.faults import Fault
from figway.compare.rules import rule_data
from figway.compare.verdict import COMPARED, Comparison
from figway.evidence.histogram import bucket_of
from figway.evidence.may_ask_legacy import signed_in
from figway.evidence.noise.legacy_forms import MOST_PLACES
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.noise.values import Reading, read_at
from figway.evidence.occurrences import changes
from figway.evidence.requests import Shape, request_hash, shape_of
from figway.evidence.window import OWN, BuildEvidence, add_counts
from proxy.capture.message import Captured
from proxy.shadow.pair import Pair
from proxy.shadow.rows import RouteRow, RowSet
from proxy.shadow.table import ComparedRoute
from proxy.shadow.window import WindowState

_FAILED = {"new_failed": "new", "legacy_failed": "legacy", "both_failed": "both"}
_MOST_BUILDS = 10_000

Key = tuple[str, str]
"""Route, window."""


def _one_part(captured: Captured) -> str:
    return ""


class Tally:
    """Rows since the last message, and the captures that came in.

    `part_of` names what a capture is counted with: a worker of a queue hands in each message by
    itself, so that one that comes again counts once. Elsewhere there is one part.
    """

    def __init__(self, part_of: Callable[[Captured], str] = _one_part) -> None:
        self.part_of = part_of
        self._parts: dict[str, RowSet] = {}
        self.received: dict[tuple[str, str, str], list[int]] = {}
        self.total_received = 0
        self.total_dropped = 0
        self._builds: dict[Key, str] = {}
        """The build that answered last."""
        self._learned: dict[Key, tuple[WindowState, int, str]] = {}

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
        self._row(captured).skip(reason)

    def dropped(self, captured: Captured, reason: str) -> None:
        """It was lost."""
        self.total_dropped += 1
        row = self._row(captured)
        row.drop(reason)
        if captured.side == "legacy":
            shape = _shape(captured, None, signed_in(captured.headers))
            self._evidence(row, captured).seen_shapes.add(shape)

    def built(self, captured: Captured, build: str) -> None:
        """This build of new answered."""
        key = (captured.route, captured.window)
        if key in self._builds or len(self._builds) < _MOST_BUILDS:
            self._builds[key] = build

    def compared(
        self,
        compared: ComparedRoute | None,
        pair: Pair,
        ended: str,
        example: dict[str, Any] | None,
    ) -> None:
        """A pair came to its end."""
        captured, comparison = pair.captured, pair.comparison
        row = self._row(captured)
        row.verdicts[ended] = row.verdicts.get(ended, 0) + 1
        if ended == "skipped":
            row.skipped[comparison.reason] = row.skipped.get(comparison.reason, 0) + 1
        sides = (("legacy", pair.legacy), ("new", pair.new))
        for (side, answer), fault in zip(sides, comparison.faults, strict=True):
            _answered(row, side, answer, fault)
        if comparison.differences:
            excused = pair.excused
            for item in comparison.differences:
                row.add_field(_field(item, captured.at_ms, noise=item.field in excused))
        if example is not None:
            row.examples.append(example)
        if compared is not None:
            self._count(row, compared, pair, ended)

    def _count(self, row: RouteRow, compared: ComparedRoute, pair: Pair, ended: str) -> None:
        captured, comparison = pair.captured, pair.comparison
        evidence = self._evidence(row, captured)
        evidence.seen_at(captured.at_ms, captured.at_ms)
        who = signed_in(captured.headers)
        shape = _shape(captured, pair.legacy, who)
        evidence.seen_shapes.add(shape)
        side = _FAILED.get(ended)
        if side is not None:
            add_counts(evidence.failed[side], {comparison.reason[:80]: 1})
        rated = comparison.verdict in COMPARED
        if rated:
            evidence.count(pair.entries, captured.at_ms)
            if pair.seen or comparison.own_values:
                self._sketch(evidence, compared.state, pair)
        if rated or side == "new":
            evidence.shapes.add(shape)
            name = request_hash(captured.method, captured.target, captured.body, who)
            evidence.request(name, captured.at_ms)
        if ended == "unconfirmed":
            add_counts(evidence.unconfirmed, {_why(pair): 1})
        if pair.seen:
            self.learned(compared, captured)

    def _sketch(self, evidence: BuildEvidence, state: WindowState, pair: Pair) -> None:
        done: set[str] = set()
        # Of many elements of a list, one that is not of the form: that is what is to be told of.
        for seen, mark in sorted(pair.found, key=lambda item: item[1] is Mark.FORM):
            if mark is not Mark.COVERED and seen.place not in done:
                done.add(seen.place)
                _sketched(evidence, seen.place, seen.readings, pair, state)
        for at in pair.comparison.own_values:
            readings = read_at(at.exact, at.legacy), read_at(at.exact, at.new)
            _sketched(evidence, f"{at.exact}{OWN}", readings, pair, state)

    def own(
        self, compared: ComparedRoute, captured: Captured, own: Comparison, *, natural: bool
    ) -> None:
        """Legacy was compared with itself."""
        row = self._row(captured)
        row.noise_pairs += 1
        found = changes(own)
        evidence = self._evidence(row, captured)
        evidence.own.count(seen.place for seen in found.by_exact.values())
        if natural:
            add_counts(evidence.reads, {"natural": 1})
        for item in own.differences:
            if item.ignored_by is None:
                told = {"path": item.path, "kind": item.kind, "field": item.field, "count": 1}
                row.add_noise({**told, "detector": item.detector})
        self.learned(compared, captured)

    def reads(self, compared: ComparedRoute, captured: Captured, side: str, asked: bool) -> None:
        """A side was asked once more."""
        if asked:
            add_counts(self._evidence(self._row(captured), captured).reads, {side: 1})

    def learned(self, compared: ComparedRoute, captured: Captured) -> None:
        """Something was learned of a window: it is told with the next message."""
        key = (captured.route, captured.window)
        self._learned[key] = (compared.state, captured.revision, self.part_of(captured))

    def _row(self, captured: Captured) -> RouteRow:
        rows = self._rows(self.part_of(captured))
        return rows.row(captured.route, captured.window, captured.revision)

    def _rows(self, part: str) -> RowSet:
        found = self._parts.get(part)
        if found is None:
            found = self._parts[part] = RowSet()
        return found

    def _evidence(self, row: RouteRow, captured: Captured) -> BuildEvidence:
        return row.build(self._builds.get((captured.route, captured.window), ""))

    def take(self) -> dict[str, Any]:
        """The message for the supervisor; everything begins anew."""
        parts, received = self.take_parts(), self.received
        self.received = {}
        return {
            "rows": [data for rows in parts.values() for data in rows.to_data()],
            "received": [[*key, revision, number] for key, (number, revision) in received.items()],
        }

    def take_parts(self) -> dict[str, RowSet]:
        """The rows by part; they begin anew."""
        for (route, window), (state, revision, part) in self._learned.items():
            evidence = self._rows(part).row(route, window, revision).build(state.build)
            evidence.learned(state.knowledge.take())
        self._learned.clear()
        parts, self._parts = self._parts, {}
        return parts


def _answered(row: RouteRow, side: str, answer: Answer, fault: Fault | None) -> None:
    error = answer.failure or (f"{answer.status // 100}xx" if answer.status >= 500 else "")
    if fault is not None:
        row.fault(side, str(fault))
    elif error:
        row.errors[side][error] = row.errors[side].get(error, 0) + 1
    if answer.failure is None:
        bucket = bucket_of(int(answer.elapsed_ms * 1_000))
        row.latency[side][bucket] = row.latency[side].get(bucket, 0) + 1


def _field(item: Difference, at_ms: int, *, noise: bool) -> dict[str, Any]:
    return {
        "path": item.path,
        "kind": item.kind,
        "field": item.field,
        "count": 1,
        "ignored": int(item.ignored_by is not None),
        "noise": int(noise and item.ignored_by is None),
        "rule": item.ignored_by or "",
        "detector": item.detector,
        "proposed": rule_data(item.proposal) if item.proposal else None,
        "first_ms": at_ms,
        "last_ms": at_ms,
    }


def _sketched(
    evidence: BuildEvidence,
    place: str,
    readings: tuple[Reading, Reading],
    pair: Pair,
    state: WindowState,
) -> None:
    sketch = evidence.sketches.get(place)
    if sketch is None:
        if len(evidence.sketches) >= MOST_PLACES:
            return
        sketch = evidence.sketches[place] = PlaceSketch()
    legacy, new = readings
    kept = state.kept(place, state.digest(f"{legacy.text}\n{new.text}"), pair.captured.at_ms)
    sketch.count(legacy, new, pair.apart_ms, state.digest, kept=kept)


def _shape(captured: Captured, legacy: Answer | None, who: bool) -> Shape:
    """By legacy's answer; by the served one where there is no pair. `who`: signed in."""
    if legacy is None or legacy.failure is not None:
        status, types = captured.status, values_of(captured.answer_headers, "content-type")
    else:
        status, types = legacy.status, values_of(legacy.headers, "content-type")
    media = types[-1] if types else ""
    return shape_of(captured.method, captured.target, status, media, who)


def _why(pair: Pair) -> str:
    marks = {mark for _, mark in pair.found}
    if Mark.NOT_LOOKED in marks:
        return pair.why or "moved"
    return "young" if Mark.YOUNG in marks else "late"
