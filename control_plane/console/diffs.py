"""Two texts beside each other. Bounded, whatever the texts are."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from control_plane.comparisons.batches import AnswerIn, ExampleIn
from control_plane.console.sanitise import clip
from figway.compare.headers.not_compared import NOT_COMPARED

MOST_LINES = 800
_MOST_CHARACTERS = 400_000
_WIDTH = 1_000
_AROUND = 3
Kind = Literal["same", "changed", "legacy", "new", "left_out"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of both sides; a number of 0 means that the side has none."""

    kind: Kind
    left_number: int = 0
    left: str = ""
    right_number: int = 0
    right: str = ""


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """One header of both sides."""

    name: str
    legacy: str
    new: str
    differs: bool
    """A difference of the pair is about it."""
    why: str = ""
    """Why the values read otherwise and are no difference; empty where they read the same."""
    can_compare: bool = False
    """It is not compared, and could be."""

    @property
    def tag(self) -> str:
        """The same in few words."""
        if self.name.lower() in _OWN_VALUES:
            return "the server's own value"
        return "not compared" if self.can_compare else "same meaning"


def bodies(legacy: AnswerIn, new: AnswerIn) -> tuple[list[Row], str]:
    """The bodies line by line, and what was left out of them."""
    left, right = _lines(legacy), _lines(new)
    cut = max(0, len(left) - MOST_LINES), max(0, len(right) - MOST_LINES)
    said = (
        f"Shown are the first {MOST_LINES} lines; {cut[0]} more of legacy and {cut[1]} more of new "
        "are not."
        if any(cut)
        else ""
    )
    return _folded(_rows(left[:MOST_LINES], right[:MOST_LINES])), said


def headers(pair: ExampleIn, compared: Collection[str] = ()) -> list[HeaderRow]:
    """The headers of both, by name; `compared` are those that the route wants compared."""
    differing = {_header_of(difference.path) for difference in pair.differences}
    names = {name.lower(): name for name, _ in (*pair.new.headers, *pair.legacy.headers)}
    return [
        _header_row(pair, name, shown, name in differing, compared)
        for name, shown in sorted(names.items())
    ]


def _header_row(
    pair: ExampleIn, name: str, shown: str, differs: bool, compared: Collection[str]
) -> HeaderRow:
    legacy, new = _values(pair.legacy, name), _values(pair.new, name)
    if differs or legacy == new:
        return HeaderRow(shown, legacy, new, differs)
    reason = "" if name in compared else not_compared(name)
    return HeaderRow(shown, legacy, new, False, reason or _SAME, bool(reason))


_OWN_VALUES = frozenset({"etag", "last-modified"})
"""Compared by presence and strength: each server makes its own value."""
_SAME = "read by its own grammar, it says the same on both sides"


def _header_of(path: str) -> str:
    """The header that a difference is about: `header:vary`, `set-cookie:sid;samesite`."""
    kind, _, rest = path.partition(":")
    return "set-cookie" if kind == "set-cookie" else rest.partition(";")[0] if rest else ""


def _values(answer: AnswerIn, name: str) -> str:
    return " ⏎ ".join(value for known, value in answer.headers if known.lower() == name)


def _lines(answer: AnswerIn) -> list[str]:
    text = (answer.body or "")[:_MOST_CHARACTERS]
    if answer.body_kind == "base64" and text:
        return [f"(binary, {len(answer.body or '') * 3 // 4} bytes, as base64)", clip(text, 200)]
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return [clip(line, _WIDTH) for line in text.split("\n")] if text else []


def _rows(left: Sequence[str], right: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=True)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            rows += [
                Row("same", a + i + 1, left[a + i], c + i + 1, right[c + i]) for i in range(b - a)
            ]
            continue
        for i in range(max(b - a, d - c)):
            has_left, has_right = a + i < b, c + i < d
            kind: Kind = "changed" if has_left and has_right else "legacy" if has_left else "new"
            rows.append(
                Row(
                    kind,
                    a + i + 1 if has_left else 0,
                    left[a + i] if has_left else "",
                    c + i + 1 if has_right else 0,
                    right[c + i] if has_right else "",
                )
            )
    return rows


def _folded(rows: list[Row]) -> list[Row]:
    """Without the long stretches in which nothing differs."""
    near: set[int] = set()
    for index, row in enumerate(rows):
        if row.kind != "same":
            near.update(range(index - _AROUND, index + _AROUND + 1))
    if not near:
        return rows[:40] if len(rows) <= 40 else [*rows[:40], Row("left_out", len(rows) - 40)]
    found: list[Row] = []
    skipped = 0
    for index, row in enumerate(rows):
        if index in near:
            if skipped:
                found.append(Row("left_out", skipped))
                skipped = 0
            found.append(row)
        else:
            skipped += 1
    if skipped:
        found.append(Row("left_out", skipped))
    return found


def not_compared(name: str) -> str:
    """Why a header is not compared; empty where it is."""
    return next((reason for reason, names in NOT_COMPARED.items() if name in names), "")
