"""The forms in which legacy varies, by place, and the positions that each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from figway.evidence.noise.forms import GROWN, Digest, Form
from figway.evidence.noise.list_changes import ListChanges
from figway.evidence.noise.seen import Changes, Seen

MOST_PLACES = 500
MOST_POSITIONS = 64
FORMS = 2
"""Which readings of values and texts forms are learned by."""
MOST_OWN = 8
"""Positions of one place that have a form of their own."""
COVERING = 4
"""Elements of an array that legacy varied at, for the others to share their form."""
ESTABLISHED = 3
"""Variations after which a known form goes before `stale`."""


@dataclass(slots=True)
class PlaceForm:
    """A form and the positions that it stands for."""

    form: Form = field(default_factory=Form)
    positions: set[str] = field(default_factory=set)
    """Digests of the exact paths at which legacy varied."""
    repeated: int = 0
    """Looks in which legacy repeated its value here although the form gives another each time."""
    uncovered: bool = False
    """Legacy repeated itself at one element while it varied at another."""
    own: dict[str, Form] = field(default_factory=dict)
    """Of the first positions, by digest, the form of each by itself."""
    lists: ListChanges = field(default_factory=ListChanges)
    """Where elements of a list come and go: how."""

    def stands_for(self, seen: Seen, digest: Digest) -> bool:
        """Whether the form is that of this position."""
        return not seen.in_set or self.covers or digest(seen.exact) in self.positions

    @property
    def covers(self) -> bool:
        """Whether legacy varied at so many elements of an array that the others share the form."""
        return len(self.positions) >= COVERING and not self.uncovered

    def at(self, seen: Seen, digest: Digest) -> Form:
        """The form of this position: its own where lines of other kinds stand beside it."""
        own = self.own.get(digest(seen.exact)) if seen.in_set else None
        if own is None or (own.looks < GROWN and self.covers):
            return self.form
        return own

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        data = {"v": FORMS, **self.form.to_data()}
        if self.positions:
            data["positions"] = sorted(self.positions)
        if self.repeated:
            data["repeated"] = self.repeated
        if self.uncovered:
            data["uncovered"] = True
        if self.own:
            data["own"] = {key: form.to_data() for key, form in self.own.items()}
        if self.lists.looks:
            data["lists"] = self.lists.to_data()
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PlaceForm:
        """Read the JSON form; what was learned by other readings than those of now is learned
        anew. Raises KeyError, TypeError or ValueError."""
        found = cls(
            Form.from_data(data),
            set(map(str, data.get("positions", ()))),
            int(data.get("repeated", 0)),
            bool(data.get("uncovered", False)),
            {str(key): Form.from_data(form) for key, form in data.get("own", {}).items()},
            ListChanges.from_data(data["lists"]) if "lists" in data else ListChanges(),
        )
        return found if data.get("v") == FORMS else cls()

    def merge(self, other: PlaceForm) -> None:
        """Union."""
        self.form.merge(other.form)
        room = MOST_POSITIONS - len(self.positions)
        self.positions |= set(sorted(other.positions - self.positions)[: max(0, room)])
        self.repeated = max(self.repeated, other.repeated)
        self.uncovered |= other.uncovered
        self.lists.merge(other.lists)
        for key, form in other.own.items():
            if key in self.own or len(self.own) < MOST_OWN:
                self.own.setdefault(key, Form()).merge(form)


class LegacyForms:
    """Forms by place. `changed` are those that were learned since they were told last."""

    def __init__(self, digest: Digest) -> None:
        self.by_place: dict[str, PlaceForm] = {}
        self.changed: set[str] = set()
        self._own = 0
        """Forms of positions, of all places."""
        self._digest = digest

    def learn(self, changes: Changes, apart_ms: float, now_s: float = 0.0) -> None:
        """Legacy differed from itself so; its later answer is of `now_s`, if that is known."""
        for seen in changes.by_exact.values():
            if seen.ignored_by is None:
                self._learn(seen, apart_ms, now_s)
        for elements in changes.lists():
            known = self.by_place.get(elements[0].place)
            if known is not None and elements[0].ignored_by is None:
                known.lists.learn(elements, abs(apart_ms), self._digest)

    def _learn(self, seen: Seen, apart_ms: float, now_s: float) -> None:
        place = seen.place
        known = self.by_place.get(place)
        if known is None:
            if len(self.by_place) >= MOST_PLACES:
                return
            known = self.by_place[place] = PlaceForm()
        self._take_in(known.form, seen, apart_ms, now_s)
        if seen.in_set:
            self._learn_position(known, seen, apart_ms, now_s)
        self.changed.add(place)

    def _take_in(self, form: Form, seen: Seen, apart_ms: float, now_s: float) -> None:
        form.presence |= seen.place.endswith("|presence")
        form.order |= seen.kind == "order"
        form.whole |= seen.whole
        form.learn(*seen.readings, apart_ms, self._digest, now_s)

    def _learn_position(self, known: PlaceForm, seen: Seen, apart_ms: float, now_s: float) -> None:
        position = self._digest(seen.exact)
        if len(known.positions) < MOST_POSITIONS:
            known.positions.add(position)
        if position not in known.own:
            if len(known.own) >= MOST_OWN or self._own >= MOST_PLACES:
                return
            self._own += 1
            known.own[position] = Form()
        self._take_in(known.own[position], seen, apart_ms, now_s)

    def find(self, seen: Seen) -> PlaceForm | None:
        """The form that stands for a position."""
        known = self.by_place.get(seen.place)
        return known if known is not None and known.stands_for(seen, self._digest) else None

    def repeated(self, seen: Seen, changes: Changes) -> None:
        """Legacy repeated its value at a place that has a form."""
        known = self.by_place.get(seen.place)
        if known is None or not known.form.always:
            return
        others = (item for item in changes.by_exact.values() if item.place == seen.place)
        if seen.in_set and any(item.exact != seen.exact for item in others):
            known.uncovered = True
        elif known.form.kind != "instant":
            known.repeated += 1
        self.changed.add(seen.place)

    @property
    def orders(self) -> frozenset[str]:
        """Paths of lists whose order alone legacy changes again and again."""
        ending = "|order"
        return frozenset(
            place.removesuffix(ending)
            for place, known in self.by_place.items()
            if place.endswith(ending) and known.form.looks > ESTABLISHED
        )

    def merge(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in forms in their JSON form; what is none is left out."""
        for place, entry in data.items():
            try:
                form = PlaceForm.from_data(entry)
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            if place in self.by_place:
                self.by_place[place].merge(form)
            elif len(self.by_place) < MOST_PLACES:
                self.by_place[place] = form

    def take(self) -> dict[str, dict[str, Any]]:
        """The forms that are to be told."""
        found = {place: self.by_place[place].to_data() for place in sorted(self.changed)}
        self.changed.clear()
        return found
