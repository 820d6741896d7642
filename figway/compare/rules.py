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
from dataclasses import fields
from typing import Any, NamedTuple, cast

from figway.compare.paths import PathCondition, PathError, Step, parse_path
from figway.compare.patterns import PatternError, check_pattern
from figway.compare.references import steps_to_member
from figway.model.comparison import ComparisonRule as ComparisonRule
from figway.model.comparison import RuleKind as RuleKind
from figway.model.comparison import Scalar

MOST_RULES = 500
MOST_PAIRS = 1000
_STANDING = 2
"""Rules that settings of a route may add to those that people wrote."""

_HEADER = re.compile(r"header:[!#$%&'*+.^`|~0-9a-z-]{1,100}(;[^\s;,]{1,60})?")
_COOKIE = re.compile(r"set-cookie:[^\s;,=]{1,200}(;[a-z-]{1,40})?")
_ARRAY_KINDS = (RuleKind.UNORDERED, RuleKind.KEYED_ARRAY)
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
    "null_absent": (),
    "empty_null": (),
    "name_style": (),
    "reference": ("key",),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {"time_tolerance": ("pattern",)}
_DEFAULTS = {
    field.name: field.default
    for field in fields(ComparisonRule)
    if field.name not in ("id", "kind", "target", "note")
}


class RuleError(ValueError):
    """A rule that makes no sense; the text says which rule, and what to write instead."""


def check_rule(rule: ComparisonRule) -> tuple[Step, ...]:
    """The steps of the rule's path, empty outside of the body.

    Raises:
        RuleError: when the kind, the target or a parameter is not valid.
    """
    name = f"rule {rule.id!r}"
    if not rule.id or len(rule.id) > 600:
        raise RuleError("a rule needs an id of 1 to 600 characters")
    if rule.kind not in _PARAMETERS:
        raise RuleError(f"{name}: kind is one of {', '.join(_PARAMETERS)}")
    others = _DEFAULTS.keys() - set(_PARAMETERS[rule.kind])
    if foreign := sorted(one for one in others if getattr(rule, one) != _DEFAULTS[one]):
        raise RuleError(f"{name}: {rule.kind} has no {', '.join(foreign)}")
    try:
        steps = _target(rule, name)
        _parameters(rule, name)
    except (PathError, PatternError) as error:
        raise RuleError(f"{name}: {error}") from error
    return steps


def _target(rule: ComparisonRule, name: str) -> tuple[Step, ...]:
    if rule.target.startswith("$"):
        return parse_path(rule.target)
    if not (
        rule.target == "status" or _HEADER.fullmatch(rule.target) or _COOKIE.fullmatch(rule.target)
    ):
        raise RuleError(
            f"{name}: target {rule.target!r} is none of $..., header:name, header:name;part, "
            "set-cookie:name, set-cookie:name;attribute (in lower case), status"
        )
    if rule.kind in ("keyed_array", "name_style", "reference"):
        raise RuleError(f"{name}: {rule.kind} is for places in the body")
    return ()


def _parameters(rule: ComparisonRule, name: str) -> None:
    for one in ("absolute", "relative", "seconds"):
        value = getattr(rule, one)
        if not math.isfinite(value) or value < 0:
            raise RuleError(f"{name}: {one} is a number of 0 or more")
    if rule.kind == "number_tolerance" and not rule.absolute and not rule.relative:
        raise RuleError(f"{name}: number_tolerance needs absolute or relative")
    if rule.kind == "time_tolerance" and not rule.seconds:
        raise RuleError(f"{name}: time_tolerance needs seconds above 0")
    if rule.kind == "keyed_array" and not rule.key:
        raise RuleError(f"{name}: keyed_array needs the key member's name")
    if rule.kind == "reference":
        steps_to_member(rule.key)
    if rule.kind == "map_value" and not 0 < len(rule.pairs) <= MOST_PAIRS:
        raise RuleError(f"{name}: map_value needs 1 to {MOST_PAIRS} pairs")
    if rule.kind == "pattern" or rule.pattern:
        check_pattern(rule.pattern)


def rule_data(rule: ComparisonRule) -> dict[str, Any]:
    """JSON form; only the parameters of the rule's kind."""
    data: dict[str, Any] = {"id": rule.id, "kind": str(rule.kind), "target": rule.target}
    for name in _PARAMETERS[rule.kind]:
        value = getattr(rule, name)
        if value or name not in _OPTIONAL.get(rule.kind, ()):
            data[name] = [list(pair) for pair in value] if name == "pairs" else value
    if rule.note:
        data["note"] = rule.note
    return data


