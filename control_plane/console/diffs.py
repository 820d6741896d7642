"""Two texts beside each other. Bounded, whatever the texts are."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from control_plane.comparisons.batches import AnswerIn
from control_plane.console.sanitise import clip

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

    @property
    def differs(self) -> bool:
        """Do the sides say different things?"""
        return self.legacy != self.new


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


def headers(legacy: AnswerIn, new: AnswerIn) -> list[HeaderRow]:
    """The headers of both, by name."""
    names = {name.lower(): name for name, _ in (*new.headers, *legacy.headers)}
    return [
        HeaderRow(shown, _values(legacy, name), _values(new, name))
        for name, shown in sorted(names.items())
    ]


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
