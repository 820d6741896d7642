"""What the endpoints of evidence and fields give. Shares lie between 0 and 1."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from control_plane.comparisons.batches import AnswerIn, DifferenceIn, ExampleIn, PausedIn
from control_plane.http.described import Described
from control_plane.http.paging import Page
from control_plane.http.problems import FindingOut
from figway.model.comparison import ComparisonRule, NoiseWord

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


class GoalOut(Described, BaseModel):
    """Where the evidence stands towards one agreement."""

    rate: float
    standing: Standing
    needs: int | None
    """More pairs needed, all matching; 0 when the bound is reached, null when refuted."""


class ReasonOut(Described, BaseModel):
    """Why a route is not proven, or what to know beside it."""

    code: str
    text: str
    path: str
    keeps: bool
    """It keeps the route from being proven."""


class AgreementOut(Described, BaseModel):
    """How far new agrees with legacy, by the rules, words and forms of now."""

    matches: int
    mismatches: int
    unsteady: int
    """Of the mismatches, those in which new gives now one answer, now another."""
    new_failed: int
    """New failed where legacy answered: that is a difference."""
    rated: int
    """The sum of matches, mismatches and failures of new."""
    rate: float | None
    """Share of matches among the rated pairs."""
    low: float
    """Lower end of a 95 % interval of the rate that holds however often it is looked at."""
    high: float
    unconfirmed: int
    """Pairs that differ and could not be looked at a second time: not rated."""
    not_comparable: int
    """Pairs that differ where legacy varies in no form that has bounds: not rated."""
    form_alone: int
    """Of the matches, those that rest on a form never seen on legacy alone."""
    goals: list[GoalOut]
    reasons: list[ReasonOut]
    distinct: int
    """Different requests compared."""
    top_share: float
    """Share of the most frequent request."""
    shapes_missing: list[str]
    """Kinds of requests that were captured and hardly compared."""


class BuildOut(Described, BaseModel):
    """The evidence on one build of new."""

    build: str
    """Empty where new names none."""
    first_ms: int
    last_ms: int
    agreement: AgreementOut


class QuantileOut(Described, BaseModel):
    """One quantile of both sides, in milliseconds."""

    quantile: float
    legacy_ms: float
    new_ms: float
    ratio: float | None
    """How many times as long new takes."""
    enough: bool
    """Both samples are large enough for this quantile."""


class LatencyOut(Described, BaseModel):
    """Latency of the compared answers of both sides."""

    legacy_answers: int
    new_answers: int
    enough: bool
    quantiles: list[QuantileOut]


class FailureOut(Described, BaseModel):
    """How often a side failed among the pairs that were sent."""

    failed: int
    rate: float | None
    low: float
    high: float
    errors: dict[str, int]
    """By status class or kind of failure."""
    faults: dict[str, int] = {}
    """Faults (SOAP, GraphQL, JSON-RPC) by code: answers, and no failures."""


class LooksOut(Described, BaseModel):
    """Second looks of the newest build: what comparing asked besides."""

    own: int
    """Looks that compared legacy with itself."""
    natural: int
    """Of these, repeats by users, which cost nothing."""
    legacy_reads: int
    """Requests that comparing added at legacy."""
    new_reads: int
    """Requests that comparing added at new, besides the copies."""
    unconfirmed: dict[str, int]
    """Pairs without a second look, by why there was none."""
    noisy: int
    """Fields that are noise: legacy varies there, and new in the same form."""


class PausedOut(PausedIn):
    """Shadowing that a proxy has paused by itself."""

    instance: str
    seen_ms: int


class WindowOut(Described, BaseModel):
    """What was compared while nothing changed that comparisons depend on."""

    window: str
    revision: int
    """The newest revision that it was seen with."""
    first_ms: int
    last_ms: int
    captured: int
    """Requests that the sample chose."""
    verdicts: dict[str, int]
    """Pairs of all builds by verdict, by the rules, words and forms of now."""
    skipped: dict[str, int]
    """Why pairs were skipped."""
    dropped: dict[str, int]
    """Why captures were dropped before a verdict."""
    pending: int
    """Captured, and not yet accounted for."""
    build: str
    """The newest build of new, which `agreement` is about; empty where new names none."""
    builds: list[BuildOut]
    """Every build, the newest first."""
    builds_at_once: list[str]
    """Builds that answer side by side, as in a rolling deployment; else none."""
    agreement: AgreementOut
    looks: LooksOut
    told: bool
    """Counted by an older proxy: rules and words of now do not reach back."""
    latency: LatencyOut
    legacy: FailureOut
    new: FailureOut


class RouteEvidence(Described, BaseModel):
    """A route in the overview."""

    route: str
    stage: str
    weight: int
    sample: int
    """Share of requests that is copied, in basis points."""
    capability: str
    path: str
    rules: int
    """How many comparison rules it has."""
    legacy_reads: str
    """Whether legacy may be asked again: `cacheable`, `allowed` or `never`."""
    evidence: WindowOut | None
    """The current window; null before the first pair."""
    paused: list[PausedOut]
    """Proxies that have paused its shadow."""


class EvidencePoint(Described, BaseModel):
    """One step of time within one window."""

    at_ms: int
    window: str
    pairs: dict[str, int]
    """By verdict as it was told when the pair ended, besides `captured` and `dropped`."""


class RouteDetail(RouteEvidence):
    """All evidence on a route."""

    windows: list[WindowOut]
    """Newest first; the last fifty."""
    from_ms: int
    to_ms: int
    step_s: int
    points: list[EvidencePoint]
    """Verdicts over time, whatever the window. Steps without a pair are absent."""
    examples: int
    """Stored pairs."""
    example_bytes: int
    rules_written: list[ComparisonRule]
    """The comparison rules of the route."""
    warnings: list[FindingOut]
    """What caches would make of its answers, by the newest stored pairs."""


class FieldLooksOut(Described, BaseModel):
    """What second looks saw at the place of a field."""

    settled: int
    """Both sides said the same again, and differ."""
    unsteady: int
    """Legacy said the same again, and new did not."""
    varied: int
    """Legacy varied there."""
    beyond: int
    """Legacy varied, and new's value is not of the form in which it does."""
    stale: int
    """Legacy's data had moved on."""
    new_same: int
    """Legacy could not be asked; new said the same again."""
    new_varied: int
    own: int
    """Looks that compared legacy with itself, and saw the place vary."""
    own_looks: int
    """All looks that compared legacy with itself."""


