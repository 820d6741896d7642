"""What is wrong with a field of a request, in words for whoever wrote it, and what to do about it.

Pydantic's own messages speak of inputs, keyword arguments and parsing. What is not listed here
keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "dataclass_exact_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_BOUNDS = {
    "greater_than": ("gt", "over {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "under {}"),
    "less_than_equal": ("le", "{} or less"),
}
_LONGEST_SHOWN = 60


def in_words(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The message of one of pydantic's errors, and the next step; empty where there is none."""
    kind, context = entry["type"], entry.get("ctx") or {}
    if kind in _UNKNOWN:
        return "there is no such field", "the fields are in docs/reference (table.md, api.md)"
    if kind in ("missing", "missing_argument"):
        return "it is missing", ""
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {_shown(entry.get('input'))}", ""
    if kind in ("enum", "literal_error"):
        return f"expected {context['expected']}, found {_shown(entry.get('input'))}", ""
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"expected {words.format(context[name])}, found {_shown(entry.get('input'))}", ""
    if kind == "string_pattern_mismatch":
        return f"it is not of the form {context['pattern']}", ""
    return str(entry["msg"]).removeprefix("Value error, "), ""


def _shown(value: Any) -> str:
    text = {None: "null", True: "true", False: "false"}.get(value) if _is_word(value) else None
    text = text or repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
