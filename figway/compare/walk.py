"""Two trees of values walked side by side, with the rules that apply at each place."""

from __future__ import annotations

from collections.abc import Sequence

from figway.compare import align
from figway.compare.align import Alignment
from figway.compare.canonical.json import (
    Order,
    Repeated,
    Value,
    same,
    same_scalar,
    surely_same,
    type_name,
)
from figway.compare.differences import DifferenceKind, Findings
from figway.compare.doubled import TWICE, doubled
from figway.compare.embedded import MOST_NESTED, opened
from figway.compare.limits import Budget
from figway.compare.moments import notations
from figway.compare.name_style import restyled
from figway.compare.page_window import same_total, shift
from figway.compare.paths import Trail, exact, last_name, template
from figway.compare.references import References
from figway.compare.rule_covers import covered_by
from figway.compare.rules import (
    NO_RULES,
    ComparisonRule,
    RuleNode,
    is_array_kind,
)

_MOST_READ_FOR_ORDER = 4_000_000
_MOST_ALIGNED_LEVELS = 24
"""Arrays in arrays that are aligned: each level reads all below. Deeper, only position counts."""


class Walk:
    """Reports every difference of two trees to `findings`. Depth must be bounded before."""

    def __init__(self, findings: Findings, budget: Budget, *, moments: bool = False) -> None:
        self._findings = findings
        self._moments = moments
        self._opened = 0
        self._budget = budget
        self._arrays_open = 0
        self._in_vain = 0
        self._references: tuple[References, References] | None = None
        self._whole: tuple[Value, Value] = (None, None)
        # Looking for a mere reordering reads all that is below. It only explains, so it may end.
        self._order_allowance = _MOST_READ_FOR_ORDER

    def values(self, legacy: Value, new: Value, rules: RuleNode, trail: Trail = ()) -> None:
        """Compare what stands at one place.

        Raises:
            CompareError: when the budget is spent.
        """
        self._budget.spend(1)
        if self._references is None:
            self._references = References(legacy, self._budget), References(new, self._budget)
            self._whole = legacy, new
        if rules.hits and any(rule.kind == "ignore" for rule in rules.hits):
            if not same(legacy, new):
                self._report(_kind(legacy, new), legacy, new, rules, trail)
        elif isinstance(legacy, dict) and isinstance(new, dict):
            self._objects(legacy, new, rules, trail)
        elif isinstance(legacy, list) and type(legacy) is type(new):
            self._arrays(legacy, new, rules, trail)
        elif isinstance(legacy, Order) and isinstance(new, Order):
            if legacy != new and sorted(legacy) == sorted(new):
                self._report("order", legacy, new, rules, trail)
        elif not same_scalar(legacy, new):
            self._scalars(legacy, new, rules, trail)

    def _scalars(self, legacy: Value, new: Value, rules: RuleNode, trail: Trail) -> None:
        kind = _kind(legacy, new)
        if self._moments and isinstance(legacy, str) and isinstance(new, str):
            alike = notations(legacy, new)
            if alike == "equal":
                return
            if alike == "notation":
                kind = "notation"
            elif self._inside(legacy, new, rules, trail):
                return
        self._report(kind, legacy, new, rules, trail)

    def _inside(self, legacy: str, new: str, rules: RuleNode, trail: Trail) -> bool:
        """Compare the documents that two strings hold; False where they are compared whole."""
        if self._opened >= MOST_NESTED:
            return False
        found = opened(legacy, new, self._budget)
        if found is None:
            return False
        if rules.hits and covered_by(rules.hits, "changed", legacy, new):
            return False
        how, left, right = found
        if how == "jwt()" and same(left, right):
            return False
        self._opened += 1
        below = rules.step(how) if rules.live else NO_RULES
        self.values(left, right, below, (trail, how))
        self._opened -= 1
        return True

    def fact(
        self, kind: DifferenceKind, name: str, legacy: Value, new: Value, rules: RuleNode
    ) -> None:
        """Report what differs about the whole body and is no part of its tree: `$['bom()']`."""
        below = rules.step(name) if rules.live else NO_RULES
        self._report(kind, legacy, new, below, ((), name))

    def _objects(
        self, legacy: dict[str, Value], new: dict[str, Value], rules: RuleNode, trail: Trail
    ) -> None:
        live = rules.live
        styled = restyled(legacy, new) if rules.hits and _allows_styles(rules) else {}
        for name, value in legacy.items():
            below = rules.into(name, value) if live else NO_RULES
            if name in new:
                self.values(value, new[name], below, (trail, name))
            elif name in styled:
                self._renamed(name, styled[name], rules, trail)
                self.values(value, new[styled[name]], below, (trail, name))
            elif not isinstance(value, Order):
                self._report("missing", value, None, below, (trail, name))
        if len(new) > len(legacy) or new.keys() != legacy.keys():
            there = set(styled.values())
            for name, value in new.items():
                if name not in legacy and name not in there and not isinstance(value, Order):
                    below = rules.into(name, value) if live else NO_RULES
                    self._report("added", None, value, below, (trail, name))

    def _renamed(self, name: str, other: str, rules: RuleNode, trail: Trail) -> None:
        """A member has another style of name: told at the member, covered by the rule."""
        rule = next(rule for rule in rules.hits if rule.kind == "name_style")
        self._findings.add(
            "notation",
            name,
            other,
            path=template((trail, name)),
            exact=exact((trail, name)),
            name=last_name(trail),
            ignored_by=rule.id,
        )

    def _arrays(self, legacy: list[Value], new: list[Value], rules: RuleNode, trail: Trail) -> None:
        self._arrays_open += 1
        rule = next((rule for rule in rules.hits if is_array_kind(rule)), None)
        if rule is not None:
            self._budget.spend(len(legacy) + len(new))
            found = (
                align.by_key(legacy, new, rule.key)
                if rule.kind == "keyed_array"
                else align.as_sets(legacy, new, self._budget)
            )
        elif (
            self._arrays_open > _MOST_ALIGNED_LEVELS
            or legacy == new  # but for `True == 1`, which only a walk can tell
            or align.in_step(legacy, new)
        ):
            found = align.by_position(legacy, new)
        else:
            self._budget.spend(len(legacy) + len(new))
            key = "" if isinstance(legacy, Repeated) else align.identity(legacy, new)
            found = self._unnamed(legacy, new) if not key else align.by_key(legacy, new, key)
            if key and not found.reordered and found.missing == found.added:
                # Each in its place, some with another id: it is the id that has changed.
                found = align.by_position(legacy, new)
        if found.reordered:
            self._report_order(legacy, new, rule, trail)
        self._aligned(legacy, new, found, rules, trail)
        self._twice(legacy, new, found, rules, trail)
        if found.missing and len(legacy) == len(new):
            self._page(found, len(legacy), rules, trail)
        self._arrays_open -= 1

    def _twice(
        self,
        legacy: list[Value],
        new: list[Value],
        found: Alignment,
        rules: RuleNode,
        trail: Trail,
    ) -> None:
        """Elements that new's list alone holds twice, among others that differ: see `doubled`."""
        plain = type(legacy) is list and type(new) is list and trail
        number = doubled(legacy, new, found, self._budget) if plain else 0
        if number:
            below = rules.step(TWICE) if rules.live else NO_RULES
            self._report("added", None, number, below, (trail, TWICE))

    def _page(self, found: Alignment, length: int, rules: RuleNode, trail: Trail) -> None:
        """A page of a list that begins elsewhere although nothing moved: see `page_window`."""
        by = shift(found, length)
        if by and same_total(*self._whole, length):
            below = rules.step("shift()") if rules.live else NO_RULES
            self._report("changed", 0, by, below, (trail, "shift()"))

    def _unnamed(self, legacy: list[Value], new: list[Value]) -> Alignment:
        """How elements belong to each other that no member names."""
        if self._only_reordered(legacy, new):
            return Alignment((), reordered=True)
        if isinstance(legacy, Repeated) or not align.shifts(legacy, new):
            return align.by_position(legacy, new)
        return align.by_content(legacy, new, self._budget)

    def _to_walk(
        self, legacy: list[Value], new: list[Value], pairs: Sequence[tuple[int, int]]
    ) -> Sequence[tuple[int, int]]:
        """The pairs of elements that are not the same, found in C: most of most arrays are.

        Given up where it keeps being in vain, as then each level would read all that is below it.
        """
        if self._arrays_open > _MOST_ALIGNED_LEVELS or self._in_vain > 100:
            return pairs
        unequal, left, right = [], [], []
        for pair in pairs:
            one, other = legacy[pair[0]], new[pair[1]]
            if one == other:
                left.append(one)
                right.append(other)
            else:
                unequal.append(pair)
        if not left:
            return pairs
        if surely_same(left, right):
            self._budget.spend(len(left))
            return unequal
        self._in_vain += 1
        return pairs

    def _only_reordered(self, legacy: list[Value], new: list[Value]) -> bool:
        unequal = 0
        if len(legacy) == len(new):
            unequal = sum(a != b for a, b in zip(legacy, new, strict=True))
        if unequal < 2 or self._order_allowance <= 0:
            return False
        reordered, cost = align.is_reordered(legacy, new, self._order_allowance)
        self._order_allowance -= cost
        return reordered

    def _aligned(
        self,
        legacy: list[Value],
        new: list[Value],
        found: Alignment,
        rules: RuleNode,
        trail: Trail,
    ) -> None:
        live = rules.live
        for here, there in self._to_walk(legacy, new, found.pairs):
            one = legacy[here]
            below = rules.into(here, one) if live else NO_RULES
            self.values(one, new[there], below, (trail, here))
        for at, spot in align.spots(found.missing, len(legacy)):
            below = rules.into(at, legacy[at]) if live else NO_RULES
            self._report("missing", legacy[at], None, below, (trail, at), spot)
        for at, spot in align.spots(found.added, len(new)):
            below = rules.into(at, new[at]) if live else NO_RULES
            self._report("added", None, new[at], below, (trail, at), spot)

    def _report_order(
        self,
        legacy: list[Value],
        new: list[Value],
        rule: ComparisonRule | None,
        trail: Trail,
    ) -> None:
        self._findings.add(
            "order",
            legacy,
            new,
            path=template(trail),
            exact=exact(trail),
            name=last_name(trail),
            ignored_by=rule.id if rule else None,
        )

    def _report(
        self,
        kind: DifferenceKind,
        legacy: Value,
        new: Value,
        rules: RuleNode,
        trail: Trail,
        spot: str = "",
    ) -> None:
        self._findings.add(
            kind,
            legacy,
            new,
            path=template(trail),
            exact=exact(trail),
            name=last_name(trail),
            ignored_by=self._covered(kind, legacy, new, rules, trail) if rules.hits else None,
            spot=spot,
        )

    def _covered(
        self, kind: DifferenceKind, legacy: Value, new: Value, rules: RuleNode, trail: Trail
    ) -> str | None:
        """The rule that covers a difference; a reference needs the whole documents."""
        hits = rules.hits
        if trail and isinstance(trail[1], int):  # `[null]` has an element that `[]` has not
            hits = tuple(rule for rule in hits if rule.kind != "null_absent")
        found = covered_by(hits, kind, legacy, new)
        if found is not None or kind not in ("changed", "type") or self._references is None:
            return found
        here, there = self._references
        for rule in rules.hits:
            if rule.kind == "reference":
                target = here.target(rule.key, legacy)
                if target is not None and target == there.target(rule.key, new):
                    return rule.id
        return None


def _allows_styles(rules: RuleNode) -> bool:
    return any(rule.kind == "name_style" for rule in rules.hits)


def _kind(legacy: Value, new: Value) -> DifferenceKind:
    return "changed" if type_name(legacy) == type_name(new) else "type"