class FieldOut(Described, BaseModel):
    """One kind of difference at one path."""

    field: str
    """Its key, as overrules and filters name it."""
    kind: str
    """`changed`, `type`, `missing` (in new), `added` (by new), `order`, `notation`, `format`."""
    detector: str
    standing: FieldStanding
    why: str
    """What the standing means, in one sentence."""
    pairs: int
    """Pairs that differ there."""
    compared: int
    """Pairs of two answers."""
    counted: int
    """Of the differing pairs, those in which it counts."""
    form: str
    """The form in which legacy varies there, in words; empty where it never varied."""
    finding: str
    """For `varies_differently`: what either side shows."""
    looks: FieldLooksOut
    rule: str
    """The rule that covers it."""
    overruled: NoiseWord | None
    """A person's word on it."""
    proposed: dict[str, Any] | None
    """The rule that would cover it; none where legacy repeats its value exactly."""
    excuses: str
    """What that rule would excuse."""
    common: str
    """What the differing requests have in common; empty where nothing splits them."""
    first_ms: int
    last_ms: int


class PathOut(Described, BaseModel):
    """A place in the answers, with what differs there."""

    path: str
    standing: FieldStanding
    """That of its fields which deserves most attention."""
    pairs: int
    """Pairs of the field that differs in most."""
    first_ms: int
    last_ms: int
    fields: list[FieldOut]


class FieldsOut(Page[PathOut]):
    """The differing fields of one window and build, grouped by path."""

    window: str
    build: str
    compared: int
    """Pairs of two answers."""
    own_looks: int
    """Looks that compared legacy with itself."""
    paths: dict[FieldStanding, int]
    """How many paths stand how, before filters."""


class ExampleSummary(Described, BaseModel):
    """A stored pair in a list."""

    id: str
    at_ms: int
    route: str
    window: str
    revision: int
    instance: str
    verdict: str
    """By the rules, words and forms of now."""
    told: str
    """As it was told when the pair ended."""
    signature: str
    served: str
    size: int
    method: str
    target: str
    legacy_status: int
    new_status: int
    legacy_ms: float
    new_ms: float
    reason: str
    differences: int
    paths: list[str]
    """Where it differs; the first ten."""


class ReplayedOut(Described, BaseModel):
    """What a replay said of an example."""

    replay: str
    at_ms: int
    was: str
    verdict: str
    """A verdict, or `not_replayable`."""
    reason: str
    differences: list[DifferenceIn]
    new: AnswerIn | None


class FoundOut(Described, BaseModel):
    """What was found of one differing field of a pair, and what it comes to now."""

    field: str
    path: str
    kind: str
    found: str
    """What the second look found, in words."""
    counts: bool
    outcome: str
    """What it comes to now, in words."""
    form: str
    """Legacy's form there, in words."""


class ExampleOut(Described, BaseModel):
    """A stored pair, whole and redacted."""

    route: str
    window: str
    instance: str
    received_ms: int
    verdict: str
    """By the rules, words and forms of now."""
    example: ExampleIn
    found: list[FoundOut]
    """Its differing fields, those that count first."""
    replays: list[ReplayedOut]
    """Newest first; the last five."""


class LearnedWindow(Described, BaseModel):
    """What was learned of one build in one current window."""

    route: str
    window: str
    build: str
    forms: dict[str, Any]
    """By place: the form in which legacy varies."""
    looks: dict[str, Any]
    """By place: outcomes of second looks."""
    own: dict[str, Any]
    """Legacy compared with itself."""


class LearnedOut(BaseModel):
    """What shadow workers have learned of the current windows."""

    windows: list[LearnedWindow]
