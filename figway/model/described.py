"""What the strings below fields say, read when a schema is asked for.

A class says of each field what it is for in a string below it. Schema libraries can read these when
a class is made, but that parses the source of every class in every process that starts, and only
the published schemas and the API's description need them."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any


def descriptions(of: type) -> Mapping[str, str]:
    """The description of each field of a class that has one, its bases' included. Empty where the
    source cannot be read."""
    found: dict[str, str] = {}
    for base in reversed(of.__mro__):
        name = base.__qualname__.partition("[")[0]
        found |= _of_module(base.__module__).get(name, {})
    return found


def describe(
    of: type, properties: Mapping[str, dict[str, Any]], aliases: Mapping[str, str]
) -> None:
    """Add to the properties of a JSON Schema what the class says of its fields. `aliases`: the
    property of a field whose name is another."""
    for field, text in descriptions(of).items():
        if (found := properties.get(aliases.get(field, field))) is not None:
            found.setdefault("description", text)


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """By class, what a module says of the fields."""
    module = sys.modules.get(name)
    try:
        tree = ast.parse(inspect.getsource(module)) if module is not None else ast.Module([], [])
    except (OSError, TypeError, SyntaxError):
        return {}
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {node.name: dict(_fields(node)) for node in classes}


def _fields(of: ast.ClassDef) -> list[tuple[str, str]]:
    return [
        (field.target.id, inspect.cleandoc(below.value.value))
        for field, below in pairwise(of.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    ]
