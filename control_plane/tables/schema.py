"""The table document as JSON Schema (2020-12), for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from figway.model.table import Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OF_THE_CONTROL_PLANE = {"evidence_since"}
"""Fields that a document need not hold: the control plane sets them."""


def document_schema() -> dict[str, Any]:
    """The schema of what `figway apply` takes and `figway export` gives.

    It tells names, types and choices. What values may be together (a route names a backend that
    exists, a pattern parses) is said by `figway validate`.
    """
    described = TypeAdapter(Table).json_schema()
    for definition in [described, *described["$defs"].values()]:
        _plain(definition)
    described["title"] = "Figway table"
    described["description"] = "Backends, capabilities and routes, as `figway apply` takes them."
    return {"$schema": DIALECT, **described}


def _plain(definition: dict[str, Any]) -> None:
    """Take out the titles that repeat a name, and write descriptions on one line."""
    for name, field in definition.get("properties", {}).items():
        field.pop("title", None)
        if "description" in field:
            field["description"] = " ".join(field["description"].split())
        if name in _OF_THE_CONTROL_PLANE:
            field["readOnly"] = True
