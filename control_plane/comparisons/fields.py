"""Differing fields with their noise, grouped by path."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from control_plane.comparisons.evidence import overruled_as
from control_plane.comparisons.schemas import (
    FieldOut,
    FieldStanding,
    NoiseFindingOut,
    PathOut,
)
from control_plane.comparisons.tallies import Tallies
from figway.compare.noise import FieldCounts, judge
from figway.model import NoiseWord


def field_out(row: Any, tallies: Tallies, words: dict[str, bool]) -> FieldOut:
    """One field as the API shows it."""
    word = overruled_as(row, words)
    counts = FieldCounts(tallies.rated, row.differing, tallies.noise_pairs, row.self_differing)
    finding = judge(row.field, counts, word)
    standing: FieldStanding = "real"
    if row.differing and row.ignored >= row.differing:
        standing = "ignored"
    elif finding.noise or not row.differing:
        standing = "noise"
    return FieldOut(
        field=row.field,
        kind=row.kind,
        detector=row.detector,
        standing=standing,
        differing=row.differing,
        compared=tallies.rated,
        self_differing=row.self_differing,
        self_compared=tallies.noise_pairs,
        ignored=row.ignored,
        rule=row.rule,
        noise=NoiseFindingOut(
            noise=finding.noise,
            because=finding.because,
            raw=finding.raw,
            own=finding.own,
            relative=finding.relative,
            absolute=finding.absolute,
        ),
        overruled=None if word is None else NoiseWord.NOISE if word else NoiseWord.SIGNAL,
        proposed=json.loads(row.proposed) if row.proposed else None,
        first_ms=row.first_ms,
        last_ms=row.last_ms,
    )


def grouped(rows: Iterable[Any], tallies: Tallies, words: dict[str, bool]) -> list[PathOut]:
    """Fields by path, those that differ in most pairs first."""
    by_path: dict[str, list[FieldOut]] = {}
    for row in rows:
        by_path.setdefault(row.path, []).append(field_out(row, tallies, words))
    return [_path(path, found) for path, found in by_path.items()]


def _path(path: str, found: list[FieldOut]) -> PathOut:
    standings = {field.standing for field in found}
    standing: FieldStanding = "ignored"
    if "real" in standings:
        standing = "real"
    elif "noise" in standings:
        standing = "noise"
    found.sort(key=lambda field: (-field.differing, field.field))
    return PathOut(
        path=path,
        standing=standing,
        differing=max(field.differing for field in found),
        self_differing=max(field.self_differing for field in found),
        first_ms=min(field.first_ms for field in found),
        last_ms=max(field.last_ms for field in found),
        fields=found,
    )


def noise_of(rows: Iterable[Any], tallies: Tallies, words: dict[str, bool]) -> frozenset[str]:
    """The keys of the fields that are noise, as a comparison takes them."""
    found = {word for word, noise in words.items() if noise}
    for row in rows:
        counts = FieldCounts(tallies.rated, row.differing, tallies.noise_pairs, row.self_differing)
        if judge(row.field, counts, overruled_as(row, words)).noise:
            found.add(row.field)
    return frozenset(found)
