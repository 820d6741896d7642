"""Differing fields with their noise, grouped by path."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from control_plane.comparisons.evidence import overruled_as
from control_plane.comparisons.schemas import (
    FieldOut,
    FieldStanding,
    NoiseFindingOut,
    PathOut,
)
from control_plane.comparisons.tallies import Tallies
from figway.compare.noise import FieldCounts, NoiseFinding, judge
from figway.model.table import NoiseWord

_STANDINGS: tuple[FieldStanding, ...] = ("real", "noise", "ignored")


@dataclass(slots=True)
class PathSketch:
    """A path with its fields, judged but not yet written out: lists show few of many."""

    path: str
    fields: list[tuple[Any, NoiseFinding]] = field(default_factory=list)
    """Rows of the database, each with its finding."""
    standings: set[FieldStanding] = field(default_factory=set)

    @property
    def standing(self) -> FieldStanding:
        """The one that deserves most attention."""
        return next(name for name in _STANDINGS if name in self.standings)

    @property
    def differing(self) -> int:
        """Pairs that differ in the field that differs most."""
        return max(int(row.differing) for row, _ in self.fields)

    @property
    def last_ms(self) -> int:
        """When it last differed."""
        return max(int(row.last_ms) for row, _ in self.fields)

    @property
    def kinds(self) -> set[str]:
        """The kinds of its differences."""
        return {row.kind for row, _ in self.fields}


def sketched(rows: Iterable[Any], tallies: Tallies, words: dict[str, bool]) -> list[PathSketch]:
    """Fields by path."""
    compared, own = tallies.rated, tallies.noise_pairs
    found: dict[str, PathSketch] = {}
    for row in rows:
        counts = FieldCounts(compared, row.differing, own, row.self_differing)
        finding = judge(row.field, counts, overruled_as(row, words) if words else None)
        sketch = found.get(row.path)
        if sketch is None:
            sketch = found[row.path] = PathSketch(row.path)
        sketch.fields.append((row, finding))
        sketch.standings.add(_standing(row, finding))
    return list(found.values())


def _standing(row: Any, finding: NoiseFinding) -> FieldStanding:
    if row.differing and row.ignored >= row.differing:
        return "ignored"
    return "noise" if finding.noise or not row.differing else "real"


def path_out(sketch: PathSketch, tallies: Tallies, words: dict[str, bool]) -> PathOut:
    """A path as the API shows it, the field first that differs in most pairs."""
    found = [_field_out(row, finding, tallies, words) for row, finding in sketch.fields]
    found.sort(key=lambda field: (-field.differing, field.field))
    return PathOut(
        path=sketch.path,
        standing=sketch.standing,
        differing=sketch.differing,
        self_differing=max(field.self_differing for field in found),
        first_ms=min(field.first_ms for field in found),
        last_ms=sketch.last_ms,
        fields=found,
    )


def _field_out(
    row: Any, finding: NoiseFinding, tallies: Tallies, words: dict[str, bool]
) -> FieldOut:
    word = overruled_as(row, words)
    return FieldOut(
        field=row.field,
        kind=row.kind,
        detector=row.detector,
        standing=_standing(row, finding),
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


def noise_of(rows: Iterable[Any], tallies: Tallies, words: dict[str, bool]) -> frozenset[str]:
    """The keys of the fields that are noise, as a comparison takes them."""
    found = {word for word, noise in words.items() if noise}
    for row in rows:
        counts = FieldCounts(tallies.rated, row.differing, tallies.noise_pairs, row.self_differing)
        if judge(row.field, counts, overruled_as(row, words)).noise:
            found.add(row.field)
    return frozenset(found)