def read_rule(data: Mapping[str, Any]) -> ComparisonRule:
    """Read the JSON form, and check the rule.

    Raises:
        RuleError: also for a member that the kind does not have.
    """
    name = f"rule {data.get('id', '?')!r}"
    kind = data.get("kind")
    if kind not in _PARAMETERS:
        raise RuleError(f"{name}: kind is one of {', '.join(_PARAMETERS)}")
    allowed = {"id", "kind", "target", "note", *_PARAMETERS[kind]}
    if unknown := sorted(set(data) - allowed):
        raise RuleError(f"{name}: {kind} has no {', '.join(unknown)}")
    values = {key: _typed(name, key, value) for key, value in data.items()}
    if "id" not in values or "target" not in values:
        raise RuleError(f"{name}: a rule needs an id and a target")
    rule = ComparisonRule(**{**values, "kind": RuleKind(kind)})
    check_rule(rule)
    return rule


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


class Aimed(NamedTuple):
    """A rule for a place in the body, and the steps to it."""

    rule: ComparisonRule
    steps: tuple[Step, ...]


Places = frozenset[tuple[int, Aimed]]
"""How far each of some rules has been followed: (steps done, rule)."""


class RuleNode:
    """Where a walk stands among the rules: which ones end here, and which may end further down.

    A small automaton, built as it is walked, so that a step costs one look-up however many rules
    there are.
    """

    __slots__ = ("_at", "_conditions", "_known", "_next", "hits", "live")

    _MOST_CACHED = 2000

    def __init__(self, at: Places, known: dict[Places, RuleNode] | None = None) -> None:
        self._at = at
        # Shared by all nodes of one rule set: the same places are the same node, so that bodies
        # with ids as member names cannot make the automaton grow without end.
        self._known = {} if known is None else known
        self._known[at] = self
        self._next: dict[str | int | tuple[object, ...], RuleNode] = {}
        steps = (aimed.steps[done] for done, aimed in at if done < len(aimed.steps))
        found = {step.condition for step in steps if step.condition is not None}
        self._conditions = tuple(sorted(found, key=repr))
        self.hits = tuple(
            sorted(
                (aimed.rule for done, aimed in at if done == len(aimed.steps)),
                key=lambda rule: rule.id,
            )
        )
        self.live = bool(at)

    def step(self, key: str | int) -> RuleNode:
        """The node after one more step down; filters hold of nothing."""
        node = self._next.get(key)
        if node is None:
            node = self._keep(key, self._advance(key, frozenset()))
        return node

    def into(self, key: str | int, child: object) -> RuleNode:
        """As `step`, with the child that stands there, of which filters may hold."""
        if not self._conditions:
            return self.step(key)
        held = frozenset(one for one in self._conditions if one.holds(child))
        node = self._next.get((key, held))
        return node or self._keep((key, held), self._advance(key, held))

    def _keep(self, key: str | int | tuple[object, ...], node: RuleNode) -> RuleNode:
        if len(self._next) >= self._MOST_CACHED:
            self._next.clear()
        self._next[key] = node
        return node

    def _advance(self, key: str | int, held: frozenset[PathCondition]) -> RuleNode:
        after = set()
        for done, aimed in self._at:
            if done == len(aimed.steps):
                continue
            step = aimed.steps[done]
            met = step.condition in held if step.condition else step.selector in (None, key)
            if met:
                after.add((done + 1, aimed))
            if step.descend:
                after.add((done, aimed))
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
        if len(self.rules) > MOST_RULES + _STANDING:
            raise RuleError(f"a route may have {MOST_RULES} rules, this one has {len(self.rules)}")
        if len({rule.id for rule in self.rules}) != len(self.rules):
            raise RuleError("two rules have the same id")
        aimed = [Aimed(rule, check_rule(rule)) for rule in self.rules]
        in_body = frozenset((0, one) for one in aimed if one.rule.target.startswith("$"))
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


def is_conditional(rule: ComparisonRule) -> bool:
    """Whether the rule's target has a filter, which only the values themselves can tell."""
    return rule.target.startswith("$") and any(step.condition for step in parse_path(rule.target))


def is_array_kind(rule: ComparisonRule) -> bool:
    """Whether the rule says how an array's elements are aligned."""
    return rule.kind in _ARRAY_KINDS
