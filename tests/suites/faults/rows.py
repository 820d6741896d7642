"""What the suite observed, a row a fault; `make faults` writes docs/operate/reliability.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- begin: faults -->", "<!-- end: faults -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what clients saw, what was recorded, how long until all was normal."""

    fault: str
    saw: str
    recorded: str
    normal: str


ROWS: list[Row] = []


def note(fault: str, saw: str, recorded: str, normal_ms: float | None = None) -> None:
    """Keep a row. Without `normal_ms` the fault touched nobody but its own request."""
    normal = "at once" if normal_ms is None or normal_ms < 50 else f"{normal_ms / 1_000:.1f} s"
    ROWS.append(Row(fault, saw, recorded, normal))


def write(path: Path, rows: list[Row]) -> None:
    """Put the table between its marks. Raises ValueError where they are missing."""
    text = path.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    lines = ["| fault | what clients saw | what was recorded | normal again |", "|---|---|---|---|"]
    lines += [f"| {row.fault} | {row.saw} | {row.recorded} | {row.normal} |" for row in rows]
    path.write_text("\n".join([text[:before], *lines, text[after:]]))
