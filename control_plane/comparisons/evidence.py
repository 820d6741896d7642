"""Evidence as the API shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from control_plane.comparisons.judged import Judged, RouteBuilds
from control_plane.comparisons.records import MinuteRecord, WindowRecord
from control_plane.comparisons.schemas import (
    AgreementOut,
    BuildOut,
    EvidencePoint,
    FailureOut,
    GoalOut,
    LatencyOut,
    LooksOut,
    PausedOut,
    QuantileOut,
    ReasonOut,
    RouteEvidence,
    WindowOut,
)
from control_plane.comparisons.tallies import Tallies
from figway.evidence.failures_and_latency import compare_latencies, failure_rates
from figway.model.table import Route, Table

_ENDED_OTHERWISE = ("skipped", "compare_error")
"""Verdicts of pairs that have no counts by what differed."""


def agreement_out(found: Judged) -> AgreementOut:
    """How far new agrees with legacy, its bound, and what is missing to each goal."""
    one = found.judgement
    return AgreementOut(
        matches=one.match,
        mismatches=one.mismatch,
        unsteady=one.unsteady,
        new_failed=one.new_failed,
        rated=one.rated,
        rate=one.agreement,
        low=one.interval.low,
        high=one.interval.high,
        unconfirmed=one.unconfirmed,
        not_comparable=one.not_comparable,
        form_alone=one.form_alone,
        goals=[
            GoalOut(rate=goal.rate, standing=goal.standing, needs=goal.needs) for goal in one.goals
        ],
        reasons=[
            ReasonOut(code=reason.code, text=reason.text, path=reason.path, keeps=reason.keeps)
            for reason in one.reasons
        ],
        distinct=one.distinct,
        top_share=one.top_share,
        shapes_missing=list(one.shapes_missing),
    )


def window_out(row: WindowRecord, found: RouteBuilds) -> WindowOut:
    """A window as the API shows it."""
    tallies, newest = Tallies.of(row), found.newest
    verdicts = dict(found.verdicts)
    for name in _ENDED_OTHERWISE:
        if count := tallies.verdicts.get(name, 0):
            verdicts[name] = count
    return WindowOut(
        window=row.window,
        revision=row.revision,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
        captured=tallies.captured,
        verdicts=verdicts,
        skipped=tallies.counts["skipped"],
        dropped=tallies.counts["dropped"],
        pending=max(0, tallies.captured - sum(verdicts.values()) - tallies.dropped),
        build=newest.build,
        builds=[_build_out(one) for one in found.builds],
        builds_at_once=list(found.at_once),
        agreement=agreement_out(newest),
        looks=_looks_out(newest),
        told=newest.told,
        latency=_latency(tallies),
        legacy=_failures(tallies, verdicts, "legacy"),
        new=_failures(tallies, verdicts, "new"),
    )


def _build_out(found: Judged) -> BuildOut:
    return BuildOut(
        build=found.build,
        first_ms=found.first_ms,
        last_ms=found.last_ms,
        agreement=agreement_out(found),
    )


def _looks_out(found: Judged) -> LooksOut:
    return LooksOut(
        own=found.own_looks,
        natural=found.reads.get("natural", 0),
        legacy_reads=found.reads.get("legacy", 0),
        new_reads=found.reads.get("new", 0),
        unconfirmed=dict(found.unconfirmed),
        noisy=sum(one.standing == "noise" for one in found.judgement.fields),
    )


def _latency(tallies: Tallies) -> LatencyOut:
    found = compare_latencies(tallies.latency["legacy"], tallies.latency["new"])
    return LatencyOut(
        legacy_answers=found.legacy_answers,
        new_answers=found.new_answers,
        enough=found.enough,
        quantiles=[
            QuantileOut(
                quantile=entry.quantile,
                legacy_ms=round(entry.legacy_us / 1_000, 3),
                new_ms=round(entry.new_us / 1_000, 3),
                ratio=None if entry.ratio is None else round(entry.ratio, 3),
                enough=entry.enough,
            )
            for entry in found.quantiles
        ],
    )


def _failures(tallies: Tallies, verdicts: dict[str, int], side: str) -> FailureOut:
    failed = verdicts.get(f"{side}_failed", 0) + verdicts.get("both_failed", 0)
    sent = sum(count for verdict, count in verdicts.items() if verdict != "skipped")
    interval = failure_rates(verdicts)[side]
    return FailureOut(
        failed=failed,
        rate=failed / sent if sent else None,
        low=interval.low,
        high=interval.high,
        errors=tallies.counts[f"{side}_errors"],
        faults=tallies.counts[f"{side}_faults"],
    )


def route_evidence(
    table: Table, route: Route, window: WindowOut | None, paused: Sequence[PausedOut]
) -> RouteEvidence:
    """A route in the overview."""
    backends = {route.new, table.legacy_of(route)}
    return RouteEvidence(
        route=route.id,
        stage=route.stage.value,
        weight=route.weight,
        sample=route.shadow.sample,
        capability=route.capability,
        path=route.match.path,
        rules=len(route.comparison.rules),
        legacy_reads=route.shadow.legacy_reads.value,
        evidence=window,
        paused=[entry for entry in paused if entry.backend in backends],
    )


def points(rows: Iterable[MinuteRecord]) -> list[EvidencePoint]:
    """Minutes as the API shows them."""
    found: dict[tuple[int, str], EvidencePoint] = {}
    for row in rows:
        key = (int(row.at_ms), row.window)
        point = found.setdefault(key, EvidencePoint(at_ms=key[0], window=row.window, pairs={}))
        point.pairs[row.verdict] = int(row.pairs)
    return list(found.values())
