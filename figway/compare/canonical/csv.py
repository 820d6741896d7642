"""CSV (RFC 4180) as rows of named cells: `$[*].price`.

The first row names the columns where it can be a header: every cell filled, no number, none twice.
Quotation marks around a cell are framing; the text in it is compared as it is.
"""

from __future__ import annotations

import csv
import io

from figway.compare.canonical.json import NotThisFormat, Order, Value

COLUMNS = "columns()"
DELIMITER = "delimiter()"
_DELIMITERS = (",", ";", "\t", "|")

Rows = list[list[str]]


def delimiter_of(text: str, media_type: str) -> str:
    """What separates the cells: what the media type says, else what the first line has most of."""
    if media_type == "text/tab-separated-values":
        return "\t"
    first = text[:4096].partition("\n")[0]
    return max(_DELIMITERS, key=lambda mark: (first.count(mark), mark == ","))


def parse_rows(text: str, delimiter: str) -> Rows:
    """The rows of cells.

    Raises:
        NotThisFormat: quotation marks that open and do not close, a cell of over 131 072
            characters, or NUL.
    """
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise NotThisFormat(f"not CSV: {error}") from error


def has_header(rows: Rows) -> bool:
    """Whether the first row can name the columns."""
    names = rows[0] if len(rows) > 0 else []
    return (
        len(names) > 0
        and len(set(names)) == len(names)
        and all(name.strip() and not _is_number(name) for name in names)
    )


def table(rows: Rows, *, header: bool) -> Value:
    """Rows as objects by column. Under a header, `columns()` comes first: the order of columns."""
    names = rows[0] if header else []
    found: list[Value] = [{COLUMNS: Order(names)}] if header else []
    for row in rows[1:] if header else rows:
        cells: dict[str, Value] = {}
        for at, cell in enumerate(row):
            cells[names[at] if at < len(names) else f"column{at + 1}"] = cell
        found.append(cells)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
