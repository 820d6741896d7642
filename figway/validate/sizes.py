"""How much may stand in a field: every text and every list of an item has a limit.

The API documents these limits and refuses a body beyond them; here they are held wherever an item
comes from.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from figway.validate.findings import Findings

MAX_TEXT = 4_096
"""Characters of a text for which nothing else is said."""
MAX_LIST = 1_000
"""Entries of a list for which nothing else is said."""
_MOST: dict[tuple[str, str], int] = {
    ("Backend", "id"): 64,
    ("Backend", "urls"): 64,
    ("Backend", "credentials"): 32,
    ("Capability", "id"): 64,
    ("Capability", "sticky"): 16,
    ("Route", "id"): 64,
    ("RouteMatch", "methods"): 100,
    ("RouteMatch", "headers"): 32,
    ("RouteMatch", "query"): 32,
    ("RouteMatch", "cookies"): 32,
    ("OperationMatch", "field"): 200,
    ("OperationMatch", "types"): 3,
    ("FallbackPolicy", "statuses"): 200,
    ("ComparisonPolicy", "rules"): 500,
    ("ComparisonPolicy", "html"): 3,
    ("ComparisonPolicy", "headers"): 100,
    ("ComparisonPolicy", "redact_names"): 200,
    ("ComparisonPolicy", "redact_patterns"): 200,
    ("ComparisonPolicy", "redact_allow"): 200,
    ("HeaderEdits", "set"): 32,
    ("HeaderEdits", "remove"): 32,
    ("PathRewrite", "sides"): 2,
    ("BodyPolicy", "content_types"): 100,
    ("RoutePolicies", "rate_limits"): 8,
    ("JwtPolicy", "algorithms"): 10,
    ("JwtPolicy", "claims"): 100,
}


def most_of(cls: type, field: str, kind: type) -> int:
    """The limit of a field of a model class: characters of a `str`, entries of a `tuple`."""
    return _MOST.get((cls.__name__, field), MAX_TEXT if kind is str else MAX_LIST)


def check_sizes(value: Any, path: str, findings: Findings) -> None:
    """Report what is too long in a model value and in what it holds."""
    for name, kind, most, default in _sized(typing.cast(Hashable, type(value))):
        found = getattr(value, name)
        if found is default:
            continue
        if kind is None:
            check_sizes(found, f"{path}.{name}", findings)
        elif len(found) > most:
            _report(f"{path}.{name}", kind, len(found), most, findings)
        elif kind is tuple and found:
            _entries(found, f"{path}.{name}", findings)


def _entries(entries: tuple[Any, ...], path: str, findings: Findings) -> None:
    for index, entry in enumerate(entries):
        if isinstance(entry, str):
            if len(entry) > MAX_TEXT:
                _report(f"{path}[{index}]", str, len(entry), MAX_TEXT, findings)
        elif isinstance(entry, tuple):
            _entries(entry, f"{path}[{index}]", findings)
        elif is_dataclass(entry):
            check_sizes(entry, f"{path}[{index}]", findings)


def _report(path: str, kind: type, size: int, most: int, findings: Findings) -> None:
    if kind is str:
        message = f"the text is {size} characters long"
        findings.error("text_invalid", path, message, f"use at most {most}")
    else:
        message = f"{size} entries are too many"
        findings.error("list_too_long", path, message, f"use at most {most}")


@cache
def _sized(cls: Any) -> tuple[tuple[str, type | None, int, Any], ...]:
    """Fields to look at, with their defaults: texts and lists with their limits, and values with
    fields of their own."""
    found: list[tuple[str, type | None, int, Any]] = []
    hints = typing.get_type_hints(cls)
    for field in fields(cls):
        hint = hints[field.name]
        if isinstance(hint, types.UnionType):
            hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        if hint is str:
            found.append((field.name, str, most_of(cls, field.name, str), field.default))
        elif typing.get_origin(hint) is tuple:
            found.append((field.name, tuple, most_of(cls, field.name, tuple), field.default))
        elif is_dataclass(hint) and _sized(typing.cast(Hashable, hint)):
            found.append((field.name, None, 0, field.default))
    return tuple(found)
