"""Comparison rules: what a person has written about places that may differ.

A rule has a kind, a target and the parameters of its kind. The target is one of

    $.items[*].price      a place in the body: JSONPath, see `figway.compare.paths`; forms, XML,
    HTML and
                          text have paths too, by their canonical form
    header:etag           one header, or one part of it: header:cache-control;max-age
    set-cookie:sid        one cookie, or one part of it: set-cookie:sid;samesite
    status                the status code

and a rule covers a difference or it does not; what it covers is `ignored`, never hidden.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from figway.compare.paths import PathError, Step, parse_path
from figway.compare.patterns import PatternError, check_pattern

RuleKind = Literal[
    "ignore",
    "number_tolerance",
    "time_tolerance",
    "unordered",
    "keyed_array",
    "case",
    "map_value",
    "pattern",
    "notation",
]
KINDS: tuple[RuleKind, ...] = get_args(RuleKind)

Scalar = str | int | float | bool | None

MOST_RULES = 500
MOST_PAIRS = 1000

_HEADER = re.compile(r"header:[!#$%&'*+.^`|~0-9a-z-]{1,100}(;[^\s;,]{1,60})?")
_COOKIE = re.compile(r"set-cookie:[^\s;,=]{1,200}(;[a-z-]{1,40})?")
_ARRAY_KINDS = ("unordered", "keyed_array")
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "ignore": (),
    "number_tolerance": ("absolute", "relative"),
    "time_tolerance": ("seconds", "pattern"),
    "unordered": (),
    "keyed_array": ("key",),
    "case": (),
    "map_value": ("pairs",),
    "pattern": ("pattern",),
    "notation": (),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {"time_tolerance": ("pattern",)}


class RuleError(ValueError):
    """A rule that makes no sense; the text says which rule, and what to write instead."""


@dataclass(frozen=True, slots=True)
class ComparisonRule:
    """One rule, checked when it is made. Parameters of other kinds stay at their defaults.

    Raises:
        RuleError: when the target or a parameter is not valid.
    """

    id: str
    kind: RuleKind
    target: str
    absolute: float = 0.0
    """number_tolerance: how far apart two numbers may be."""
    relative: float = 0.0
    """number_tolerance: the same as a share of the larger one, 0.01 for 1 %."""
    seconds: float = 0.0
    """time_tolerance: how far apart two moments may be (ISO 8601, HTTP dates, epochs)."""
    key: str = ""
    """keyed_array: the member that names an element."""
    pairs: tuple[tuple[Scalar, Scalar], ...] = ()
    """map_value: (legacy's value, the value that new may have instead)."""
    pattern: str = ""
    """pattern: RE2; whatever it matches, on either side, is equal. time_tolerance: RE2 of how both
    moments must be written; empty for any way."""
    note: str = ""
    steps: tuple[Step, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            self._check()
        except (PathError, PatternError) as error:
            raise RuleError(f"rule {self.id!r}: {error}") from error

    def _check(self) -> None:
        if not self.id or len(self.id) > 600:
            raise RuleError("a rule needs an id of 1 to 600 characters")
        if self.kind not in KINDS:
            raise RuleError(f"rule {self.id!r}: kind is one of {', '.join(KINDS)}")
        self._check_target()
        if self.kind == "number_tolerance":
            self._check_number("absolute", self.absolute)
            self._check_number("relative", self.relative)
            if not self.absolute and not self.relative:
                raise RuleError(f"rule {self.id!r}: number_tolerance needs absolute or relative")
        if self.kind == "time_tolerance" and not self._check_number("seconds", self.seconds):
            raise RuleError(f"rule {self.id!r}: time_tolerance needs seconds above 0")
        if self.kind == "keyed_array" and not self.key:
            raise RuleError(f"rule {self.id!r}: keyed_array needs the key member's name")
        if self.kind == "map_value" and not 0 < len(self.pairs) <= MOST_PAIRS:
            raise RuleError(f"rule {self.id!r}: map_value needs 1 to {MOST_PAIRS} pairs")
        if self.kind == "pattern" or self.pattern:
            check_pattern(self.pattern)

    def _check_target(self) -> None:
        if self.target.startswith("$"):
            object.__setattr__(self, "steps", parse_path(self.target))
        elif not (
            self.target == "status"
            or _HEADER.fullmatch(self.target)
            or _COOKIE.fullmatch(self.target)
        ):
            raise RuleError(
                f"rule {self.id!r}: target {self.target!r} is none of $..., header:name, "
                "header:name;part, set-cookie:name, set-cookie:name;attribute (in lower case), "
                "status"
            )
        if self.kind == "keyed_array" and not self.target.startswith("$"):
            raise RuleError(f"rule {self.id!r}: keyed_array is for places in the body")

    def _check_number(self, name: str, value: float) -> float:
        if not math.isfinite(value) or value < 0:
            raise RuleError(f"rule {self.id!r}: {name} is a number of 0 or more")
        return value

    def to_dict(self) -> dict[str, Any]:
        """JSON form; only the parameters of the rule's kind."""
        data: dict[str, Any] = {"id": self.id, "kind": self.kind, "target": self.target}
        for name in _PARAMETERS[self.kind]:
            value = getattr(self, name)
            if name in _OPTIONAL.get(self.kind, ()) and not value:
                continue
            data[name] = [list(pair) for pair in value] if name == "pairs" else value
        if self.note:
            data["note"] = self.note
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ComparisonRule:
        """Read the JSON form.

        Raises:
            RuleError: also for a member that the kind does not have.
        """
        name = f"rule {data.get('id', '?')!r}"
        kind = data.get("kind")
        if kind not in KINDS:
            raise RuleError(f"{name}: kind is one of {', '.join(KINDS)}")
        allowed = {"id", "kind", "target", "note", *_PARAMETERS[kind]}
        if unknown := sorted(set(data) - allowed):
            raise RuleError(f"{name}: {kind} has no {', '.join(unknown)}")
        values = {key: _typed(name, key, value) for key, value in data.items()}
        if "id" not in values or "target" not in values:
            raise RuleError(f"{name}: a rule needs an id and a target")
        return cls(**values)


def _typed(name: str, key: str, value: object) -> Any:
    if key in ("absolute", "relative", "seconds"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleError(f"{name}: {key} is a number")
        return float(value)
    if key == "pairs":
        return _pairs(name, value)
    if not isinstance(value, str):
        raise RuleError(f"{name}: {key} is a string")
    return value


def _pairs(name: str, value: object) -> tuple[tuple[Scalar, Scalar], ...]:
    pairs = []
    for pair in value if isinstance(value, list | tuple) else (None,):
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or any(isinstance(side, list | dict | tuple) for side in pair)
        ):
            raise RuleError(f"{name}: pairs is a list of [legacy value, new value]")
        pairs.append((cast(Scalar, pair[0]), cast(Scalar, pair[1])))
    return tuple(pairs)


Places = frozenset[tuple[int, ComparisonRule]]
"""How far each of some rules has been followed: (steps done, rule)."""


class RuleNode:
    """Where a walk stands among the rules: which ones end here, and which may end further down.

    A small automaton, built as it is walked, so that a step costs one look-up however many rules
    there are.
    """

    __slots__ = ("_at", "_known", "_next", "hits", "live")

    _MOST_CACHED = 2000

    def __init__(self, at: Places, known: dict[Places, RuleNode] | None = None) -> None:
        self._at = at
        # Shared by all nodes of one rule set: the same places are the same node, so that bodies
        # with ids as member names cannot make the automaton grow without end.
        self._known = {} if known is None else known
        self._known[at] = self
        self._next: dict[str | int, RuleNode] = {}
        self.hits = tuple(
            sorted((rule for done, rule in at if done == len(rule.steps)), key=lambda r: r.id)
        )
        self.live = bool(at)

    def step(self, key: str | int) -> RuleNode:
        """The node after one more step down."""
        node = self._next.get(key)
        if node is None:
            if len(self._next) >= self._MOST_CACHED:
                self._next.clear()
            node = self._next[key] = self._advance(key)
        return node

    def _advance(self, key: str | int) -> RuleNode:
        after = set()
        for done, rule in self._at:
            if done == len(rule.steps):
                continue
            step = rule.steps[done]
            if step.selector is None or step.selector == key:
                after.add((done + 1, rule))
            if step.descend:
                after.add((done, rule))
        if not after:
            return NO_RULES
        places = frozenset(after)
        return self._known.get(places) or RuleNode(places, self._known)


NO_RULES = RuleNode(frozenset())


class RuleSet:
    """The rules of a route, ready to use: build it once per revision, use it for every pair."""

    __slots__ = ("_by_target", "body", "rules")

    def __init__(self, rules: Iterable[ComparisonRule] = ()) -> None:
        self.rules = tuple(rules)
        if len(self.rules) > MOST_RULES:
            raise RuleError(f"a route may have {MOST_RULES} rules, this one has {len(self.rules)}")
        if len({rule.id for rule in self.rules}) != len(self.rules):
            raise RuleError("two rules have the same id")
        in_body = frozenset((0, rule) for rule in self.rules if rule.target.startswith("$"))
        self.body = RuleNode(in_body) if in_body else NO_RULES
        self._by_target: dict[str, list[ComparisonRule]] = {}
        for rule in self.rules:
            if not rule.target.startswith("$"):
                self._by_target.setdefault(rule.target, []).append(rule)

    def outside(self, target: str) -> tuple[ComparisonRule, ...]:
        """The rules for a header, a cookie (its own, and all cookies') or the status."""
        if not self._by_target:
            return ()
        found = list(self._by_target.get(target, ()))
        if ";" in target:
            found += self._by_target.get(target.partition(";")[0], ())
        if target.startswith("set-cookie:"):
            found += self._by_target.get("header:set-cookie", ())
        return tuple(found)


def is_array_kind(rule: ComparisonRule) -> bool:
    """Whether the rule says how an array's elements are aligned."""
    return rule.kind in _ARRAY_KINDS
