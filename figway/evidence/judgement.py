"""What the comparisons of a window prove now. The only place where match and mismatch are told.

A window keeps counts by what differed. From them, and from the rules, a person's words and the
forms of now, follow match and mismatch, agreement, its bound, and what keeps a route from being
proven. So what is written or learned later changes what was counted before, everywhere at once.

Agreement is match / (match + mismatch + new_failed): a failure of new is a difference. That it is
at least a goal is proven by a confidence sequence, which holds however often somebody looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from figway.compare.rules import RuleSet
from figway.evidence.field_state import FieldState, Outcome, states
from figway.evidence.noise.form_fit import in_words
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.sketches import stands_still
from figway.evidence.requests import Shape, shape_text
from figway.evidence.sequential import (
    Interval,
    above,
    at_most,
    gate_prior,
    goal_interval,
    guard_prior,
    needs_more,
)
from figway.evidence.window import OWN, BuildEvidence, Entries

GOALS = (0.99, 0.995, 0.999)
ALPHA = 0.05
LEAST_PAIRS = 100
"""Rated pairs below which nothing is said."""
MOST_UNCONFIRMED = 0.05
MOST_OPAQUE = 0.03
MOST_WAITING, FEW_WAITING = 0.01, 3
"""Pairs, as a share and at least, that may differ at one field without being told from noise."""
LEAST_DISTINCT = 100
MOST_OF_ONE = 0.5
SHAPE_SHARE = 0.005
SHAPE_PAIRS = 20
SEEN_OFTEN = 20
"""Pairs for each distinct request after which all that there are may be known."""

Standing = Literal["proven", "promising", "refuted", "not_enough_data"]
FieldStanding = Literal[
    "real",
    "unsteady",
    "varies_differently",
    "likely_real",
    "not_comparable",
    "unconfirmed",
    "stale",
    "form_alone",
    "noise",
    "ignored",
]
STANDINGS: tuple[FieldStanding, ...] = FieldStanding.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Now:
    """What counts are read by."""

    rules: RuleSet = field(default_factory=RuleSet)
    words: Mapping[str, bool] = field(default_factory=dict)
    """By field or path: True for noise, False for not."""
    goals: tuple[float, ...] = GOALS
    legacy_reads: str = "cacheable"
    """The route's `shadow.legacy_reads`, for the sentence on what would help."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a route is not proven, or what to know beside it."""

    code: str
    text: str
    path: str = ""
    keeps: bool = True
    """Whether it keeps the route from being proven."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Where the evidence stands towards one agreement."""

    rate: float
    standing: Standing
    needs: int | None
    """More pairs needed, all matching; 0 when the bound holds, None when refuted."""


@dataclass(frozen=True, slots=True)
class FieldJudgement:
    """One field as it stands now."""

    field: str
    path: str
    kind: str
    standing: FieldStanding
    pairs: int
    """Pairs that differ there."""
    outcomes: Mapping[str, int]
    """Of these, by what they come to there."""
    marks: Mapping[str, int]
    """Of these, by mark."""
    form: str
    """Legacy's form there, in words; empty where legacy never varied."""
    rule: str
    word: bool | None
    finding: str
    """For `varies_differently`: both figures."""
    first_ms: int
    last_ms: int
    state: FieldState


@dataclass(frozen=True, slots=True)
class Judgement:
    """The evidence of one window and build, judged."""

    match: int
    mismatch: int
    unsteady: int
    """Of the mismatches, those in which new wavers and nothing else differs."""
    new_failed: int
    legacy_failed: int
    both_failed: int
    stale: int
    not_comparable: int
    unconfirmed: int
    form_alone: int
    """Of the matches, those that rest on a form that was never seen on legacy alone."""
    interval: Interval
    """Of the agreement, 95 % at each end, however often it is looked at: a goal is proven by the
    pairs where the lower end reaches it, and refuted where the upper end is below it."""
    goals: tuple[Goal, ...]
    reasons: tuple[Reason, ...]
    fields: tuple[FieldJudgement, ...]
    distinct: int
    top_share: float
    """Share of the most frequent request."""
    shapes: int
    """Shapes that occur often enough to ask for."""
    shapes_missing: tuple[str, ...]

    @property
    def rated(self) -> int:
        """Pairs in the agreement."""
        return self.match + self.mismatch + self.new_failed

    @property
    def agreement(self) -> float | None:
        """The share of pairs that match; None when none is rated."""
        return self.match / self.rated if self.rated else None

    def standing(self, rate: float) -> Standing:
        """Where one goal stands. Raises KeyError for a goal that was not judged."""
        for goal in self.goals:
            if goal.rate == rate:
                return goal.standing
        raise KeyError(rate)


