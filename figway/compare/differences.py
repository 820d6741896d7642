"""Differences as people read them: grouped by path template, with one example, and a signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from figway.compare.answer import Context
from figway.compare.canonical_json import Constant, LongInteger, Order, Value
from figway.compare.detect import HARD_SHAPES, Place, detect
from figway.compare.limits import Budget
from figway.compare.rules import ComparisonRule

DifferenceKind = Literal["changed", "type", "missing", "added", "order", "format"]
"""missing: legacy has it and new does not; added: the other way round; format: one side's body is
not what its Content-Type says."""

_MOST_CHILDREN = 10
_MOST_LEVELS = 4
_LONGEST_BEFORE_REDACTION = 4096


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

    @property
    def counts(self) -> bool:
        """Whether it makes the pair a mismatch."""
        return self.ignored_by is None and not self.noise

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
            "proposal": self.proposal.to_dict() if self.proposal else None,
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
        self._groups: dict[tuple[str, str | None], Difference] = {}
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
        proposal: ComparisonRule | None = None,
    ) -> None:
        """One differing pair of values. `proposal` is what the finder itself would propose."""
        self._budget.spend(10 + (len(legacy) + len(new) if _texts(legacy, new) else 0) // 64)
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
            proposal=detection.rule if detection else proposal,
            ignored_by=ignored_by,
        )
        if difference.field in self._context.noise:
            difference = replace(difference, noise=True)
        self._keep(difference, legacy, new)

    def _keep(self, difference: Difference, legacy: Value, new: Value) -> None:
        key = (difference.field, difference.ignored_by)
        known = self._groups.get(key)
        if known is not None:
            self._groups[key] = replace(known, count=known.count + 1)
        elif len(self._groups) < self._context.limits.groups:
            self._groups[key] = replace(
                difference,
                exact=self._clean(difference.exact),
                legacy=self._excerpt(difference.exact, legacy),
                new=self._excerpt(difference.exact, new),
            )
        elif difference.counts:
            self.beyond += 1

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
        return tuple(sorted(self._groups.values(), key=lambda d: (not d.counts, d.noise)))


def _texts(legacy: Value, new: Value) -> bool:
    return isinstance(legacy, str) and isinstance(new, str)


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
