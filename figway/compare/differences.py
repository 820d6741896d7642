"""Differences as people read them: grouped by path template, with one example, and a signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from figway.compare.answer import Context
from figway.compare.canonical.json import Blob, Constant, LongInteger, Order, Value
from figway.compare.canonical.text import describe_binary
from figway.compare.detect import HARD_SHAPES, Place, detect
from figway.compare.limits import Budget
from figway.compare.propose import excuses
from figway.compare.rules import ComparisonRule, rule_data

DifferenceKind = Literal["changed", "type", "missing", "added", "order", "format", "notation"]
"""missing: legacy has it and new does not; added: the other way round; format: one side's body is
not what its Content-Type says; notation: the same meaning in other signs, such as another line end
or another offset of the same moment."""

_MOST_CHILDREN = 10
_MOST_LEVELS = 4
_LONGEST_BEFORE_REDACTION = 4096


@dataclass(frozen=True, slots=True)
class DifferencePlace:
    """One place at which a pair differs, with the values as they were compared.

    The values are neither redacted nor cut: they are for judging in memory, never for storing.
    """

    exact: str
    """`$.items[3].price`, `header:cache-control;max-age`, `set-cookie:sid`."""
    legacy: Value
    """The canonical value; None where legacy has none, as the difference's kind tells."""
    new: Value
    spot: str = ""
    """Of an element that one list lacks: `first`, `last` or `within`; empty for all else."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of difference at one path template, however often it occurs in this pair."""

    path: str
    """The template: `$.items[*].price`, `header:location`, `set-cookie:sid;samesite`, `status`."""
    kind: DifferenceKind
    legacy: Any
    """Excerpt of the first example: a JSON value, bounded. Null where legacy has none."""
    new: Any
    exact: str
    """Path of the first example: `$.items[3].price`."""
    count: int = 1
    detector: str = ""
    proposal: ComparisonRule | None = None
    ignored_by: str | None = None
    """Id of the rule that covers it."""
    noise: bool = False
    places: tuple[DifferencePlace, ...] = field(default=(), compare=False, repr=False)
    """Where it occurs, in the order found, up to `Limits.places`; `count` says how often in all."""

    @property
    def counts(self) -> bool:
        """Whether it makes the pair a mismatch."""
        return self.ignored_by is None and not self.noise

    @property
    def excuses(self) -> str:
        """What the proposed rule would excuse here, in words; empty where none is proposed."""
        return excuses(self.proposal, self.legacy)

    @property
    def field(self) -> str:
        """The key that counters and learned noise use: path, kind and, if it has one, a hard shape.

        So that noise at a path hides no other kind of difference there: a UUID that legacy changes
        each time is noise, the same UUID missing or become a number is not.
        """
        shape = f"~{self.detector}" if self.detector in HARD_SHAPES else ""
        return f"{self.path}|{self.kind}{shape}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for reports and the store."""
        return {
            "path": self.path,
            "kind": self.kind,
            "field": self.field,
            "legacy": self.legacy,
            "new": self.new,
            "exact": self.exact,
            "count": self.count,
            "detector": self.detector,
            "proposal": rule_data(self.proposal) if self.proposal else None,
            "excuses": self.excuses,
            "ignored_by": self.ignored_by,
            "noise": self.noise,
        }


def signature(differences: Iterable[Difference]) -> str:
    """A short text that two pairs share when they differ in the same counting fields; empty for
    none.
    """
    fields = sorted({difference.field for difference in differences if difference.counts})
    if not fields:
        return ""
    return hashlib.blake2b(
        "\n".join(fields).encode("utf-8", "backslashreplace"), digest_size=8
    ).hexdigest()