@dataclass(slots=True)
class _Sums:
    endings: Counter[str] = field(default_factory=Counter)
    unsteady: int = 0
    form_alone: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    marks: dict[str, Counter[str]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    """By field, the pairs of which it is not known whether they differ by noise, though they are
    no early ones of a form that is learned."""
    waiting_last: dict[str, int] = field(default_factory=dict)


def judge(evidence: BuildEvidence, now: Now | None = None) -> Judgement:
    """Judge one window by the rules and words of now."""
    now = now or Now()
    names = sorted({name for entries in evidence.signatures for name, _ in entries})
    known = states(names, evidence, now.rules, now.words)
    sums = _summed(evidence, known)
    fields = tuple(_fields(known, sums, evidence.pairs))
    endings = sums.endings
    new_failed = sum(evidence.failed.get("new", {}).values())
    match, mismatch = endings["match"], endings["mismatch"]
    match += sum(evidence.equal_faults.values())
    bad, rated = mismatch + new_failed, match + mismatch + new_failed
    often = _often(evidence)
    shapes = tuple(_missing(evidence, often))
    reasons = tuple(_reasons(evidence, now, sums, fields, rated, shapes))
    held = any(reason.keeps for reason in reasons)
    differing = goal_interval(bad, rated)
    agreement = Interval(1 - differing.high, 1 - differing.low)
    return Judgement(
        match,
        mismatch,
        sums.unsteady,
        new_failed,
        sum(evidence.failed.get("legacy", {}).values()),
        sum(evidence.failed.get("both", {}).values()),
        endings["stale"],
        endings["not_comparable"],
        endings["unconfirmed"],
        sums.form_alone,
        agreement,
        tuple(_goal(rate, bad, rated, held) for rate in now.goals),
        reasons,
        fields,
        evidence.distinct.number,
        top_share(evidence),
        len(often),
        shapes,
    )


def outcome_of(entries: Entries, known: Mapping[str, FieldState]) -> tuple[str, set[Outcome]]:
    """What pairs of one signature come to now, and the outcomes of their fields."""
    found = {known[name].outcome(Mark(mark)) for name, mark in entries}
    if "counts" in found:
        return "mismatch", found
    if "opaque" in found:
        return "not_comparable", found
    if "stale" in found:
        return "stale", found
    return ("unconfirmed" if "unconfirmed" in found else "match"), found


def _summed(evidence: BuildEvidence, known: Mapping[str, FieldState]) -> _Sums:
    sums = _Sums()
    for entries, found in evidence.signatures.items():
        ended, outcomes = outcome_of(entries, known)
        sums.endings[ended] += found.count
        if ended == "match" and "form_alone" in outcomes:
            sums.form_alone += found.count
        if ended == "mismatch" and _only_unsteady(entries, known):
            sums.unsteady += found.count
        for name, mark in entries:
            sums.pairs[name] += found.count
            by_outcome = sums.outcomes.setdefault(name, Counter())
            outcome = known[name].outcome(Mark(mark))
            by_outcome[outcome] += found.count
            if outcome == "unconfirmed" and Mark(mark) in _WAITS and ended == "unconfirmed":
                sums.waiting[name] += found.count
                sums.waiting_last[name] = max(sums.waiting_last.get(name, 0), found.last_ms)
            sums.marks.setdefault(name, Counter())[mark] += found.count
            sums.first[name] = min(sums.first.get(name, found.first_ms), found.first_ms)
            sums.last[name] = max(sums.last.get(name, 0), found.last_ms)
    return sums


def _only_unsteady(entries: Entries, known: Mapping[str, FieldState]) -> bool:
    counting = [mark for name, mark in entries if known[name].outcome(Mark(mark)) == "counts"]
    return set(counting) == {Mark.UNSTEADY.value}


# -- fields ------------------------------------------------------------------------------------


def _fields(known: Mapping[str, FieldState], sums: _Sums, pairs: int) -> Iterable[FieldJudgement]:
    found = [_field(state, sums, pairs) for state in known.values()]
    return sorted(found, key=lambda item: (STANDINGS.index(item.standing), -item.pairs, item.field))


def _field(state: FieldState, sums: _Sums, pairs: int) -> FieldJudgement:
    name = state.field
    outcomes, marks = sums.outcomes[name], sums.marks[name]
    return FieldJudgement(
        name,
        state.path,
        state.kind,
        _standing(state, outcomes, marks, pairs),
        sums.pairs[name],
        dict(outcomes),
        dict(marks),
        "" if state.form is None else in_words(state.form),
        state.rule,
        state.word,
        _finding(state),
        sums.first[name],
        sums.last[name],
        state,
    )


def _standing(
    state: FieldState, outcomes: Counter[str], marks: Counter[str], pairs: int
) -> FieldStanding:
    if state.word is True or state.rule:
        return "ignored" if state.rule else "noise"
    if outcomes["counts"]:
        wavering = marks[Mark.UNSTEADY.value]
        others = sum(marks[mark.value] for mark in _STEADY)
        return "unsteady" if wavering and not others and state.word is None else "real"
    if state.odd is not None or state.unlike:
        return "varies_differently"
    differing = sum(outcomes.values())
    if outcomes["unconfirmed"] and state.likely_real(pairs, differing):
        return "likely_real"
    if marks[Mark.UNSTEADY.value] and outcomes["unconfirmed"]:
        return "unsteady"
    for outcome, standing in _BY_OUTCOME:
        if outcomes[outcome]:
            return standing
    return "ignored" if set(marks) == {Mark.COVERED.value} else "noise"


_WAITS = (Mark.SLOW, Mark.NOT_LOOKED)
_STEADY = (
    Mark.SETTLED,
    Mark.BEYOND,
    Mark.FAR,
    Mark.AT_ONCE,
    Mark.LOOKED_ONCE,
    Mark.SLOW,
    Mark.NOT_LOOKED,
)
_BY_OUTCOME: tuple[tuple[Outcome, FieldStanding], ...] = (
    ("opaque", "not_comparable"),
    ("unconfirmed", "unconfirmed"),
    ("stale", "stale"),
    ("form_alone", "form_alone"),
)


def _finding(state: FieldState) -> str:
    if state.odd is None or state.sketch is None:
        return state.unlike
    odd, sketch = state.odd, state.sketch
    return (
        f"legacy {sketch.text(0)}, new {sketch.text(1)}; "
        f"one value {odd.legacy} times on legacy, {odd.new} times on new"
    )


# -- goals -------------------------------------------------------------------------------------


def _goal(rate: float, bad: int, rated: int, held: bool) -> Goal:
    most = 1 - rate
    needs = needs_more(bad, rated, most, ALPHA)
    if above(bad, rated, most, ALPHA, *guard_prior(most)):
        return Goal(rate, "refuted", None)
    if rated < LEAST_PAIRS:
        return Goal(rate, "not_enough_data", needs)
    proven = at_most(bad, rated, most, ALPHA, *gate_prior(most))
    return Goal(rate, "proven" if proven and not held else "promising", needs)


def _reasons(
    evidence: BuildEvidence,
    now: Now,
    sums: _Sums,
    fields: Iterable[FieldJudgement],
    rated: int,
    shapes: tuple[str, ...],
) -> Iterable[Reason]:
    if not rated and not evidence.pairs:
        return
    yield from _request_reasons(evidence, rated)
    if shapes:
        yield Reason(
            "shape_missing", f"compared less than {SHAPE_PAIRS} times: {'; '.join(shapes)}"
        )
    yield from _share_reasons(evidence, now, sums, rated)
    yield from _waiting_reasons(evidence, now, sums)
    for place, sketch in evidence.sketches.items():
        if place.endswith(OWN) and stands_still(sketch):
            path = place.removesuffix(OWN)
            text = f"{path} varies differently: legacy {sketch.text(0)}, new {sketch.text(1)}"
            yield Reason("varies_differently", text, path)
    for item in fields:
        if item.standing == "likely_real":
            text = f"{item.path} differs nearly always; legacy was not looked at again there"
            yield Reason("likely_real", text, item.path)
        elif item.standing == "varies_differently":
            text = f"{item.path} varies differently: {item.finding}"
            yield Reason("varies_differently", text, item.path)


def _request_reasons(evidence: BuildEvidence, rated: int) -> Iterable[Reason]:
    distinct = evidence.distinct.number
    if distinct == 1:
        yield Reason("one_request", f"one request, compared {rated} times")
    elif distinct < LEAST_DISTINCT and not _all_known(evidence):
        need = f"{LEAST_DISTINCT} are needed, or all that there are"
        yield Reason("few_requests", f"{distinct} different requests; {need}")
    elif distinct >= LEAST_DISTINCT and (share := top_share(evidence)) > MOST_OF_ONE:
        yield Reason("one_request", f"one request is {share:.0%} of those compared")


def _all_known(evidence: BuildEvidence) -> bool:
    """No request was new for most of the window, and each came often."""
    grew = evidence.grown_ms - evidence.first_ms
    quiet = evidence.last_ms - evidence.grown_ms
    often = _compared(evidence) >= SEEN_OFTEN * evidence.distinct.number
    return evidence.distinct.number > 1 and often and quiet > 0 and quiet >= 3 * grew


def _compared(evidence: BuildEvidence) -> int:
    return evidence.pairs + sum(evidence.failed.get("new", {}).values())


def top_share(evidence: BuildEvidence) -> float:
    """The share of the most frequent request among those compared."""
    compared = _compared(evidence)
    return min(1.0, evidence.frequent.most / compared) if compared else 0.0


def _share_reasons(evidence: BuildEvidence, now: Now, sums: _Sums, rated: int) -> Iterable[Reason]:
    unconfirmed, opaque = sums.endings["unconfirmed"], sums.endings["not_comparable"]
    looked = rated + unconfirmed + opaque
    if unconfirmed > MOST_UNCONFIRMED * looked:
        text = f"{unconfirmed / looked:.1%} of the pairs differ and could not be looked at again"
        yield Reason("unconfirmed", f"{text}: {_what_helps(evidence, now)}")
    if opaque > MOST_OPAQUE * looked:
        text = f"{opaque / looked:.0%} of the answers cannot be judged"
        yield Reason("not_comparable", f"{text}; write a rule for what varies without a form")
    if 2 * sums.form_alone > rated:
        text = f"{sums.form_alone} of {rated} pairs match by the form of a value alone"
        yield Reason("form_alone", text, keeps=False)


def _waiting_reasons(evidence: BuildEvidence, now: Now, sums: _Sums) -> Iterable[Reason]:
    """Fields that go on differing, and that nobody could tell from noise: too few pairs for the
    share of all, and more than a goal bears."""
    least = max(FEW_WAITING, MOST_WAITING * evidence.pairs)
    middle = (evidence.first_ms + evidence.last_ms) / 2
    for name, number in sums.waiting.items():
        if number > least and sums.waiting_last[name] > middle:
            path = name.rpartition("|")[0]
            text = f"{path} differs in {number} pairs, and nothing tells yet whether that is noise"
            yield Reason("unconfirmed", f"{text}: {_what_helps(evidence, now)}", path)


def _what_helps(evidence: BuildEvidence, now: Now) -> str:
    why = max(evidence.unconfirmed, key=lambda name: evidence.unconfirmed[name], default="")
    if why == "budget":
        return "legacy's budget of extra reads was spent (FIGWAY_SHADOW_LEGACY_PERCENT)"
    if why == "not_allowed":
        return "let legacy be asked again on this route (shadow.legacy_reads), or write a rule"
    if why in ("young", "late"):
        return "more pairs will tell"
    return "compare more pairs, or write a rule"


def _missing(evidence: BuildEvidence, often: Sequence[tuple[Shape, int]]) -> Iterable[str]:
    for shape, number in often:
        if evidence.shapes.counts.get(shape, 0) < SHAPE_PAIRS:
            done = evidence.shapes.counts.get(shape, 0)
            yield f"{shape_text(shape)} ({done} of {number})"


def _often(evidence: BuildEvidence) -> list[tuple[Shape, int]]:
    total = evidence.seen_shapes.total
    found = [
        (shape, number)
        for shape, number in evidence.seen_shapes.counts.items()
        if number >= SHAPE_SHARE * total
    ]
    return sorted(found, key=lambda item: -item[1])
