"""The bounded form in which legacy varies at a place, learned from legacy asked twice.

What each form excuses is said in `form_fit`. What was learned grows only: two forms of one place
merge by union, so that telling it twice, or by two workers, changes nothing. Values are kept as
keyed digests, never themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from figway.evidence.noise.clocks import apart_s
from figway.evidence.noise.day_clocks import DayClock
from figway.evidence.noise.text_forms import read_part, slots
from figway.evidence.noise.values import NUMBERS, Nature, Reading, alphabet, share_apart

FormKind = Literal[
    "none",
    "token",
    "instant",
    "number",
    "counter",
    "choice",
    "presence",
    "order",
    "text",
    "mixed",
    "opaque",
]
Digest = Callable[[str], str]
"""A short keyed hash: equal for equal texts, and no way back."""

MOST_VALUES = 32
MOST_SLOTS = 64
MOST_WAYS = 128
MOST_NOTATIONS = 8
GROWN = 8
"""Variations after which the range of a number, of lengths or of moments is taken for whole."""
LEAST_TOKEN = 4
_LONGEST_PREFIX, _LONGEST_PATH = 8, 80
"""Characters of a beginning that are kept, also up to the last `/` of a path."""
_TELLING_PREFIX = 3
_BASE62 = frozenset({"0-9", "a-f", "g-z", "A-F", "G-Z"})
_BASE64 = frozenset({"+", "/"})
_BASE64URL = frozenset({"-", "_"})

_IN_SLOTS: frozenset[FormKind] = frozenset({"token", "instant", "counter", "number"})
_ALWAYS: frozenset[FormKind] = frozenset({"token", "instant", "counter"})


@dataclass(slots=True)
class Lengths:
    """Of tokens: the shortest and longest, their alphabet, their common beginning."""

    low: int = 0
    high: int = 0
    characters: int = 0
    """How many were seen; enough of them show the whole alphabet."""
    alphabet: frozenset[str] = frozenset()
    prefix: str | None = None
    kinds: frozenset[str] = frozenset()

    def learn(self, reading: Reading) -> None:
        """Take in one token."""
        text = reading.text
        self.low = min(self.low, len(text)) if self.characters else len(text)
        self.high = max(self.high, len(text))
        self.characters = min(1 << 20, self.characters + len(text))
        self.alphabet |= alphabet(text)
        self.kinds |= {reading.notation}
        self.prefix = _begin(text) if self.prefix is None else _common(self.prefix, text)

    @property
    def _sure_prefix(self) -> str:
        """Their common beginning, unless chance alone may have made it."""
        prefix = self.prefix or ""
        many = self.characters >= 2 * GROWN * max(1, self.high)
        return prefix if many or len(prefix) >= _TELLING_PREFIX else ""

    def fits(self, reading: Reading) -> bool:
        """Whether a token lies within what was seen."""
        text = reading.text
        slack = 0 if self.low == self.high else 1 + (self.high - self.low) // 2
        if not self.low - slack <= len(text) <= self.high + slack:
            return False
        if not text.startswith(self._sure_prefix):
            return False
        if self.kinds <= {"uuid", "jwt", "ulid"} and reading.notation not in self.kinds:
            return False
        return alphabet(text) <= self._whole_alphabet

    @property
    def _whole_alphabet(self) -> frozenset[str]:
        """What was seen, and of base64 its rare signs too: `+` comes once in 64 characters."""
        if not self.alphabet >= _BASE62:
            return self.alphabet
        return self.alphabet | (_BASE64URL if self.alphabet & _BASE64URL else _BASE64)

    def merge(self, other: Lengths) -> None:
        """Union."""
        if not other.characters:
            return
        self.low = min(self.low, other.low) if self.characters else other.low
        self.high = max(self.high, other.high)
        self.characters = max(self.characters, other.characters)
        self.alphabet |= other.alphabet
        self.kinds |= other.kinds
        mine, theirs = self.prefix, other.prefix
        self.prefix = theirs if mine is None else mine if theirs is None else _common(mine, theirs)


@dataclass(slots=True)
class Form:
    """What legacy's variation at one place has shown so far."""

    looks: int = 0
    """Times that legacy differed from itself there."""
    natures: frozenset[Nature] = frozenset()
    values: frozenset[str] = frozenset()
    """Digests of the values seen; more than `MOST_VALUES` of them are too many for a choice."""
    tokens: Lengths = field(default_factory=Lengths)
    notations: frozenset[str] = frozenset()
    spread_ms: float = 0.0
    """Most that the way between two moments differed from the time between the askings."""
    absolute: float = 0.0
    """Most that a number and the next one were apart, and (`relative`) as a share of the larger; of
    orders, most of the pairs of elements that stood the other way round."""
    relative: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rising: bool = True
    """Every number was larger than the one before."""
    falling: bool = True
    """Every number was smaller than the one before."""
    slots: dict[str, Form] = field(default_factory=dict)
    skeleton: bool = True
    """Every variation of text was one of slots."""
    presence: bool = False
    order: bool = False
    whole: bool = False
    """The body is one value here: what varies has no form."""
    turned: bool = False
    """It went from one value to another and, another time, back: it does not just move on."""
    clock: DayClock = field(default_factory=DayClock)
    """Of numbers: which clock they may be."""
    ways: set[str] = field(default_factory=set, compare=False)
    """From which values to which it went, while that is of use; not told."""

    # -- learning ----------------------------------------------------------------------------

    def learn(
        self,
        before: Reading,
        after: Reading,
        apart_ms: float,
        digest: Digest,
        now_s: float = 0.0,
    ) -> None:
        """Legacy gave `before`, and `after` so many milliseconds later: at `now_s`, if that is
        known."""
        self.looks += 1
        if now_s:
            self.clock.learn(after, now_s)
        self.natures |= {before.nature, after.nature}
        if self.order:
            self.absolute = max(self.absolute, after.number)
        for reading in (before, after):
            if len(self.values) <= MOST_VALUES:
                self.values |= {digest(reading.text)}
            if reading.nature in ("token", "word"):
                self.tokens.learn(reading)
            if reading.nature == "instant" and len(self.notations) < MOST_NOTATIONS:
                self.notations |= {reading.notation}
        if before.nature == after.nature == "instant":
            way = apart_s(after.notation, before.number, after.number) * 1_000
            self.spread_ms = max(self.spread_ms, abs(way - apart_ms))
        if before.nature in NUMBERS and after.nature in NUMBERS:
            self._learn_numbers(before.number, after.number)
        if not self.turned:
            self._learn_way(digest(before.text), digest(after.text))
        self._learn_slots(before, after, apart_ms, digest, now_s)

    def _learn_way(self, before: str, after: str) -> None:
        self.turned = f"{after}>{before}" in self.ways
        if self.turned:
            self.ways.clear()
        elif len(self.ways) < MOST_WAYS:
            self.ways.add(f"{before}>{after}")

    def _learn_numbers(self, before: float, after: float) -> None:
        step = after - before
        first = not self.absolute
        self.low = min(before, after) if first else min(self.low, before, after)
        self.high = max(before, after) if first else max(self.high, before, after)
        self.absolute = max(self.absolute, abs(step))
        self.relative = max(self.relative, share_apart(before, after))
        self.rising = self.rising and step > 0
        self.falling = self.falling and step < 0

    def _learn_slots(
        self, before: Reading, after: Reading, apart_ms: float, digest: Digest, now_s: float
    ) -> None:
        if before.nature not in ("text", "word") or after.nature not in ("text", "word"):
            self.skeleton = self.skeleton and "text" not in (before.nature, after.nature)
            return
        found = slots(before.text, after.text)
        if found is None:
            self.skeleton = False
            return
        for left, here, there in found:
            key = digest(left)
            if key in self.slots or len(self.slots) < MOST_SLOTS:
                form = self.slots.setdefault(key, Form())
                form.learn(read_part(here), read_part(there), apart_ms, digest, now_s)

    # -- what it is --------------------------------------------------------------------------

    @property
    def kind(self) -> FormKind:
        """The form that was learned."""
        natures = self.natures
        if self.order:
            return "order"
        if self.presence:
            return "presence"
        if not natures:
            return "none"
        if self.whole or "tree" in natures:
            return "opaque"
        if natures == {"instant"} or self.clock.known:
            return "instant"
        if natures == {"token"}:
            return "choice" if self.chosen and self.turned else "token"
        if natures <= NUMBERS:
            return self._numeric()
        if natures <= {"boolean", "null"}:
            return "choice"
        if natures <= {"text", "word", "token"}:
            return self._textual()
        return "mixed"

    def _numeric(self) -> FormKind:
        if self.chosen and (self.turned or self.looks < GROWN):  # else it is kept for a while
            return "choice"
        return "counter" if self.one_way and self.looks >= self.grown else "number"

    @property
    def one_way(self) -> bool:
        """Whether a number always rose, or always fell."""
        return self.rising or self.falling

    @property
    def grown(self) -> int:
        """Variations after which the range of a number is taken for whole: more while it may yet
        be a counter of fractions, as of seconds of a processor."""
        whole = self.natures == {"integer"}
        return GROWN if whole or not self.one_way else 2 * GROWN

    @property
    def counts(self) -> bool:
        """Whether it is a number that goes on, or a text with one."""
        kind = self.kind
        if kind == "text":
            return any(form.kind == "counter" for form in self.slots.values())
        return kind == "counter"

    def _textual(self) -> FormKind:
        if self.slots and self.skeleton and "token" not in self.natures:
            kinds = {form.kind for form in self.slots.values()}
            if self._digits_alone:  # a number as text: digits drawn by lot have a length as well
                if kinds == {"counter"}:
                    return "text"
            elif kinds <= _IN_SLOTS or not self.chosen:
                return "text"
        if len(self.values) <= MOST_VALUES:
            return "choice"
        return "opaque" if "text" in self.natures else "token"

    @property
    def _digits_alone(self) -> bool:
        return self.natures == {"word"} and self.tokens.alphabet == {"0-9"}

    @property
    def chosen(self) -> bool:
        """The same few values again and again."""
        few = len(self.values) <= MOST_VALUES
        return few and self.looks >= 4 and 2 * self.looks >= 3 * len(self.values)

    @property
    def always(self) -> bool:
        """Whether the form gives another value each time: then one that legacy repeats is none.
        Tokens of a few characters repeat by chance."""
        kind = self.kind
        return kind in _ALWAYS and (kind != "token" or self.tokens.low >= LEAST_TOKEN)

    # -- merging and telling -----------------------------------------------------------------

    def merge(self, other: Form) -> None:
        """Take in what another worker, or an earlier life, has learned: the union of both."""
        if other.absolute:
            self.low = min(self.low, other.low) if self.absolute else other.low
            self.high = max(self.high, other.high) if self.absolute else other.high
        self.looks = max(self.looks, other.looks)
        self.natures |= other.natures
        self.values = frozenset(sorted(self.values | other.values)[: MOST_VALUES + 1])
        self.tokens.merge(other.tokens)
        self.notations = frozenset(sorted(self.notations | other.notations)[:MOST_NOTATIONS])
        for name in ("spread_ms", "absolute", "relative"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        self.rising = self.rising and other.rising
        self.falling = self.falling and other.falling
        self.skeleton = self.skeleton and other.skeleton
        self.presence |= other.presence
        self.order |= other.order
        self.whole |= other.whole
        self.turned |= other.turned
        self.clock.merge(other.clock)
        for key, form in other.slots.items():
            if key in self.slots or len(self.slots) < MOST_SLOTS:
                self.slots.setdefault(key, Form()).merge(form)

    def to_data(self) -> dict[str, Any]:
        """The JSON form; members at their defaults are left out."""
        data: dict[str, Any] = {"looks": self.looks, "kind": self.kind}
        for name in ("natures", "values", "notations"):
            if found := getattr(self, name):
                data[name] = sorted(found)
        for name in ("spread_ms", "absolute", "relative", "low", "high"):
            if found := getattr(self, name):
                data[name] = found
        for name, usual in _FLAGS.items():
            if getattr(self, name) is not usual:
                data[name] = not usual
        if self.clock != DayClock():
            data["clock"] = self.clock.to_data()
        if self.tokens.characters:
            data["tokens"] = _tokens_data(self.tokens)
        if self.slots:
            data["slots"] = {key: form.to_data() for key, form in self.slots.items()}
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Form:
        """Read the JSON form. Raises KeyError, TypeError or ValueError for what is none."""
        found = cls(looks=int(data["looks"]))
        for name in ("natures", "values", "notations"):
            setattr(found, name, frozenset(str(item) for item in data.get(name, ())))
        for name in ("spread_ms", "absolute", "relative", "low", "high"):
            setattr(found, name, float(data.get(name, 0.0)))
        for name, usual in _FLAGS.items():
            setattr(found, name, bool(data.get(name, usual)))
        if "clock" in data:
            found.clock = DayClock.from_data(data["clock"])
        if "tokens" in data:
            found.tokens = _tokens_from(data["tokens"])
        found.slots = {key: cls.from_data(value) for key, value in data.get("slots", {}).items()}
        return found


_FLAGS = {
    "rising": True,
    "falling": True,
    "skeleton": True,
    "presence": False,
    "order": False,
    "whole": False,
    "turned": False,
}


def _tokens_data(tokens: Lengths) -> dict[str, Any]:
    return {
        "low": tokens.low,
        "high": tokens.high,
        "characters": tokens.characters,
        "alphabet": sorted(tokens.alphabet),
        "prefix": tokens.prefix,
        "kinds": sorted(tokens.kinds),
    }


def _tokens_from(data: Mapping[str, Any]) -> Lengths:
    return Lengths(
        int(data["low"]),
        int(data["high"]),
        int(data["characters"]),
        frozenset(map(str, data["alphabet"])),
        None if data["prefix"] is None else str(data["prefix"]),
        frozenset(map(str, data["kinds"])),
    )


def _begin(text: str) -> str:
    path = text.rfind("/", 0, _LONGEST_PATH) + 1
    return text[: max(path, _LONGEST_PREFIX)]


def _common(one: str, other: str) -> str:
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return one[:at]
