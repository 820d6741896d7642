"""Which fields are noise: legacy disagrees with itself about them, so that new cannot be blamed.

A small sample of safe reads is sent to legacy twice and the two answers are compared like any
pair. For each field (`Difference.field`) four counts are kept, and from them:

    raw      = differing / compared              new against legacy
    own      = self_differing / self_compared    legacy against itself
    relative = (raw - own) / (raw + own)
    absolute = raw - own

The field is a real difference when raw > own and relative > 20 % and absolute > 0.03 %, which are
Diffy's rule and thresholds on rates instead of counts, as here the two samples differ in size. It
is noise otherwise, provided that legacy was asked often enough and did disagree with itself.
Besides, a field of a shape that chance does not produce (UUID, timestamp, JWT, epoch) is noise as
soon as legacy has given two different values of that shape: a clock that legacy is asked for twice
within a millisecond shows the same second far more often than new does, asked later.

Noise is shown, never hidden, and a person may overrule it per field, either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from figway.compare.detect import HARD_SHAPES

RELATIVE = 0.20
ABSOLUTE = 0.0003
LEAST_SELF_PAIRS = 5
"""Pairs of legacy with itself below which the rates say nothing."""
LEAST_SHAPED = 2
"""Disagreements of legacy with itself that settle it for a field of a hard shape."""


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """How often a field differed. All counts are pairs; `compared` those of the whole route."""

    compared: int = 0
    differing: int = 0
    self_compared: int = 0
    self_differing: int = 0

    def __add__(self, other: FieldCounts) -> FieldCounts:
        return FieldCounts(
            self.compared + other.compared,
            self.differing + other.differing,
            self.self_compared + other.self_compared,
            self.self_differing + other.self_differing,
        )


Because = Literal[
    "overruled",
    "legacy_agrees_with_itself",
    "too_few_self_pairs",
    "volatile_shape",
    "more_than_noise",
    "no_more_than_noise",
]


@dataclass(frozen=True, slots=True)
class NoiseFinding:
    """Whether a field is noise, and what says so."""

    field: str
    noise: bool
    because: Because
    raw: float
    own: float
    relative: float
    absolute: float


def judge(field: str, counts: FieldCounts, overruled: bool | None = None) -> NoiseFinding:
    """Judge one field. `overruled` is a person's word: True for noise, False for not."""
    raw = counts.differing / counts.compared if counts.compared else 0.0
    own = counts.self_differing / counts.self_compared if counts.self_compared else 0.0
    absolute = raw - own
    relative = absolute / (raw + own) if raw + own else 0.0

    def finding(noise: bool, because: Because) -> NoiseFinding:
        return NoiseFinding(field, noise, because, raw, own, relative, absolute)

    if overruled is not None:
        return finding(overruled, "overruled")
    if counts.self_differing == 0:
        return finding(False, "legacy_agrees_with_itself")
    if shape(field) in HARD_SHAPES and counts.self_differing >= LEAST_SHAPED:
        return finding(True, "volatile_shape")
    if counts.self_compared < LEAST_SELF_PAIRS:
        return finding(False, "too_few_self_pairs")
    if relative > RELATIVE and absolute > ABSOLUTE:
        return finding(False, "more_than_noise")
    return finding(True, "no_more_than_noise")


def noise_fields(
    fields: Mapping[str, FieldCounts], overruled: Mapping[str, bool] | None = None
) -> frozenset[str]:
    """The fields that are noise, as `Context.noise` takes them."""
    words = overruled or {}
    known = {
        field for field, counts in fields.items() if judge(field, counts, words.get(field)).noise
    }
    return frozenset(known | {field for field, noise in words.items() if noise})


def shape(field: str) -> str:
    """The hard shape in a field's key, or empty."""
    return field.rpartition("|")[2].partition("~")[2]
