"""What the stored counts of a route prove, by the rules, words and forms of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from control_plane.comparisons.records import FieldRecord, WindowRecord
from control_plane.comparisons.tallies import Tallies
from figway.evidence.field_state import FieldState
from figway.evidence.judgement import FieldJudgement, Judgement, Now, Reason, judge
from figway.evidence.noise.legacy_forms import PlaceForm
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.seen import BEYOND
from figway.evidence.window import NO_DIFFERENCE, BuildEvidence, Entries

_AT_ONCE_MS = 60_000
"""Two builds that were heard of within this time answer side by side."""
_TOLD = Reason(
    "counted_as_told",
    "counted by an older proxy, which keeps no counts by what differed: update it, then restart "
    "the evidence of this route",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """The evidence on a route with one build of new."""

    route: str
    window: str
    build: str
    """Empty where new names none."""
    first_ms: int
    last_ms: int
    judgement: Judgement
    own_looks: int = 0
    """Looks that compared legacy with itself."""
    own_places: Mapping[str, int] = field(default_factory=dict)
    """Of these, how many saw a place vary."""
    reads: Mapping[str, int] = field(default_factory=dict)
    """Requests that comparing added, at `legacy` and `new`; `natural` repeats cost nothing."""
    unconfirmed: Mapping[str, int] = field(default_factory=dict)
    """Pairs without a second look, by why there was none."""
    forms: Mapping[str, PlaceForm] = field(default_factory=dict)
    """By place, the form in which legacy varies there."""
    told: bool = False
    """As proxies told it: rules and words of now do not reach back."""

    @classmethod
    def of(cls, key: tuple[str, str, str], evidence: BuildEvidence, now: Now) -> Judged:
        """Judge what was counted."""
        return cls(
            *key,
            evidence.first_ms,
            evidence.last_ms,
            judge(evidence, now),
            evidence.own.looks,
            evidence.own.places,
            evidence.reads,
            evidence.unconfirmed,
            evidence.forms,
        )

    @property
    def compared(self) -> int:
        """Pairs of two answers."""
        one = self.judgement
        return one.match + one.mismatch + one.stale + one.not_comparable + one.unconfirmed

    def field(self, name: str) -> FieldJudgement | None:
        """One field as it stands now."""
        return next((found for found in self.judgement.fields if found.field == name), None)


class _OfBuild(Protocol):
    @property
    def build(self) -> str: ...
    @property
    def first_ms(self) -> int: ...
    @property
    def last_ms(self) -> int: ...


B = TypeVar("B", bound=_OfBuild)


def pick_newest(builds: Sequence[B]) -> B:
    """The newest build: of those that answer side by side, the one that came last."""
    last = max(one.last_ms for one in builds)
    latest = [one for one in builds if one.last_ms >= last - _AT_ONCE_MS]
    return max(latest, key=lambda one: (one.first_ms, one.build))


@dataclass(frozen=True, slots=True)
class RouteBuilds:
    """The evidence of one window, by build of new, the newest first."""

    builds: tuple[Judged, ...]

    @classmethod
    def of(cls, builds: Sequence[Judged]) -> RouteBuilds:
        """Those of one window; at least one."""
        ordered = sorted(builds, key=lambda one: (one.last_ms, one.first_ms), reverse=True)
        newest = pick_newest(ordered)
        return cls((newest, *(one for one in ordered if one is not newest)))

    @property
    def newest(self) -> Judged:
        """What is shown first, and what a decision rests on."""
        return self.builds[0]

    @property
    def at_once(self) -> tuple[str, ...]:
        """The builds that answer side by side, when there are several."""
        last = max(one.last_ms for one in self.builds)
        found = [one.build for one in self.builds if one.last_ms >= last - _AT_ONCE_MS]
        return tuple(found) if len(found) > 1 else ()

    @property
    def verdicts(self) -> dict[str, int]:
        """Pairs of all builds by verdict."""
        return _verdicts([one.judgement for one in self.builds])


def _verdicts(judgements: Sequence[Judgement]) -> dict[str, int]:
    names = (
        "match",
        "mismatch",
        "new_failed",
        "legacy_failed",
        "both_failed",
        "stale",
        "not_comparable",
        "unconfirmed",
    )
    sums = {name: sum(getattr(one, name) for one in judgements) for name in names}
    return {name: count for name, count in sums.items() if count}


@dataclass(frozen=True, slots=True)
class EvidenceSummary:
    """A judgement in little, for lists of every route."""

    route: str
    match: int
    mismatch: int
    new_failed: int
    unconfirmed: int
    low: float
    high: float
    standing: str
    """Towards the first goal."""
    needs: int | None
    reasons: tuple[str, ...]
    """What keeps it from being proven, in words."""
    verdicts: Mapping[str, int]

    @classmethod
    def of(cls, found: Judged) -> EvidenceSummary:
        """In little."""
        one = found.judgement
        goal = one.goals[0]
        return cls(
            found.route,
            one.match,
            one.mismatch,
            one.new_failed,
            one.unconfirmed,
            one.interval.low,
            one.interval.high,
            goal.standing,
            goal.needs,
            tuple(reason.text for reason in one.reasons if reason.keeps),
            _verdicts([one]),
        )

    @property
    def rated(self) -> int:
        """Pairs in the agreement."""
        return self.match + self.mismatch + self.new_failed

    @property
    def agreement(self) -> float | None:
        """Share of pairs that match, of all that match, differ, or where new failed."""
        return self.match / self.rated if self.rated else None

    @property
    def trouble(self) -> float:
        """Share of the rated pairs in which new differed or failed: what wants attention first."""
        return (self.mismatch + self.new_failed) / self.rated if self.rated else 0.0


def as_told(row: WindowRecord, now: Now, fields: Sequence[FieldRecord] = ()) -> Judged:
    """The evidence of a window whose proxies sent no counts by what differed.

    Where nothing was compared yet, as of a route whose methods never are, there is nothing to tell.
    """
    verdicts = Tallies.of(row).verdicts
    evidence = BuildEvidence(first_ms=row.first_ms, last_ms=row.last_ms)
    for verdict, entries in _TOLD_ENTRIES.items():
        if count := verdicts.get(verdict, 0):
            evidence.count(entries, row.first_ms, count, row.last_ms)
    for side in ("new", "legacy", "both"):
        if count := verdicts.get(f"{side}_failed", 0):
            evidence.failed[side] = {"failed": count}
    found = Judged.of((row.route, row.window, ""), evidence, Now(goals=now.goals))
    if not evidence.pairs and not any(evidence.failed.values()):
        return found
    shown = tuple(_told_field(one, now) for one in fields)
    judgement = replace(found.judgement, reasons=(_TOLD,), fields=shown)
    return replace(found, judgement=judgement, own_looks=row.noise_pairs, told=True)


def _told_field(record: FieldRecord, now: Now) -> FieldJudgement:
    state = FieldState.of(record.field, BuildEvidence(), now.rules, now.words, {})
    ignored = record.differing and record.ignored >= record.differing
    noise = state.word is True or not record.differing or bool(record.self_differing)
    return FieldJudgement(
        record.field,
        record.path,
        record.kind,
        "ignored" if ignored else "noise" if noise else "real",
        record.differing,
        {"excused" if ignored or noise else "counts": record.differing},
        {},
        "",
        record.rule,
        state.word,
        "",
        record.first_ms,
        record.last_ms,
        state,
    )


_TOLD_ENTRIES: dict[str, Entries] = {
    "match": NO_DIFFERENCE,
    "mismatch": ((f"{BEYOND}|changed", Mark.LOOKED_ONCE.value),),
    "stale": ((f"{BEYOND}|changed", Mark.STALE.value),),
    "unconfirmed": ((f"{BEYOND}|changed", Mark.NOT_LOOKED.value),),
    "not_comparable": ((f"{BEYOND}|changed", Mark.OPAQUE.value),),
}
