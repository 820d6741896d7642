"""Differing fields as they stand now, grouped by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from control_plane.comparisons.judged import Judged
from control_plane.comparisons.records import FieldRecord
from control_plane.comparisons.schemas import FieldLooksOut, FieldOut, FieldStanding, PathOut
from control_plane.comparisons.wording import excuses, legacy_repeats, standing_text
from figway.evidence.judgement import STANDINGS, FieldJudgement
from figway.model.comparison import NoiseWord

HIDDEN: frozenset[FieldStanding] = frozenset({"noise", "ignored", "stale", "form_alone"})
"""Standings that need nobody's attention."""


@dataclass(slots=True)
class PathFields:
    """A path with its fields, judged but not yet written out: lists show few of many."""

    path: str
    fields: list[FieldJudgement] = field(default_factory=list)

    @property
    def standing(self) -> FieldStanding:
        """The one that deserves most attention."""
        return STANDINGS[self.rank]

    @property
    def rank(self) -> int:
        """The place of its standing, that first which deserves most attention."""
        return min(STANDINGS.index(one.standing) for one in self.fields)

    @property
    def pairs(self) -> int:
        """Pairs that differ in the field that differs most."""
        return max(one.pairs for one in self.fields)

    @property
    def last_ms(self) -> int:
        """When it last differed."""
        return max(one.last_ms for one in self.fields)

    @property
    def kinds(self) -> set[str]:
        """The kinds of its differences."""
        return {one.kind for one in self.fields}


def by_path(judged: Judged) -> list[PathFields]:
    """The fields of a judgement by path."""
    found: dict[str, PathFields] = {}
    for one in judged.judgement.fields:
        found.setdefault(one.path, PathFields(one.path)).fields.append(one)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class FieldNotes:
    """What is known of fields besides their judgement."""

    records: Mapping[str, FieldRecord]
    """By field: its detector and the rule that the comparer proposes."""
    stored: Mapping[str, int]
    """By field: stored pairs that differ there."""
    common: Mapping[str, str]
    """By field: what the differing requests have in common."""


def path_out(path: PathFields, judged: Judged, notes: FieldNotes) -> PathOut:
    """A path as the API shows it, the field first that deserves most attention."""
    found = [_field_out(one, judged, notes) for one in _ordered(path.fields)]
    return PathOut(
        path=path.path,
        standing=path.standing,
        pairs=path.pairs,
        first_ms=min(one.first_ms for one in found),
        last_ms=path.last_ms,
        fields=found,
    )


def _ordered(fields: Sequence[FieldJudgement]) -> list[FieldJudgement]:
    return sorted(fields, key=lambda one: (STANDINGS.index(one.standing), -one.pairs, one.field))


def _field_out(one: FieldJudgement, judged: Judged, notes: FieldNotes) -> FieldOut:
    record = notes.records.get(one.field)
    proposed = None if record is None or legacy_repeats(judged, one) else record.proposal
    return FieldOut(
        field=one.field,
        kind=one.kind,
        detector="" if record is None else record.detector,
        standing=one.standing,
        why=standing_text(one, one.standing),
        pairs=one.pairs,
        compared=judged.compared,
        counted=one.outcomes.get("counts", 0),
        form=one.form,
        finding=one.finding,
        looks=_looks_out(one, judged),
        rule=one.rule,
        overruled=_word(one.word),
        proposed=proposed,
        excuses=excuses(judged, one, notes.stored.get(one.field, 0)),
        common=notes.common.get(one.field, ""),
        first_ms=one.first_ms,
        last_ms=one.last_ms,
    )


def _looks_out(one: FieldJudgement, judged: Judged) -> FieldLooksOut:
    looks = one.state.looks
    return FieldLooksOut(
        settled=looks.settled,
        unsteady=looks.unsteady,
        varied=looks.varied,
        beyond=looks.beyond,
        stale=looks.stale,
        new_same=looks.new_same,
        new_varied=looks.new_varied,
        own=judged.own_places.get(one.state.place, 0),
        own_looks=judged.own_looks,
    )


def _word(word: bool | None) -> NoiseWord | None:
    return None if word is None else NoiseWord.NOISE if word else NoiseWord.SIGNAL
