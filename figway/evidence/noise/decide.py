"""Where a mismatch becomes noise: what is known of one window, and what it says of a difference.

A difference is noise where legacy differs from itself in the same form. `Knowledge` learns these
forms from second looks, and marks each difference of a pair by them (`first`, at once; `second`,
after a look). By its marks `field_state` and `judgement` then call a field noise, real or unsteady.

Pure: it is told of looks, and marks; what is asked again, and when, is the caller's business.

A form is known for one position or for a set that legacy's own variation covers: the elements of
an array share one only if legacy varied at many of them and was never seen to repeat itself at
another while it did. A form that gives another value each time (a token, a counter) is none where
legacy repeats its value: such a place wants a look of its own for every pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from figway.evidence.noise import repeats
from figway.evidence.noise.form_fit import fit_of, has_tails, in_words, surely_beyond
from figway.evidence.noise.forms import Digest, Form
from figway.evidence.noise.legacy_forms import ESTABLISHED, MOST_PLACES, LegacyForms, PlaceForm
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import DEEP, LATE_ENOUGH, LATE_MS, SETTLED_ENOUGH, PlaceLooks
from figway.evidence.noise.seen import Changes, Seen, equal, touched
from figway.evidence.noise.text_forms import differ_in_numbers, read_part, slots
from figway.evidence.noise.values import NUMBERS, VOLATILE, Reading

ONE_MOVE_S = 5.0
NEW_KNOWN = 20
"""Looks at new alone after which one in twenty is enough."""
_NOW_S = 86_400.0
_COMES_AND_GOES = frozenset({"missing", "added"})


@dataclass(frozen=True, slots=True)
class Look:
    """A second look at both sides. None: that side could not be asked."""

    legacy: Changes | None
    new: Changes | None
    now: Changes | None = None
    """Both second answers against each other; only where something moved."""
    before: bool = False
    """Legacy's other answer is an earlier one: it cannot tell that nothing moved since."""
    apart_ms: float = 0.0
    """Between legacy's two answers."""
    alone: bool = False
    """Users are served by legacy alone: what counts requests goes on no faster on new."""


