"""Whether the kinds of the fixture are judged right, at every moment that it is asked."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from bench.truth.common_causes import conditions
from bench.truth.common_causes import judged as common_cause
from bench.truth.kinds import Kind
from control_plane.comparisons.records import StoredPair
from figway.evidence.judgement import Judgement, Now, judge
from figway.evidence.window import BuildEvidence
from figway.model.comparison import LegacyReads

FOUND = frozenset({"real", "varies_differently", "likely_real"})
_OPEN = frozenset({"unconfirmed", "unsteady"})
MOST_FALSE = 0.005
FIRST_GOAL = 0.99
GOAL = 0.995
ENOUGH = round(1.3 * 946)
"""Pairs after which a clean route is to be proven: 946 are what the bound needs."""


@dataclass
class Verdict:
    """How a kind was judged at the end, and what was wrong at any moment."""

    kind: str
    real: bool
    wrong: str
    """`missed`, `hidden` (told as noise), `undecided` (told as what is not known yet), `false`,
    `refuted`, `slow`; empty for right."""
    match: int
    mismatch: int
    new_failed: int
    unconfirmed: int
    not_comparable: int
    stale: int
    standing: str
    fields: dict[str, str]
    reasons: list[str]
    found: bool
    moments: list[str] = field(default_factory=list)
    """What was wrong meanwhile, in order."""
    proven_after: int = 0
    """Requests seen when the first goal, 99 %, was first proven; 0 if it never was."""
    common: list[str] = field(default_factory=list)
    """What is said of the requests that differ."""
    cause: str = ""
    """`named`, `unnamed`, `invented`; empty where there is none, and none is said."""


class Watch:
    """Judges all kinds again and again."""

    def __init__(self, wanted: list[Kind], reads: LegacyReads) -> None:
        self.kinds = wanted
        self._now = Now(legacy_reads=reads.value)
        self._lenient = reads is not LegacyReads.ALLOWED
        self._moments: dict[str, list[str]] = {}
        self._last: dict[str, tuple[Judgement, int]] = {}
        self._proven: dict[str, int] = {}

    def look(self, evidence: Mapping[str, BuildEvidence]) -> None:
        """Judge what is known now, by route."""
        for at, kind in enumerate(self.kinds):
            known = evidence.get(f"k{at}")
            if known is None:
                continue
            judged = judge(known, self._now)
            seen = known.seen_shapes.total
            self._last[kind.name] = judged, seen
            if judged.standing(FIRST_GOAL) == "proven":
                self._proven.setdefault(kind.name, seen)
            if not kind.real and (word := false_of(judged)):
                told = self._moments.setdefault(kind.name, [])
                told.append(f"{word} {judged.mismatch}/{judged.rated}")

    def verdicts(
        self, untried: Container[str] = (), pairs: Mapping[str, Sequence[StoredPair]] | None = None
    ) -> list[Verdict]:
        """By kind, as of the last look; without those that were not tried. `pairs` are those that
        were stored, by route."""
        stored = pairs or {}
        return [
            self._verdict(kind, stored.get(f"k{at}", ()))
            for at, kind in enumerate(self.kinds)
            if kind.name not in untried
        ]

    def _verdict(self, kind: Kind, pairs: Sequence[StoredPair]) -> Verdict:
        judged, seen = self._last.get(kind.name) or (judge(BuildEvidence(), self._now), 0)
        moments = self._moments.get(kind.name, [])
        shown = [item.field for item in judged.fields if item.standing in FOUND | _OPEN]
        said = conditions(pairs, shown)
        wrong = self._missed(judged) if kind.real else self._false(judged, seen, moments)
        return Verdict(
            kind.name,
            kind.real,
            wrong,
            judged.match,
            judged.mismatch,
            judged.new_failed,
            judged.unconfirmed,
            judged.not_comparable,
            judged.stale,
            judged.standing(GOAL),
            {item.field: item.standing for item in judged.fields[:5]},
            [reason.code for reason in judged.reasons],
            found(judged),
            moments[:5],
            self._proven.get(kind.name, 0),
            said,
            common_cause(kind, said),
        )

    def _missed(self, judged: Judgement) -> str:
        if found(judged):
            return ""
        if self._lenient and judged.standing(GOAL) != "proven" and judged.unconfirmed:
            return ""  # what cannot be known is said to be unknown
        if undecided(judged):
            return "undecided"
        return "hidden" if judged.fields else "missed"

    def _false(self, judged: Judgement, seen: int, moments: list[str]) -> str:
        if moments:
            return "refuted" if any(text.startswith("refuted") for text in moments) else "false"
        slow = seen >= ENOUGH and judged.standing(GOAL) != "proven"
        return "slow" if slow and not self._lenient else ""


def found(judged: Judgement) -> bool:
    """Whether a real difference is told as one."""
    told = judged.mismatch > 0 or any(item.standing in FOUND for item in judged.fields)
    own = any(reason.code == "varies_differently" for reason in judged.reasons)
    return told or own or judged.new_failed > 0


def undecided(judged: Judgement) -> bool:
    """Whether a difference is told as one that is not known well enough yet, and nothing is proven
    meanwhile."""
    told = any(item.standing in _OPEN for item in judged.fields)
    return told and judged.standing(GOAL) != "proven"


def false_of(judged: Judgement) -> str:
    """What is said against a clean route at one moment; empty for nothing."""
    if judged.standing(GOAL) == "refuted":
        return "refuted"
    if judged.mismatch > MOST_FALSE * max(1, judged.rated):
        return "false"
    odd = [item.path for item in judged.fields if item.standing in FOUND]
    return f"false {odd[0]}" if odd else ""
