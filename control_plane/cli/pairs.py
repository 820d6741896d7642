"""A stored pair in the terminal: what differs, and both answers as a diff.

What was captured is somebody else's text: control characters are spelt out before it is printed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich.table import Table as Grid
from rich.text import Text

from control_plane.cli.output import Markup, Output, console
from control_plane.cli.output import show as show_rows
from control_plane.cli.times import clock

_MOST_LINES = 2_000
_LONGEST = 500
_STYLES = {"-": "red", "+": "green", "@": "cyan"}


def show(found: Mapping[str, Any], *, side_by_side: bool) -> None:
    """Print a stored pair."""
    example = found["example"]
    request = example["request"]
    console.print(
        Text(inert(f"{request['method']} {request['target']}"), style="bold"),
        Text(_headline(found)),
        sep="\n",
    )
    looks = {one["field"]: one for one in found["found"]}
    if differences := example["differences"]:
        rows = [{**row, "look": looks.get(row["field"])} for row in differences]
        show_rows(rows, Output.TABLE, _DIFFERENCES)
    left, right = lines_of(example["legacy"]), lines_of(example["new"])
    if side_by_side:
        console.print(_two_columns(left, right))
    else:
        for line in difflib.unified_diff(left, right, "legacy", "new", lineterm="", n=3):
            console.print(Text(line, style=_STYLES.get(line[:1], "")))
    for replayed in found["replays"]:
        console.print(
            f"[dim]replayed {clock(replayed['at_ms'])}: {replayed['verdict']} "
            f"{replayed['reason']}[/dim]"
        )


def _headline(found: Mapping[str, Any]) -> str:
    example = found["example"]
    then = "" if example["verdict"] == found["verdict"] else f" (called {example['verdict']} then)"
    build = f", build {inert(example['build'])}" if example["build"] else ""
    return f"{found['verdict']}{then}, route {found['route']}{build}, {clock(example['at_ms'])}"


def lines_of(answer: Mapping[str, Any]) -> list[str]:
    """An answer as lines: status, headers, body; JSON spread out."""
    if answer["failure"]:
        return [f"failed: {inert(answer['failure'])}"]
    found = [f"HTTP {answer['status']}"]
    found += sorted(inert(f"{name.lower()}: {value}") for name, value in answer["headers"])
    body = answer["body"] or ""
    with suppress(ValueError):
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False, sort_keys=True)
    lines = [*found, "", *(inert(line) for line in body.splitlines())]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... {len(lines) - _MOST_LINES} more lines"]
    return lines


def inert(text: str) -> str:
    """Text that moves no cursor, colours nothing and turns no direction; long lines are cut."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}... {len(text)} characters"


def _two_columns(left: Sequence[str], right: Sequence[str]) -> Grid:
    table = Grid(box=None, pad_edge=False, header_style="bold", show_edge=False, expand=True)
    table.add_column("legacy", overflow="fold", ratio=1)
    table.add_column("new", overflow="fold", ratio=1)
    matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        for index in range(max(b - a, d - c)):
            one = left[a + index] if a + index < b else ""
            two = right[c + index] if c + index < d else ""
            same = tag == "equal"
            table.add_row(Text(one, "" if same else "red"), Text(two, "" if same else "green"))
    return table


def _excerpt(side: str) -> Any:
    def cell(row: Mapping[str, Any]) -> str:
        if (row["kind"], side) in (("missing", "new"), ("added", "legacy")):
            return "nothing"
        return inert(json.dumps(row[side], ensure_ascii=False))

    return cell


def _stands(row: Mapping[str, Any]) -> Markup:
    if row["look"] is not None:
        outcome = row["look"]["outcome"] or "found"
        return Markup(f"[red]{outcome}[/red]" if row["look"]["counts"] else f"[dim]{outcome}[/dim]")
    if row["ignored_by"]:
        return Markup("[dim]ignored[/dim]")
    return Markup("[dim]noise[/dim]" if row["noise"] else "[red]counts[/red]")


_DIFFERENCES = [
    ("PATH", lambda row: inert(row["path"])),
    ("KIND", lambda row: row["kind"]),
    ("LEGACY", _excerpt("legacy")),
    ("NEW", _excerpt("new")),
    ("TIMES", lambda row: row["count"]),
    ("STANDS", _stands),
    ("SECOND LOOK", lambda row: row["look"]["found"] if row["look"] else ""),
]