class Knowledge:
    """Forms of legacy and outcomes of looks of one window."""

    def __init__(self, digest: Digest) -> None:
        self.forms = LegacyForms(digest)
        self.looks: dict[str, PlaceLooks] = {}
        """All that is known."""
        self.fresh: dict[str, PlaceLooks] = {}
        """What was learned since it was told last."""
        self._last: dict[str, tuple[Seen, float]] = {}
        """By place, what was looked at last, and legacy's number there."""
        self._counted: tuple[Look | None, set[tuple[str, str]]] = None, set()
        """What was counted of a look."""
        self._moved_s: dict[tuple[str, str], float] = {}
        """By place and count, when it was counted last."""
        self._digest = digest

    # -- what is known without a look ----------------------------------------------------------

    def first(
        self, seen: Seen, apart_ms: float, slack_ms: float = 0.0, now_s: float = 0.0
    ) -> Mark | None:
        """What can be said of a difference at once; None where it takes a second look.

        `apart_ms` is from asking legacy to asking new, `slack_ms` the time that both took.
        """
        if seen.ignored_by is not None:
            return Mark.COVERED
        known = self.forms.find(seen)
        if known is not None:
            form = known.at(seen, self._digest)
            fit = fit_of(form, *seen.readings, apart_ms, self._digest, slack_ms)
            if fit == "opaque":
                return Mark.OPAQUE
            if seen.spot and known.lists.allows(seen, apart_ms, slack_ms) != "yes":
                return None
            if fit in ("yes", "far") and not (known.repeated and form.always):
                return _BY_FIT[fit]
            return None
        if self.settled(seen.place):
            return Mark.AT_ONCE
        return Mark.SLOW if self._waits(seen.place) and _may_be_slow(seen, now_s) else None

    def _waits(self, place: str) -> bool:
        """Whether a place was settled so often that only a later look can tell more: reads that
        were spent on it would be wanting there."""
        looks = self.looks.get(place)
        enough = (
            looks is not None and looks.slow >= SETTLED_ENOUGH and looks.late_same < LATE_ENOUGH
        )
        return enough and not self._varied(place) and place not in self.forms.by_place

    def _varied(self, place: str) -> bool:
        looks = self.looks[place]
        return bool(looks.varied or looks.stale or looks.late_varied or looks.unsteady)

    def settled(self, place: str) -> bool:
        """Whether a difference at a place counts at once."""
        looks = self.looks.get(place)
        return (
            looks is not None
            and looks.settled >= SETTLED_ENOUGH
            and not (looks.varied or looks.stale or looks.late_varied)
            and not (looks.slow and looks.late_same < LATE_ENOUGH and looks.of_the_time)
            and place not in self.forms.by_place
        )

    def deep(self, place: str) -> bool:
        """Whether a place has been settled often enough that one look is enough; never where new
        wavers."""
        looks = self.looks.get(place)
        return looks is not None and looks.settled >= DEEP and looks.settled > looks.unsteady

    def looked(self, place: str) -> int:
        """How often a place that differed was looked at on both sides."""
        looks = self.looks.get(place)
        return 0 if looks is None else looks.settled + looks.varied + looks.unsteady + looks.beyond

    def new_is_known(self, place: str) -> bool:
        """Whether new was asked again often enough where legacy cannot be."""
        looks = self.looks.get(place)
        return looks is not None and looks.new_same + looks.new_varied >= NEW_KNOWN

    def _moves(self, place: str) -> bool:
        looks = self.looks.get(place)
        return place in self.forms.by_place or (looks is not None and looks.stale > 0)

    def has_tails(self, seen: Seen) -> bool:
        """Whether legacy's values at a place are drawn, so that chance may lead beyond them."""
        known = self.forms.find(seen)
        return known is not None and has_tails(known.at(seen, self._digest))

    # -- after a look --------------------------------------------------------------------------

    def learn(self, legacy: Changes, apart_ms: float, now_s: float = 0.0) -> None:
        """Legacy was compared with itself; `now_s` is when it gave the later answer."""
        self.forms.learn(legacy, apart_ms, now_s)

    def second(
        self, seen: Seen, look: Look, apart_ms: float, now_s: float, slack_ms: float = 0.0
    ) -> Mark:
        """What a second look says of a difference, by the table of docs/concepts/agreement.md."""
        if seen.ignored_by is not None:
            return Mark.COVERED
        if look.legacy is None:
            return self._without_legacy(seen, look)
        if seen.spot:
            mark = self._element(seen, look)
        elif look.legacy.at(seen) is not None:
            mark = self._legacy_varied(seen, look, apart_ms, slack_ms)
        elif look.legacy.near(seen):
            moved = look.now is not None and not touched(look.now, seen)
            mark = Mark.STALE if moved else Mark.NOT_LOOKED
        else:
            mark = self._legacy_same(seen, look, apart_ms, now_s, slack_ms)
        if not seen.spot:
            self._count(seen.place, mark)
            if look.alone and not look.before:
                self._count_steps(seen, look)
        if mark is Mark.SLOW:
            self._follow(seen)
        if look.apart_ms >= LATE_MS[0]:
            self._late(seen, look, mark)
        return mark

    def _element(self, seen: Seen, look: Look) -> Mark:
        """Of an element that one list lacks: whether legacy has lost, or gained, that very one."""
        legacy, new = look.legacy, look.new
        assert legacy is not None
        if not legacy.whole or legacy.moved_above(seen):
            return Mark.NOT_LOOKED
        other = "added" if seen.kind == "missing" else "missing"
        varied = legacy.has(seen.kind, seen)
        if new is None or not new.whole or new.moved_above(seen) or look.before:
            return Mark.FORM if varied else Mark.NOT_LOOKED
        agreed = new.has(other, seen)
        known = self.forms.find(seen)
        if _loses_one(seen, known) and not legacy.resized(seen):
            again = new.resized(seen)
            if again and known is not None:
                return Mark.UNSTEADY
            if not again:
                mark = Mark.SETTLED if known is None else Mark.BEYOND
                self._count_once(look, seen, _COUNTED[mark])
                return mark
        if varied is None or agreed is None:
            return Mark.YOUNG
        if varied:
            self._count_once(look, seen, "turned" if agreed else "varied")
            return Mark.FORM
        if agreed:
            self._count_once(look, seen, "unsteady")
            return Mark.UNSTEADY
        self._count_once(look, seen, "settled")
        if known is None or known.lists.is_plain(seen):
            return Mark.SETTLED
        self._count_once(look, seen, "slow")
        return Mark.SLOW

    def _count_once(self, look: Look, seen: Seen, name: str) -> None:
        """Elements that come or go together are one change."""
        if self._counted[0] is not look:
            self._counted = look, set()
        if (seen.place, name) not in self._counted[1]:
            self._counted[1].add((seen.place, name))
            for looks in (self._fresh(seen.place), self._known(seen.place)):
                setattr(looks, name, getattr(looks, name) + 1)

    def _late(self, seen: Seen, look: Look, mark: Mark) -> None:
        """A user's repeat is as late as a late look."""
        assert look.legacy is not None
        if seen.spot:
            if mark is Mark.SLOW or self._is_slow(seen.place):
                self.late(seen, look.legacy, look.new, last=look.apart_ms >= LATE_MS[-1])
            return
        if mark is Mark.SLOW or (look.legacy.at(seen) is not None and self._is_slow(seen.place)):
            self.late(seen, look.legacy, last=look.apart_ms >= LATE_MS[-1])

    def _is_slow(self, place: str) -> bool:
        looks = self.looks.get(place)
        return looks is not None and looks.slow > 0

    def _legacy_same(
        self, seen: Seen, look: Look, apart_ms: float, now_s: float, slack_ms: float
    ) -> Mark:
        known = self.forms.find(seen)
        if known is not None:
            form = known.at(seen, self._digest)
            fit = fit_of(form, *seen.readings, apart_ms, self._digest, slack_ms)
            if fit == "opaque":
                return Mark.OPAQUE
            instant = form.kind == "instant"
            if fit == "yes" and (instant or not form.always):
                return Mark.FORM
            if fit == "no" and instant:
                return Mark.BEYOND  # a clock that stood still between two looks is one all the same
            if fit == "no" and not has_tails(form) and _said_again(seen, look.new):
                return Mark.BEYOND  # what legacy never says, it does not say now either
            if look.legacy is not None:
                self.forms.repeated(seen, look.legacy)
        if look.new is None or (look.before and self._moves(seen.place)):
            return Mark.NOT_LOOKED
        change = look.new.at(seen)
        if change is not None and equal(change.other, seen.one):
            return Mark.UNSTEADY
        if change is None and look.new.near(seen):
            return Mark.UNSTEADY
        return Mark.SLOW if _may_be_slow(seen, now_s) else Mark.SETTLED

    def _legacy_varied(self, seen: Seen, look: Look, apart_ms: float, slack_ms: float) -> Mark:
        assert look.legacy is not None
        change = look.legacy.at(seen)
        assert change is not None
        known = self.forms.find(seen)
        if change.place != seen.place:
            return self._varied_otherwise(seen, change, look, apart_ms, slack_ms)
        if known is None:  # no room to learn
            return Mark.NOT_LOOKED
        form = known.at(seen, self._digest)
        fit = fit_of(form, *seen.readings, apart_ms, self._digest, slack_ms)
        if fit == "yes" and (form.looks > ESTABLISHED or form.kind == "presence"):
            return Mark.FORM
        drawn = form.looks > ESTABLISHED and form.kind == "choice"
        if _followed(seen, change, look.new, first_alone=drawn):
            return Mark.STALE
        if fit == "no" and self._by_chance(seen, change, form, look, apart_ms):
            return Mark.YOUNG
        return _BY_FIT[fit]

    def _by_chance(self, seen: Seen, change: Seen, form: Form, look: Look, apart_ms: float) -> bool:
        """Whether the bounds of what legacy drew so far may have been left by chance: one of the
        other three ways to hold both sides' answers against each other keeps them, and new is not
        farther off than chance leads."""
        if not has_tails(form) or surely_beyond(form, *seen.readings):
            return False
        legacy, new = seen.readings
        later = change.readings[1]
        again = None if look.new is None else look.new.at(seen)
        others = [(later, new)]
        if again is not None:
            others += [(legacy, again.readings[1]), (later, again.readings[1])]
        return any(fit_of(form, *pair, apart_ms, self._digest) == "yes" for pair in others)

    def _varied_otherwise(
        self, seen: Seen, change: Seen, look: Look, apart_ms: float, slack_ms: float
    ) -> Mark:
        """Legacy varies here, and what new says is no such variation: null for a token, a text for
        a counter, nothing at all. It is beyond legacy's form if new says so again.
        """
        if change.kind in _COMES_AND_GOES or look.new is None:
            return Mark.YOUNG  # gone by now: legacy's value is not known
        own, known = self.forms.find(seen), self.forms.find(change)
        if (
            own is not None
            and fit_of(own.form, *seen.readings, apart_ms, self._digest, slack_ms) == "yes"
        ):
            return Mark.FORM
        grown = known is not None and known.form.looks > ESTABLISHED
        if _followed(seen, change, look.new, first_alone=grown):
            return Mark.STALE
        if known is None or look.new.near(seen):
            return Mark.YOUNG
        fit = fit_of(known.form, *seen.readings, apart_ms, self._digest, slack_ms)
        if fit != "no":
            return _BY_FIT[fit]
        if not grown:
            return Mark.YOUNG
        again = look.new.at(seen)
        if again is None:
            return Mark.BEYOND
        if not seen.alone:
            return Mark.YOUNG  # elements that vary on both sides are held against others each time
        here, _ = seen.readings
        second = fit_of(known.form, here, again.readings[1], apart_ms, self._digest, slack_ms)
        return Mark.UNSTEADY if second == "yes" else Mark.BEYOND

    def _without_legacy(self, seen: Seen, look: Look) -> Mark:
        if look.new is not None:
            looks = self._fresh(seen.place)
            change = look.new.at(seen)
            if change is None:
                looks.new_same += 1
            else:
                looks.new_varied += 1
                looks.new_agreed += equal(change.other, seen.one)
            self._known(seen.place).add(_difference_of(change, seen))
        return Mark.NOT_LOOKED

    # -- a request that was made again ---------------------------------------------------------

    def made_again(
        self, before: Sequence[Seen], now: Sequence[Seen], legacy: Changes, now_s: float = 0.0
    ) -> frozenset[str]:
        """A request was made again: how both sides differed then and now, and how legacy moved.

        That one side moved is counted once in `ONE_MOVE_S`: what it keeps for all requests moves
        at once for all of them.

        Returns the places that differ once more though legacy has moved on: a look is to tell
        whether they cling to the request (`clings`), or are what each side draws.
        """
        for place, name in repeats.told(before, now, legacy):
            if name not in repeats.MOVES or self._moved_anew(place, name, now_s):
                self._add(place, name)
        return repeats.differ_twice(before, now, legacy)

    def clings(self, seen: Sequence[Seen], places: Iterable[str], look: Look) -> None:
        """Both sides were looked at once more, at places of `made_again`."""
        legacy, new = look.legacy, look.new
        if legacy is None or new is None or look.before:
            return
        for place in places:
            self._add(place, "clung" if repeats.stands(seen, place, legacy, new) else "loosed")

    def _moved_anew(self, place: str, name: str, now_s: float) -> bool:
        before = self._moved_s.get((place, name))
        if before is not None and abs(now_s - before) < ONE_MOVE_S:
            return False
        if before is not None or len(self._moved_s) < 4 * MOST_PLACES:
            self._moved_s[place, name] = now_s
        return True

    def _add(self, place: str, name: str) -> None:
        for looks in (self._fresh(place), self._known(place)):
            setattr(looks, name, getattr(looks, name) + 1)

    def late(
        self, seen: Seen, legacy: Changes, new: Changes | None = None, *, last: bool = False
    ) -> None:
        """Legacy was looked at once more, some time later, and so was new; `last`: as late as looks
        are. Where new says now what legacy said, it is as little settled as where legacy varied.
        """
        if seen.spot:
            other = "added" if seen.kind == "missing" else "missing"
            gone = legacy.has(seen.kind, seen)
            same = gone is False and not (new and new.has(other, seen) is not False)
        else:
            now = None if new is None else new.at(seen)
            agrees = now is not None and equal(now.other, seen.one)
            same = not touched(legacy, seen) and not agrees
        for looks in (self._fresh(seen.place), self._known(seen.place)):
            looks.late_same += same
            looks.late_long += same and last
            looks.late_varied += not same

    def _count(self, place: str, mark: Mark) -> None:
        name = _COUNTED.get(mark)
        if name is not None:
            for looks in (self._fresh(place), self._known(place)):
                setattr(looks, name, getattr(looks, name) + 1)
                looks.slow += mark is Mark.SLOW

    def _follow(self, seen: Seen) -> None:
        """Whether legacy's numbers go one way from one request to the next."""
        number, place = _number_of(seen), seen.place
        if number is None or (place not in self._last and len(self._last) >= MOST_PLACES):
            return
        before = self._last.get(place)
        if before is not None and before[0] is seen:
            return
        self._last[place] = seen, number
        if before is None:
            return
        for looks in (self._fresh(place), self._known(place)):
            looks.ups += number > before[1]
            looks.downs += number < before[1]
            looks.equals += number == before[1]

    def _count_steps(self, seen: Seen, look: Look) -> None:
        """How far each side's number went on from its first answer to its second."""
        known = self.forms.find(seen)
        here = None if look.legacy is None else look.legacy.at(seen)
        there = None if look.new is None else look.new.at(seen)
        if known is None or not known.form.counts or here is None or there is None:
            return
        legacy, new = step_of(*here.readings), step_of(*there.readings)
        if legacy is None or new is None:
            return
        for looks in (self._fresh(seen.place), self._known(seen.place)):
            looks.faster += abs(new) > abs(legacy)
            looks.slower += abs(new) < abs(legacy)

    def _known(self, place: str) -> PlaceLooks:
        return _entry(self.looks, place)

    def _fresh(self, place: str) -> PlaceLooks:
        return _entry(self.fresh, place)

    # -- telling -------------------------------------------------------------------------------

    def take(self) -> dict[str, Any]:
        """What was learned since the last time."""
        fresh, self.fresh = self.fresh, {}
        looks = {place: data for place, found in fresh.items() if (data := found.to_data())}
        return {"forms": self.forms.take(), "looks": looks}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take in what an earlier life has learned. Nothing of it is told again."""
        self.forms.merge(data.get("forms", {}))
        for place, entry in data.get("looks", {}).items():
            self._known(place).add(PlaceLooks.from_data(entry))


def _entry(into: dict[str, PlaceLooks], place: str) -> PlaceLooks:
    found = into.get(place)
    if found is None:
        found = PlaceLooks()
        if len(into) < MOST_PLACES:
            into[place] = found
    return found


def _difference_of(change: Seen | None, seen: Seen) -> PlaceLooks:
    if change is None:
        return PlaceLooks(new_same=1)
    return PlaceLooks(new_varied=1, new_agreed=int(equal(change.other, seen.one)))


def _loses_one(seen: Seen, known: PlaceForm | None) -> bool:
    """Whether a list has another number of elements than legacy's, of which none was seen to come
    or go alone: what stands in the place of an element is not the one that is lost."""
    return seen.uneven if known is None else known.lists.loses_count(seen)


def _followed(seen: Seen, change: Seen, new: Changes | None, *, first_alone: bool = False) -> bool:
    """Whether new's first or second value is what legacy has now. Of few values that are drawn, two
    are the same by chance: there the first one counts alone."""
    if seen.kind != "added" and change.kind != "missing" and equal(seen.other, change.other):
        return True
    if first_alone:
        return False
    again = None if new is None else new.at(seen)
    return again is not None and equal(again.other, change.other)


def _number_of(seen: Seen) -> float | None:
    """Legacy's number, or the first one that differs in a text."""
    left, right = seen.readings
    if left.nature in NUMBERS:
        return left.number
    found = slots(left.text, right.text) if left.nature in ("text", "word") else None
    return read_part(found[0][1]).number if found else None