class Findings:
    """Collects the differences of one pair, group by group, bounded in number."""

    def __init__(self, context: Context, budget: Budget) -> None:
        self._context = context
        self._budget = budget
        self._groups: dict[tuple[str, str | None], _Group] = {}
        self.own_values: list[DifferencePlace] = []
        """Values that are the server's own, where the two sides' are not the same."""
        self.total = 0
        """Differences reported, of whatever kind."""
        self.beyond = 0
        """Counting differences that found no room: they still make a mismatch."""

    def add(
        self,
        kind: DifferenceKind,
        legacy: Value,
        new: Value,
        *,
        path: str,
        exact: str,
        name: str,
        ignored_by: str | None = None,
        values: tuple[Value, Value] | None = None,
        spot: str = "",
    ) -> None:
        """One differing pair of values; `values` are those to judge by where `legacy` and `new`
        only describe them."""
        self._budget.spend(10 + (_length(legacy) + _length(new)) // 64)
        self.total += 1
        place = Place(path, name, self._context.backend_hosts, self._context.facade)
        detection = detect(kind, legacy, new, place)
        difference = Difference(
            path,
            kind,
            None,
            None,
            exact,
            detector=detection.detector if detection else "",
            proposal=detection.rule if detection else None,
            ignored_by=ignored_by,
        )
        if difference.field in self._context.noise:
            difference = replace(difference, noise=True)
        left, right = values or (legacy, new)
        self._keep(difference, legacy, new, DifferencePlace(exact, left, right, spot))

    def own_value(self, exact: str, legacy: str, new: str) -> None:
        """A value that is not compared, as each server makes its own: kept to be watched."""
        if len(self.own_values) < self._context.limits.places:
            self.own_values.append(DifferencePlace(exact, legacy, new))

    def _keep(
        self, difference: Difference, legacy: Value, new: Value, place: DifferencePlace
    ) -> None:
        key = (difference.field, difference.ignored_by)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= self._context.limits.groups:
                self.beyond += difference.counts
                return
            group = self._groups[key] = _Group(
                replace(
                    difference,
                    exact=self._clean(difference.exact),
                    legacy=self._excerpt(difference.exact, legacy),
                    new=self._excerpt(difference.exact, new),
                )
            )
        group.count += 1
        if len(group.places) < self._context.limits.places:
            group.places.append(place)

    def _excerpt(self, path: str, value: Value) -> Any:
        kept = _prune(value, _MOST_LEVELS)
        if self._context.redact is not None:
            kept = self._context.redact(path, kept)
        return _cut(kept, self._context.limits.excerpt)

    def _clean(self, path: str) -> str:
        """A path may hold a secret as a member's name; under no name of its own it is just text."""
        if self._context.redact is None or not path.startswith("$"):
            return path
        return str(self._context.redact("", path))

    def all(self) -> tuple[Difference, ...]:
        """The groups, those that count first, else in the order found."""
        found = (
            replace(group.first, count=group.count, places=tuple(group.places))
            for group in self._groups.values()
        )
        return tuple(sorted(found, key=lambda d: (not d.counts, d.noise)))


class _Group:
    """The differences of one field: the first of them as people read it, and their places."""

    __slots__ = ("count", "first", "places")

    def __init__(self, first: Difference) -> None:
        self.first = first
        self.count = 0
        self.places: list[DifferencePlace] = []


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str) else 0


def _prune(value: Value, levels: int) -> Any:
    """A copy small enough to redact: few children and levels, long texts cut where no token is
    halved.
    """
    if isinstance(value, str):
        if len(value) <= _LONGEST_BEFORE_REDACTION:
            return value
        return _whole_tokens(value[:_LONGEST_BEFORE_REDACTION]) + "…"
    if isinstance(value, dict):
        if not levels:
            return f"{{… {len(value)} members}}"
        kept = {
            name[:200]: _prune(child, levels - 1)
            for name, child in list(value.items())[:_MOST_CHILDREN]
            if not isinstance(child, Order)
        }
        return kept if len(value) <= _MOST_CHILDREN else {**kept, "…": len(value)}
    if isinstance(value, Order):
        return list(value[:_MOST_CHILDREN])
    if isinstance(value, list):
        if not levels:
            return f"[… {len(value)} elements]"
        kept_list = [_prune(child, levels - 1) for child in value[:_MOST_CHILDREN]]
        return kept_list if len(value) <= _MOST_CHILDREN else [*kept_list, f"… {len(value)} in all"]
    if isinstance(value, Constant):
        return value.name
    if isinstance(value, Blob):
        return describe_binary(value.data)
    if isinstance(value, LongInteger):
        return f"an integer of {len(value.digits)} digits"
    if type(value) is float and (value != value or abs(value) == float("inf")):
        # Too large for a double; JSON, in which excerpts are kept, has no word for it.
        return f"{value}"
    if type(value) is int and value.bit_length() > 512:
        return f"an integer of {value.bit_length()} bits"
    return value


def _whole_tokens(text: str) -> str:
    """The text without what the cut may have halved: half a secret would not be known as one."""
    end = max(text.rfind(mark) for mark in " \t\n<>\"'") + 1
    return text[:end].rstrip("0123456789 -")


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= longest else text[:longest] + "…"
    if isinstance(value, dict):
        return {_cut(name, longest): _cut(child, longest) for name, child in value.items()}
    if isinstance(value, list):
        return [_cut(child, longest) for child in value]
    return value
