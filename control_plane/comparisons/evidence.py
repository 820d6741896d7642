"""The verdict on a route, read off its window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from control_plane.comparisons.schemas import (
    EvidencePoint,
    FailureOut,
    GoalOut,
    LatencyOut,
    MatchOut,
    NoiseOut,
    PausedOut,
    QuantileOut,
    RouteEvidence,
    WindowOut,
)
from control_plane.comparisons.tallies import Tallies
from figway.compare.noise import FieldCounts, judge
from figway.evidence.verdicts import compare_latencies, failure_rates, wilson
from figway.evidence.verdicts import judge as judge_matches
from figway.model.table import Route, Table


def tallies_of(row: Any, *, latency: bool = True) -> Tallies:
    """What a window's row holds."""
    tallies = Tallies()
    tallies.add_row(row, latency=latency)
    return tallies


def match_of(tallies: Tallies) -> MatchOut:
    """The match rate, its bound, and what is missing to each goal."""
    verdicts = tallies.verdicts
    found = judge_matches(verdicts.get("match", 0), verdicts.get("mismatch", 0))
    return MatchOut(
        matches=found.matches,
        mismatches=found.mismatches,
        rated=found.rated,
        rate=found.rate,
        low=found.interval.low,
        high=found.interval.high,
        enough=found.enough,
        goals=[
            GoalOut(rate=goal.rate, standing=goal.standing, needs=goal.needs)
            for goal in found.goals
        ],
    )


def lower_bound(tallies: Tallies) -> float:
    """The lower end of the match rate's interval."""
    verdicts = tallies.verdicts
    return wilson(verdicts.get("match", 0), tallies.rated).low


def trouble(tallies: Tallies) -> float:
    """Share of the answered pairs in which new differed or failed: what wants attention first."""
    verdicts = tallies.verdicts
    bad = verdicts.get("mismatch", 0) + verdicts.get("new_failed", 0)
    answered = bad + verdicts.get("match", 0)
    return bad / answered if answered else 0.0


def window_out(row: Any, tallies: Tallies) -> WindowOut:
    """A window as the API shows it."""
    verdicts = tallies.verdicts
    accounted = sum(verdicts.values()) + tallies.dropped
    return WindowOut(
        window=row.window,
        revision=row.revision,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
        captured=tallies.captured,
        verdicts=verdicts,
        skipped=tallies.counts["skipped"],
        dropped=tallies.counts["dropped"],
        pending=max(0, tallies.captured - accounted),
        match=match_of(tallies),
        latency=_latency(tallies),
        legacy=_failures(tallies, "legacy"),
        new=_failures(tallies, "new"),
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


def _failures(tallies: Tallies, side: str) -> FailureOut:
    verdicts = tallies.verdicts
    failed = verdicts.get(f"{side}_failed", 0) + verdicts.get("both_failed", 0)
    sent = sum(count for verdict, count in verdicts.items() if verdict != "skipped")
    interval = failure_rates(verdicts)[side]
    return FailureOut(
        failed=failed,
        rate=failed / sent if sent else None,
        low=interval.low,
        high=interval.high,
        errors=tallies.counts[f"{side}_errors"],
    )


def noise_out(
    tallies: Tallies, fields: int, differing: int, rows: Iterable[Any], words: dict[str, bool]
) -> NoiseOut:
    """How much of what differs is noise: of so many `fields`, which differ in so many pairs,
    `rows` are those that may be."""
    compared, own = tallies.rated, tallies.noise_pairs
    noisy = hidden = 0
    for row in rows:
        counts = FieldCounts(compared, row.differing, own, row.self_differing)
        if judge(row.field, counts, overruled_as(row, words) if words else None).noise:
            noisy += 1
            hidden += row.differing
    return NoiseOut(
        pairs=tallies.noise_pairs,
        fields=fields,
        noisy=noisy,
        share=hidden / differing if differing else None,
    )


def overruled_as(row: Any, words: dict[str, bool]) -> bool | None:
    """A person's word on a field: on the field itself, else on its path."""
    return words.get(row.field, words.get(row.path))


def route_evidence(
    table: Table,
    route: Route,
    window: WindowOut | None,
    noise: NoiseOut | None,
    paused: Sequence[PausedOut],
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
        evidence=window,
        noise=noise,
        paused=[entry for entry in paused if entry.backend in backends],
    )


def points(rows: Iterable[Any]) -> list[EvidencePoint]:
    """Minutes as the API shows them."""
    found: dict[tuple[int, str], EvidencePoint] = {}
    for row in rows:
        key = (int(row.at_ms), row.window)
        point = found.setdefault(key, EvidencePoint(at_ms=key[0], window=row.window, pairs={}))
        point.pairs[row.verdict] = int(row.pairs)
    return list(found.values())