def step_of(before: Reading, after: Reading) -> float | None:
    """How far a number went on, or the first one that differs in a text; None for no number."""
    if before.nature in NUMBERS and after.nature in NUMBERS:
        return after.number - before.number
    texts = {before.nature, after.nature} <= {"text", "word"}
    found = slots(before.text, after.text) if texts else None
    if not found:
        return None
    one, other = read_part(found[0][1]), read_part(found[0][2])
    return other.number - one.number if {one.nature, other.nature} <= NUMBERS else None


def _said_again(seen: Seen, new: Changes | None) -> bool:
    return new is not None and new.at(seen) is None and not new.near(seen)


def _may_be_slow(seen: Seen, now_s: float) -> bool:
    """Whether both values could be drawn anew from time to time: tokens, moments of today, numbers,
    and texts that differ in these alone. A status is no number but a word of HTTP's."""
    if seen.kind != "changed" or seen.path == "status":
        return False
    left, right = seen.readings
    if left.nature in NUMBERS and right.nature in NUMBERS:
        return True
    if {left.nature, right.nature} <= {"text", "word"}:
        return differ_in_numbers(left.text, right.text)
    if left.nature not in VOLATILE or right.nature != left.nature:
        return False
    if left.nature == "token":
        return left.notation == right.notation and len(left.text) == len(right.text)
    return max(abs(left.number - now_s), abs(right.number - now_s)) < _NOW_S


_BY_FIT = {
    "yes": Mark.FORM,
    "far": Mark.FAR,
    "no": Mark.BEYOND,
    "young": Mark.YOUNG,
    "opaque": Mark.OPAQUE,
}
_COUNTED = {
    Mark.SETTLED: "settled",
    Mark.SLOW: "settled",
    Mark.UNSTEADY: "unsteady",
    Mark.FORM: "varied",
    Mark.FAR: "varied",
    Mark.BEYOND: "beyond",
    Mark.YOUNG: "varied",
    Mark.STALE: "stale",
}


def learned(places: Iterable[tuple[str, PlaceForm]]) -> dict[str, str]:
    """Forms in words, by place."""
    return {place: in_words(entry.form) for place, entry in places}
