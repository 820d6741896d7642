"""What a mark on one field comes to now: by the rules, words and forms of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from figway.compare.paths import PathError, parse_path
from figway.compare.rules import ComparisonRule, RuleSet
from figway.evidence.noise.form_fit import (
    CLOCK_MS,
    JITTER_TIMES,
    has_tails,
    is_below,
    within_jitter,
)
from figway.evidence.noise.forms import GROWN, Form
from figway.evidence.noise.list_changes import ListChanges
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import DEEP, LATE_ENOUGH, SETTLED_ENOUGH, PlaceLooks
from figway.evidence.noise.seen import BEYOND, place_of_field
from figway.evidence.noise.sketches import (
    Odd,
    PlaceSketch,
    comes_again,
    is_behind,
    repeats_alone,
    varies_differently,
)
from figway.evidence.noise.values import NUMBERS, VOLATILE
from figway.evidence.shared_numbers import FarPairs, far_pairs
from figway.evidence.unlike import surely_more, told_by_looks
from figway.evidence.window import BuildEvidence

Outcome = Literal["excused", "form_alone", "counts", "stale", "opaque", "unconfirmed"]

SLOW_SHARE = 0.5
"""Of the pairs that differ at a number, above which it may be noise that each side keeps."""
LATE_OFTEN = 12
"""Late looks that stand for one that is as late as they are made."""
LATE_AT_MOST = 3
"""Times as often as it varied that legacy may have repeated itself later, where it keeps a value
for a while."""
OFTEN_EQUAL = 0.95
"""Share of the pairs that differ, above which each side counts for itself."""
BEYOND_ENOUGH = 3
"""Looks at what legacy never gave, of values that are drawn: chance leads beyond them."""
ALONE_PAIRS = 20
ALONE_LOOKS = 3
STEADY_LOOKS = 20
"""Looks at legacy alone, at any requests, after which a place that never varied there is steady."""
STEADY_SETTLED = 2
"""Looks that a place on which legacy is steady needs to be settled."""
STEADY_UNSTEADY = 5
"""Times that new was the odd one, and legacy never, that are enough where legacy is steady."""
SURELY_STEADY = 100
"""Looks at legacy alone after which what was not looked at counts as well."""
FEW_NUMBERS = 8
"""Numbers that are chosen from; of more, such as milliseconds, a faster new says other ones."""
_CHOSEN = frozenset({"choice", "presence"})
_ANEW_LATER = frozenset({"token", "instant", "counter", "text"})
_ANEW = frozenset({"token", "counter", "number", "text", "mixed"})
_ANY_INDEX = -1


def rules_at(rules: RuleSet, path: str) -> tuple[ComparisonRule, ...]:
    """The rules whose target is a place of this path template, or one above it."""
    if not path.startswith("$"):
        return rules.outside(path)
    try:
        steps = parse_path(path)
    except PathError:
        return ()
    node, found = rules.body, list(rules.body.hits)
    for step in steps:
        node = node.step(_ANY_INDEX if step.selector is None else step.selector)
        found += node.hits
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FieldState:
    """All that is known of one field now."""

    field: str
    path: str
    kind: str
    place: str
    word: bool | None
    """A person's word: True for noise, False for not."""
    rule: str
    """The `ignore` rule of now that covers it; empty for none."""
    any_rule: bool
    looks: PlaceLooks
    form: Form | None
    sketch: PlaceSketch | None
    odd: Odd | None
    """What the noise of both sides differs in."""
    steady: int = 0
    """Looks at legacy alone, if it never varied here; else 0."""
    pairs: int = 0
    """All pairs of the window."""
    covered: bool = True
    """Whether the form stands for all positions of the place."""
    far: FarPairs | None = None
    """Of a counter: pairs in which new's is farther off than legacy's steps."""
    lists: ListChanges | None = None
    """Of elements that one list lacks: how legacy's lists move; None where they do not."""

    @classmethod
    def of(
        cls,
        field: str,
        evidence: BuildEvidence,
        rules: RuleSet,
        words: Mapping[str, bool],
        far: Mapping[str, FarPairs],
    ) -> FieldState:
        """The state of a field in a window."""
        path, _, kind = field.rpartition("|")
        place = place_of_field(field)
        here = rules_at(rules, path)
        known, sketch = evidence.forms.get(place), evidence.sketches.get(place)
        form = None if known is None else known.form
        return cls(
            field,
            path,
            kind.partition("~")[0],
            place,
            words.get(field, words.get(path)),
            next((rule.id for rule in here if rule.kind == "ignore"), ""),
            bool(here),
            evidence.looks.get(place) or PlaceLooks(),
            form,
            sketch,
            _odd(place, form, sketch),
            0 if form is not None or place in evidence.own.places else evidence.own.looks,
            evidence.pairs,
            known is None or "[*]" not in path or known.covers,
            far.get(place),
            known.lists if known is not None and known.lists.looks else None,
        )

    @property
    def overruled(self) -> bool:
        """Whether a rule or a word of now decides, whatever was found."""
        return self.word is not None or bool(self.rule)

    def outcome(self, mark: Mark) -> Outcome:
        """What a pair with this mark here comes to."""
        if self.word is not None:
            return "excused" if self.word else "counts"
        if self.rule:
            return "excused"
        if self.path == BEYOND and mark is Mark.SETTLED:  # it found no room, and is named
            return "counts"
        plain = _PLAIN.get(mark)
        if plain is not None:
            return plain
        if mark is Mark.FAR:
            shared = self.far is not None and self.far.shared(self.looks)
            return "counts" if shared else "excused"
        if mark is Mark.COVERED:
            return "excused" if self.any_rule else "unconfirmed"
        if self.lists is not None:
            return self._of_element(mark, self.lists)
        if self.explained:
            return "excused"
        return self._counted(mark) if mark is not Mark.YOUNG else "unconfirmed"

    @property
    def unlike(self) -> str:
        """How new's values go on otherwise than legacy's, with both figures; empty where alike."""
        looks, sketch = self.looks, self.sketch
        if found := told_by_looks(looks, sketch, self.pairs):
            return found
        if sketch is None or self.form is None:
            return ""
        if self._each_time and comes_again(sketch):
            legacy, new = sketch.again
            return f"values came again {legacy} times on legacy, {new} times on new"
        of_lists = self.lists is not None  # what one lacks is named before what it has besides
        often = sketch.pairs <= OFTEN_EQUAL * self.pairs and not of_lists
        if often and is_behind(sketch):
            return (
                f"new said {sketch.behind} times what legacy had said, legacy {sketch.ahead} times"
            )
        return ""

    @property
    def _each_time(self) -> bool:
        form = self.form
        if form is None:
            return False
        if form.kind == "text":
            return all(slot.always for slot in form.slots.values())
        return form.always

    def _of_element(self, mark: Mark, lists: ListChanges) -> Outcome:
        """What one list lacks, of lists that move: by whether legacy lost that very element too."""
        if mark is Mark.AT_ONCE:
            return "counts"
        if mark is Mark.BEYOND:
            return "counts" if self.looks.beyond >= BEYOND_ENOUGH else "unconfirmed"
        if mark in (Mark.SETTLED, Mark.SLOW) and self._lost(mark):
            return "counts"
        if mark is Mark.UNSTEADY and self._loses_more(lists):
            return "counts"
        kept = mark in (Mark.NOT_LOOKED, Mark.YOUNG) and not self._lost(Mark.SETTLED)
        drawn = lists.returned and mark in (Mark.SETTLED, Mark.SLOW, Mark.UNSTEADY)
        return "excused" if lists.grown and (kept or drawn) else "unconfirmed"

    def _lost(self, mark: Mark) -> bool:
        """Whether both sides said the same again surely more often than they turned round."""
        looks = self.looks
        sure = looks.settled >= DEEP and surely_more(looks.settled, looks.turned)
        return sure and (mark is not Mark.SLOW or self._stays_lost)

    @property
    def _stays_lost(self) -> bool:
        looks = self.looks
        return looks.late_same >= LATE_ENOUGH and looks.late_same > looks.late_varied

    def _loses_more(self, lists: ListChanges) -> bool:
        """Whether new was the odd one surely more often than legacy.

        Of lists that are drawn anew each time, each is the odd one equally often. A list that just
        moves on is never the odd one: it says so by varying much more often.
        """
        looks = self.looks
        new, legacy = looks.unsteady, looks.turned
        moves = not lists.returned and surely_more(looks.varied, new)
        return surely_more(new, legacy if moves else legacy + looks.varied)

    def _counted(self, mark: Mark) -> Outcome:
        if mark is Mark.BEYOND and self.form is not None and has_tails(self.form):
            return "counts" if self.looks.beyond >= BEYOND_ENOUGH else "unconfirmed"
        if mark in (Mark.BEYOND, Mark.AT_ONCE):
            return "counts"
        if mark is Mark.SETTLED:
            return "counts" if self.deep else "unconfirmed"
        if mark is Mark.SLOW:
            return "counts" if self.lasting and self.deep else "unconfirmed"
        if mark is Mark.UNSTEADY:
            deep = self.deep and (not self.looks.slow or self.lasting)
            return "counts" if deep or self.wavers_more else "unconfirmed"
        if self.settled:
            return "counts"
        if not self.by_form_alone:
            return "unconfirmed"
        known = self.form is not None and self.form.kind in ("token", "instant")
        return "excused" if known else "form_alone"

    @property
    def lasting(self) -> bool:
        """Whether what differs is kept for longer than noise is.

        A value that legacy gives to many requests may be one that it keeps for a while: there it
        takes looks as late as they are made. So does a number that differs now and then: each side
        may keep what it made for this request at one of two moments.
        """
        looks, sketch = self.looks, self.sketch
        same = looks.late_same >= LATE_ENOUGH and not looks.late_varied
        if sketch is None or sketch.legacy.natures.keys() & VOLATILE:
            return same and (looks.late_long > 0 or not self._shared)
        if sketch.pairs <= SLOW_SHARE * self.pairs:
            return not looks.late_varied and (looks.late_long > 0 or looks.late_same >= LATE_OFTEN)
        return same or not looks.of_the_time

    @property
    def _shared(self) -> bool:
        return self.sketch is not None and self.sketch.often(0)

    @property
    def deep(self) -> bool:
        """Whether one settled look is believed: there were enough of them, or legacy never varied
        here in many looks at it alone. Where it varies in values that come again, two sides that
        draw alike are settled by chance."""
        settled = self.looks.settled
        again = self.form is not None and self.covered and not self.form.always
        if again and settled <= self.looks.varied:
            return False
        known = self.steady >= STEADY_LOOKS and settled >= STEADY_SETTLED and not self._varied
        return settled >= DEEP or known

    @property
    def _varied(self) -> bool:
        looks = self.looks
        return bool(looks.varied or looks.stale or looks.late_varied or looks.beyond)

    @property
    def settled(self) -> bool:
        """Legacy repeats itself here in every look, and new too, and they differ."""
        if self._varied or self.form is not None:
            return False
        settled = self.looks.settled
        known = self.steady >= SURELY_STEADY and settled >= STEADY_SETTLED
        if self.looks.slow and not self.lasting:
            return False
        return settled >= SETTLED_ENOUGH or (known and not self.looks.unsteady)

    @property
    def wavers_more(self) -> bool:
        """New was the odd one surely more often than legacy."""
        new = self.looks.unsteady
        if new >= STEADY_UNSTEADY and self.steady >= SURELY_STEADY and not self._varied:
            return True
        legacy = self.looks.varied + self.looks.stale + self.looks.beyond
        return surely_more(new, legacy)

    @property
    def explained(self) -> bool:
        """Whether the form that came to be known covers all that new was seen to say here."""
        form, sketch = self.form, self.sketch
        if form is None or sketch is None:
            return False
        kind = form.kind
        if kind in ("presence", "order"):
            return not self.looks.beyond
        if not self.covered:
            return False
        if kind == "choice":
            return not sketch.others[1] and all(
                digest in form.values for digest, entry in sketch.values.items() if entry[1]
            )
        if kind == "number":
            near = within_jitter(form, sketch.farthest, sketch.relative) and form.looks >= GROWN
            return near and sketch.new.only(form.natures) and not is_below(form, sketch.lowest)
        if kind == "text" and all(slot.kind == "number" for slot in form.slots.values()):
            widest = max(form.slots.values(), key=lambda slot: slot.absolute)
            near = within_jitter(widest, sketch.farthest, sketch.relative)
            return near and not sketch.unlike and not is_below(widest, sketch.lowest)
        if kind in _ANEW_LATER and not form.clock.known:
            return self._slow_noise(form, sketch)
        return False

    def _slow_noise(self, form: Form, sketch: PlaceSketch) -> bool:
        """Legacy repeats its value for a while, and then gives another of this form."""
        looks = self.looks
        if LATE_AT_MOST * looks.late_varied <= looks.late_same:
            return False
        if not sketch.new.only(form.natures) or (form.kind != "instant" and sketch.follows):
            return False
        if form.kind in ("counter", "text"):
            alike = not sketch.unlike and not is_below(form, sketch.lowest)
            return alike and looks.of_the_time and not looks.beyond
        if form.kind == "instant":
            offset = abs(sketch.offset_ms) / max(1, sketch.moments)
            return offset <= JITTER_TIMES * form.spread_ms + CLOCK_MS
        tokens = form.tokens
        return tokens.low <= sketch.new.low and sketch.new.high <= tokens.high

    @property
    def by_form_alone(self) -> bool:
        """Both sides give another value of one volatile form each time, and vary alike."""
        sketch, looks = self.sketch, self.looks
        if sketch is None or sketch.pairs < ALONE_PAIRS or looks.new_varied < ALONE_LOOKS:
            return False
        natures = set(sketch.legacy.natures) | set(sketch.new.natures)
        if len(natures) != 1 or not natures <= VOLATILE or looks.new_same:
            return False
        few = 0.9 * min(sketch.pairs, len(sketch.values) // 2)
        if min(sketch.distinct(0), sketch.distinct(1)) < few or self._one_repeats(sketch):
            return False
        if natures == {"instant"}:
            return abs(sketch.offset_ms) / max(1, sketch.moments) <= CLOCK_MS
        legacy, new = sketch.legacy, sketch.new
        return legacy.low <= new.low and new.high <= legacy.high

    @staticmethod
    def _one_repeats(sketch: PlaceSketch) -> bool:
        return any(max(entry[:2]) > max(3, sketch.pairs // 10) for entry in sketch.values.values())

    def likely_real(self, pairs: int, differing: int) -> bool:
        """It differs nearly always, new repeats itself, and nothing here is volatile."""
        looks, sketch = self.looks, self.sketch
        if sketch is None or differing < ALONE_PAIRS or 10 * differing < 8 * pairs:
            return False
        if self.form is not None:
            return False  # legacy was seen to vary here
        if looks.new_same < 5 or 20 * looks.new_varied > looks.new_same:
            return False
        return not (set(sketch.legacy.natures) & VOLATILE and sketch.new.only(VOLATILE))


def _odd(place: str, form: Form | None, sketch: PlaceSketch | None) -> Odd | None:
    """What the noise of both sides differs in, where it may be asked.

    Not where data moves on: a value that was there for a while and is no more was given by the
    side that was asked first alone, when the first pairs were compared.
    """
    if form is None or sketch is None:
        return None
    if place.endswith("|presence") and "[*]" in place:
        return None  # elements come and go on both sides: none of them is the odd one
    measured = form.natures <= NUMBERS and len(form.values) > FEW_NUMBERS
    if measured and form.kind == "choice":
        return repeats_alone(sketch)
    if form.kind in _CHOSEN and (form.turned or sketch.turned):
        return varies_differently(sketch)
    return repeats_alone(sketch) if form.kind in _ANEW else None


_PLAIN: dict[Mark, Outcome] = {
    Mark.FORM: "excused",
    Mark.OPAQUE: "opaque",
    Mark.STALE: "stale",
    Mark.LOOKED_ONCE: "counts",
}


def states(
    fields: Iterable[str], evidence: BuildEvidence, rules: RuleSet, words: Mapping[str, bool]
) -> dict[str, FieldState]:
    """The states of fields, by field."""
    far = far_pairs(evidence)
    return {field: FieldState.of(field, evidence, rules, words, far) for field in fields}
