"""The sentences that the API, the console and the CLI share about differences."""

from __future__ import annotations

from collections.abc import Mapping

from control_plane.comparisons.judged import Judged
from control_plane.comparisons.schemas import FieldStanding
from figway.evidence.field_state import Outcome
from figway.evidence.judgement import FieldJudgement
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks

STANDINGS: Mapping[FieldStanding, str] = {
    "real": "the sides differ here, and legacy said the same again",
    "unsteady": "legacy said the same again; new gives now one answer, now another",
    "varies_differently": "legacy and new both vary here, and not alike",
    "likely_real": "it differs nearly always and new is steady; legacy was not asked again here",
    "not_comparable": "legacy varies here in no form that has bounds: write a rule",
    "unconfirmed": "it differs, and there was no second look at legacy",
    "stale": "legacy's data moved on between the two answers",
    "form_alone": (
        "both sides give another value of one volatile form each time; legacy was never asked twice"
    ),
    "noise": "legacy varies here by itself, and new in the same form",
    "ignored": "a rule covers it",
}
"""What each standing of a field means."""

MARKS: Mapping[Mark, str] = {
    Mark.SETTLED: "both sides said the same again, and differ",
    Mark.UNSTEADY: "legacy said the same again; new gave another answer the second time",
    Mark.BEYOND: "legacy varies here, and new's value is not of the form in which it does",
    Mark.AT_ONCE: "counted at once: this place was settled in many looks before",
    Mark.LOOKED_ONCE: "looked at once: a second look is not allowed for writes",
    Mark.FORM: "legacy varies here in this form",
    Mark.FAR: "legacy counts here; new's number is farther off than legacy's steps",
    Mark.COVERED: "a rule covered it then",
    Mark.STALE: "legacy's data moved on between the two answers",
    Mark.OPAQUE: "legacy varies here in no form that has bounds",
    Mark.NOT_LOOKED: "no second look at legacy was possible",
    Mark.YOUNG: "legacy varies here, and its form was not known well enough yet",
    Mark.SLOW: "settled, but of a form that changes from time to time",
}
"""What was found of one field of one pair."""

_LOOKED_TWICE = {
    mark.value for mark in (Mark.SETTLED, Mark.UNSTEADY, Mark.BEYOND, Mark.AT_ONCE, Mark.SLOW)
}

OUTCOMES: Mapping[Outcome, str] = {
    "excused": "excused",
    "form_alone": "excused by its form alone",
    "counts": "counts",
    "stale": "stale",
    "opaque": "cannot be compared",
    "unconfirmed": "unconfirmed",
}
"""What a finding comes to now."""


def standing_text(field: FieldJudgement, standing: FieldStanding) -> str:
    """Why a field stands as it does."""
    if field.word is not None:
        return f"a person says that it is {'noise' if field.word else 'a real difference'}"
    if field.rule and standing == "ignored":
        return f"rule {field.rule} covers it"
    if standing == "real" and not _LOOKED_TWICE & field.marks.keys():
        return "the sides differ here; legacy was not asked again, as this is a write"
    if standing == "not_comparable" or not field.finding:
        return STANDINGS[standing]
    return f"{STANDINGS[standing]}: {field.finding}"


def looks_at(looks: PlaceLooks) -> int:
    """Second looks at legacy at one place."""
    return looks.settled + looks.unsteady + looks.varied + looks.beyond + looks.stale


def legacy_varied(judged: Judged, field: FieldJudgement) -> tuple[int, int]:
    """In how many looks legacy varied at the place of a field, and of how many."""
    looks = field.state.looks
    varied = looks.varied + looks.beyond + judged.own_places.get(field.state.place, 0)
    return varied, looks_at(looks) + judged.own_looks


def legacy_repeats(judged: Judged, field: FieldJudgement) -> bool:
    """Whether legacy, looked at again, always said the same there: no rule should hide that."""
    varied, looks = legacy_varied(judged, field)
    return field.state.form is None and not varied and looks > 0


def excuses(judged: Judged, field: FieldJudgement, stored: int) -> str:
    """What a rule for the place of a field would excuse."""
    pairs = f"{stored} stored {'pair' if stored == 1 else 'pairs'}"
    varied, looks = legacy_varied(judged, field)
    if legacy_repeats(judged, field):
        return f"{pairs}; legacy repeated its value in each of {looks} looks: this is no noise"
    if not looks:
        return f"{pairs}; legacy was not asked again here"
    return f"{pairs}; legacy alone shows this form in {varied} of {looks} looks"
