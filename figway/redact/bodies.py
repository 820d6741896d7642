"""A whole body without its secrets, as text that may be stored.

What cannot be read cannot be searched, so it is not kept: a body of an unknown coding, binary, too
deep or too large becomes one placeholder.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from figway.compare.answer import Decoder, RawHeader, header_values
from figway.compare.canonical.csv import delimiter_of, parse_rows
from figway.compare.canonical.json import (
    Constant,
    LongInteger,
    NotThisFormat,
    Value,
    check_depth,
    parse_json,
)
from figway.compare.canonical.text import ends_in_newline
from figway.compare.decode import MediaType, content_codings, has_bom, to_text, undo_codings
from figway.compare.formats import TEXTS, Family
from figway.compare.limits import CompareError, Limits
from figway.redact.markup import redact_markup
from figway.redact.redactor import Redactor

_LINE_END = re.compile(r"\r\n|\r|\n")
_AFTER_LINE = re.compile(r"(?<=\n)")
_WITH_BOM: frozenset[Family] = frozenset({"text", "csv", "json", "json-lines", "json-sequence"})
"""Families to whose readers a byte order mark is a sign of the text."""


def redact_body(
    headers: tuple[RawHeader, ...],
    body: bytes,
    redactor: Redactor,
    decoders: Mapping[str, Decoder] | None = None,
    limits: Limits | None = None,
) -> str:
    """The body's text, decoded, without secrets; or a placeholder. `headers` are the body's own."""
    if not body:
        return ""
    values = header_values(headers)
    media_type = MediaType.parse(values.get("content-type", [""])[-1])
    codings = content_codings(values.get("content-encoding", []))
    limits = limits or Limits()
    try:
        plain = undo_codings(body, codings, decoders or {}, limits)
        family = media_type.family(plain)
        if family not in TEXTS:
            return f"{len(plain)} bytes {redactor.hide('binary', plain.decode('latin-1'))}"
        text = to_text(plain, family, media_type.charset)
        mark = "\ufeff" if has_bom(plain) and family in _WITH_BOM else ""
        return mark + _clean(_by_family(text, family, redactor, limits))
    except (CompareError, RecursionError):
        return f"{len(body)} bytes {redactor.hide('unreadable', body.decode('latin-1'))}"


def _by_family(text: str, family: Family, redactor: Redactor, limits: Limits) -> str:
    if family == "json":
        try:
            tree = parse_json(text)
        except NotThisFormat:
            # Cut or broken JSON: its pairs are still found, by name and by looks.
            return redactor.text(text)
        check_depth(tree, limits.depth)
        return json.dumps(redactor.value("$", _writable(tree)), ensure_ascii=False)
    if family == "form":
        return redactor.query(text)
    if family == "csv":
        return _rows(text, redactor)
    if family in ("json-lines", "json-sequence", "events"):
        return "".join(_line(line, redactor, limits) for line in _AFTER_LINE.split(text))
    if family in ("html", "xml"):
        return redact_markup(text, redactor)
    return redactor.text(text)


def _line(line: str, redactor: Redactor, limits: Limits) -> str:
    """One line of JSON, or of an event stream whose data is JSON; its framing and its end stay."""
    mark, colon, rest = line.partition("data:") if line.startswith("data:") else ("", "", line)
    text = rest.strip("\x1e \t\r\n")
    if text[:1] in ("{", "["):
        before, _, after = rest.partition(text)
        return f"{mark}{colon}{before}{_by_family(text, 'json', redactor, limits)}{after}"
    return redactor.text(line)


def _rows(text: str, redactor: Redactor) -> str:
    """Rows and columns: what stands under a secret name is hidden."""
    delimiter = "\t" if "\t" in text.partition("\n")[0] else delimiter_of(text, "text/csv")
    try:
        rows = parse_rows(text, delimiter)
    except NotThisFormat:
        return redactor.text(text)
    names = [cell.strip() for cell in rows[0]] if rows else []
    written = [[redactor.search(name) for name in rows[0]]] if rows else []
    for row in rows[1:]:
        written.append(
            [
                redactor.text(cell, names[at] if at < len(names) else "")
                for at, cell in enumerate(row)
            ]
        )
    into = io.StringIO(newline="")
    csv.writer(into, delimiter=delimiter, lineterminator=_line_end(text)).writerows(written)
    made = into.getvalue()
    return made if ends_in_newline(text) else made.rstrip("\r\n")


def _line_end(text: str) -> str:
    """How its first line ends."""
    first = _LINE_END.search(text)
    return first[0] if first else "\n"


def _writable(tree: Value) -> Any:
    """Without the values that JSON cannot write again."""
    if isinstance(tree, dict):
        return {name: _writable(child) for name, child in tree.items()}
    if isinstance(tree, Constant):
        return float(tree.name)
    if isinstance(tree, LongInteger):
        return f"an integer of {len(tree.digits)} digits"
    if isinstance(tree, list):
        return [_writable(child) for child in tree]
    return tree


def _clean(text: str) -> str:
    """Writable as UTF-8: broken bytes are spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()
