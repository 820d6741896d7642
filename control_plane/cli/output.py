"""How the CLI shows things: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from control_plane.plain_text import escaped, is_plain, neutral


class Output(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


for _name in ("stdout", "stderr"):
    if getattr(sys, _name) is None:  # run with it closed: `figway ... >&-`
        setattr(sys, _name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as we run

Cell = Callable[[Mapping[str, Any]], object]
STAGE_STYLES = {
    "legacy": "dim",
    "shadow": "magenta",
    "canary": "yellow",
    "new": "green",
    "retired": "bold green",
}

# Rich drops colours and redraws by itself when the output is no terminal, or NO_COLOR is set. A
# pipe has no width: there a row stays a line, for grep and awk.
_PIPE_WIDTH = None if sys.stdout.isatty() else 10_000


class PlainConsole(Console):
    """The one that prints: whatever it is given shows, and never acts on the terminal. What holds
    no markup of ours goes through `escape` besides."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich does, with control characters shown as their numbers."""
        super().print(*(neutral(o) if isinstance(o, str) else o for o in objects), **how)


console = PlainConsole(highlight=False, soft_wrap=True, width=_PIPE_WIDTH)
errors = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def show(
    data: Any,
    output: Output,
    columns: Sequence[tuple[str, Cell]] = (),
    *,
    empty: str = "nothing here yet",
) -> None:
    """Print `data`: as a table of `columns` (rows are mappings), or whole as JSON or YAML."""
    if output is Output.JSON:
        sys.stdout.write(escaped(json.dumps(data, indent=2, ensure_ascii=False)) + "\n")
    elif output is Output.YAML:
        sys.stdout.write(_yaml(data))
    elif not data:
        console.print(f"[dim]{escape(empty)}[/dim]")
    else:
        console.print(grid(data, columns))


def _yaml(data: Any) -> str:
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    if not is_plain(text):
        text = yaml.safe_dump(data, sort_keys=False)
    return text


def show_one(item: Any, output: Output) -> None:
    """Print one item whole: as YAML for people, which reads well for nested fields."""
    show(item, Output.YAML if output is Output.TABLE else output)


def grid(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, Cell]]) -> Grid:
    """A plain table: no borders, so that it reads well and cuts well when piped."""
    table = Grid(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for index, (name, _) in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(_cell(cell(row)) for _, cell in columns))
    return table


def stage(name: str) -> str:
    """A stage in its colour."""
    style = STAGE_STYLES.get(name, "")
    return f"[{style}]{name}[/{style}]" if style else escape(name)


def percent(weight: int | None) -> str:
    """Basis points as a percentage, without needless digits."""
    return "" if weight is None else f"{weight / 100:g}%"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Markup):
        return neutral(str(value))
    return escape(neutral(str(value)))


class Markup(str):
    """Text that holds markup of ours; everything else is escaped."""

    __slots__ = ()
